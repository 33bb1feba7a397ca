"""Spill queue -> verify -> publish: what could not be done when the request came.

A record that still can't be verified or published waits (relay.queue).
One whose token is nobody's, or that is no request, goes to the dead-letter queue with its reason,
where it can be looked at and sent back. No record holds up another.
"""

import json
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay.errors import NotOursError, RejectedRequestError, RelayError
from relay.ingress.app import identity, log_published, verify
from relay.ingress.form import read_form
from relay.ingress.publish import publish
from relay.queue import Unhandled, hand_back

logger = Logger(service="republish")
metrics = Metrics(service="republish")

# What a body that ingress did not write raises; its text may have a token in it, and is not told.
_NO_REQUEST = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def handler(batch: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Publish each record of an SQS batch; returns those that must come back."""
    unhandled: list[Unhandled] = []
    for record in map(SQSRecord, batch["Records"]):
        try:
            _republish(record)
        except (RelayError, BotoCoreError, ClientError) as error:
            unhandled.append(Unhandled(record, error))
    outcomes = hand_back(unhandled, repeatable=True)
    for outcome in outcomes:
        outcome.log(logger)
    back = [outcome.unhandled.record for outcome in outcomes if outcome.comes_back]
    metrics.add_metric("waiting", MetricUnit.Count, len(back))
    metrics.flush_metrics()
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in back]}


def _republish(record: SQSRecord) -> None:
    try:
        request = json.loads(record.body)
        request_id, received_at = identity(request)
        event = verify(read_form(request), request_id, received_at)
        publish(event)
    except RejectedRequestError as refusal:
        metrics.add_metric(f"refused_{refusal.code}", MetricUnit.Count, 1)
        raise
    except _NO_REQUEST as error:
        metrics.add_metric("refused_malformed", MetricUnit.Count, 1)
        raise NotOursError(f"not a spilled request: {type(error).__name__}") from error
    metrics.add_metric("published", MetricUnit.Count, 1)
    log_published(event)

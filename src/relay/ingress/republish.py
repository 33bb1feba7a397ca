"""Spill queue -> verify -> publish: what could not be done when the request came.

A record that still can't be verified or published comes back after the queue's visibility timeout.
One whose token is nobody's, or that is no request, goes to the dead-letter queue with its reason,
where it can be looked at and sent back. No record holds up another.
"""

import json
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.errors import RejectedRequest
from relay.ingress.app import NoTokensError, identity, log_published, verify
from relay.ingress.form import read_form
from relay.ingress.publish import publish

logger = Logger(service="republish")
metrics = Metrics(service="republish")

# What a body that ingress did not write raises; its text may have a token in it, and is not told.
_NO_REQUEST = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def handler(batch: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Publish each record of an SQS batch; returns those that must come back."""
    failures = []
    for record in batch["Records"]:
        try:
            _republish(record)
        except (NoTokensError, BotoCoreError, ClientError) as trouble:
            metrics.add_metric("waiting", MetricUnit.Count, 1)
            logger.warning("waiting", message_id=record["messageId"], because=str(trouble))
            failures.append({"itemIdentifier": record["messageId"]})
    metrics.flush_metrics()
    return {"batchItemFailures": failures}


def _republish(record: dict[str, Any]) -> None:
    try:
        request = json.loads(record["body"])
        request_id, received_at = identity(request)
        event = verify(read_form(request), request_id, received_at)
        publish(event)
    except RejectedRequest as refusal:
        _dead_letter(record, refusal.code, str(refusal))
    except _NO_REQUEST as error:
        _dead_letter(record, "malformed", f"not a spilled request: {type(error).__name__}")
    else:
        metrics.add_metric("published", MetricUnit.Count, 1)
        log_published(event)


def _dead_letter(record: dict[str, Any], code: str, reason: str) -> None:
    metrics.add_metric(f"refused_{code}", MetricUnit.Count, 1)
    logger.warning("refused", code=code, reason=reason, message_id=record["messageId"])
    (queue_url,) = settings.read("DEAD_LETTERS_URL")
    text = reason.encode("ascii", "replace").decode()  # SQS refuses some characters
    settings.client("sqs").send_message(
        QueueUrl=queue_url,
        MessageBody=record["body"],
        MessageAttributes={"reason": {"DataType": "String", "StringValue": text}},
    )

"""Spill queue -> verify -> publish: events that could not be published when they came.

A record that still can't be verified or published waits (relay.queue). A record with an unknown
token, or without a request, goes to the dead-letter queue with its reason, where an operator looks
at it and sends it back. No record holds up another.
"""

import json
from collections.abc import Callable

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import BatchResponse, Client, SqsBatch, response
from relay.errors import NotOursError, RejectedRequestError, RelayError
from relay.event import Event
from relay.ingress.accept import accept, arrival_of, log_fields
from relay.ingress.publish import publish
from relay.ingress.robot_cache import RobotCache
from relay.ingress.tokens import TokenCache
from relay.queue import Unhandled, hand_back

logger = Logger(service="republish", location=None)
metrics = Metrics(service="republish")
token_cache = TokenCache()
robot_cache = RobotCache()

# Raised by a body that ingress did not write. Their texts may quote a token, so only the class is
# told.
_NO_REQUEST = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def handler(batch: SqsBatch, _context: object) -> BatchResponse:
    """Publish each record of an SQS batch; return those that must come back."""
    return republish(batch, token_cache, robot_cache, settings.client)


def republish(
    batch: SqsBatch,
    tokens: TokenCache,
    robots: RobotCache,
    client: Callable[[str], Client],
) -> BatchResponse:
    """Publish each record; return SQS's partial batch response."""
    unhandled: list[Unhandled] = []
    for record in map(SQSRecord, batch["Records"]):
        try:
            event = _event_of(record, tokens, robots)
            publish(event, client("sns"), alone=tokens.of_one_portal)
        except (RelayError, BotoCoreError, ClientError) as error:
            _count_refusal(error)
            unhandled.append(Unhandled(record, error))
        else:
            metrics.add_metric("published", MetricUnit.Count, 1)
            logger.info("published", extra=log_fields(event))
    waiting = hand_back(unhandled, logger, repeatable=True)
    metrics.add_metric("waiting", MetricUnit.Count, len(waiting))
    metrics.flush_metrics()
    return response(waiting)


def _event_of(record: SQSRecord, tokens: TokenCache, robots: RobotCache) -> Event:
    """Return the verified event of a spilled request; raises NotOursError, and what accept does."""
    try:
        request = json.loads(record.body)
        return accept(request, arrival_of(request), tokens, robots)
    except _NO_REQUEST as error:
        raise NotOursError(f"not a spilled request: {type(error).__name__}") from error


def _count_refusal(error: Exception) -> None:
    if isinstance(error, RejectedRequestError):
        metrics.add_metric(f"refused_{error.code}", MetricUnit.Count, 1)
    elif isinstance(error, NotOursError):
        metrics.add_metric("refused_malformed", MetricUnit.Count, 1)

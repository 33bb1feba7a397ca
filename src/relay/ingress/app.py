"""POST /bitrix24 -> receive -> verify -> publish.

Answers 200 published, 202 spilled and published later, 4xx refused, 503 nowhere to put it. The
sender never repeats an event: whatever can be stored is never answered with an error.
"""

# ruff: noqa: E402  the collector is off while modules load: nothing is garbage yet, and looking for
# it takes a tenth of the init time
import gc

gc.disable()

import json
import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.errors import (
    ConfigurationError,
    InvalidTokenError,
    NoTokensError,
    RejectedRequestError,
    StaleTokensError,
)
from relay.event import Event
from relay.ingress.form import Form, read_form
from relay.ingress.publish import publish, spill
from relay.ingress.recognise import event_name, to_event
from relay.ingress.tokens import TokenCache
from relay.ingress.verify import token_of, verify_token

logger = Logger(service="ingress")
metrics = Metrics(service="ingress")
cache = TokenCache()

AwsError = (BotoCoreError, ClientError)
MAX_EPOCH_MS = 253_402_300_800_000  # the year 10000: datetime ends there


def handler(request: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one API Gateway request."""
    metrics.add_metric("received", MetricUnit.Count, 1)
    try:
        return _receive(request, getattr(context, "aws_request_id", ""))
    finally:
        metrics.flush_metrics()


def _receive(request: Mapping[str, Any], invocation_id: str) -> dict[str, Any]:
    request_id, received_at = identity(request, invocation_id)
    try:
        form = read_form(request)
        name = event_name(form)
        try:
            event = _verified(form, request_id, received_at)
            publish(event)
        except (NoTokensError, *AwsError) as trouble:
            return _spill(request, request_id, received_at, name, trouble)
    except RejectedRequestError as refusal:
        metrics.add_metric(f"refused_{refusal.code}", MetricUnit.Count, 1)
        logger.info("refused", code=refusal.code, reason=str(refusal), request_id=request_id)
        return _answer(refusal.status, error=refusal.code, message=str(refusal))
    metrics.add_metric("published", MetricUnit.Count, 1)
    log_published(event)
    return _answer(200, id=event.event_id)


def _spill(
    request: Mapping[str, Any], request_id: str, received_at: float, name: str, trouble: Exception
) -> dict[str, Any]:
    try:
        spill(request, request_id, received_at)
    except AwsError as error:
        metrics.add_metric("lost", MetricUnit.Count, 1)
        logger.error(  # noqa: TRY400  the reasons say it, a traceback would say it again
            "lost",
            event_name=name,
            request_id=request_id,
            because=_reason(trouble),
            spill_error=_reason(error),
        )
        return _answer(503, error="unavailable", message="the event could not be stored")
    metrics.add_metric("spilled", MetricUnit.Count, 1)
    logger.warning("spilled", event_name=name, request_id=request_id, because=_reason(trouble))
    return _answer(202, id=request_id)


def identity(request: Mapping[str, Any], invocation_id: str = "") -> tuple[str, float]:
    """Return the gateway's id of a request and when it came, in seconds since 1970."""
    gateway = request.get("requestContext")
    gateway = gateway if isinstance(gateway, Mapping) else {}
    request_id, epoch_ms = gateway.get("requestId"), gateway.get("timeEpoch")
    received_at = time.time()
    if type(epoch_ms) is int and 0 < epoch_ms < MAX_EPOCH_MS:
        received_at = epoch_ms / 1000
    return request_id if request_id and isinstance(request_id, str) else invocation_id, received_at


def _verified(form: Form, request_id: str, received_at: float) -> Event:
    try:
        return verify(form, request_id, received_at)
    except StaleTokensError as trouble:
        if cache.doubt():
            raise
        raise InvalidTokenError(str(trouble)) from None


def verify(form: Form, request_id: str, received_at: float) -> Event:
    """Return the event of a verified form.

    Raises InvalidTokenError, NoTokensError where no token is stored or could be read, and
    StaleTokensError where an unknown token may have been stored since SSM answered last.
    """
    tokens, token = cache.tokens(), token_of(form)
    if not any(tokens.values()):
        missing = settings.missing_secrets(["application-tokens/<portal>"])
        raise NoTokensError(str(missing)) from cache.failed
    try:
        portal = verify_token(token, tokens)
    except InvalidTokenError as refusal:
        if cache.look_again():
            portal = verify_token(token, cache.tokens())
        elif cache.failed and token:
            raise StaleTokensError(str(refusal)) from cache.failed
        else:
            raise
    return to_event(form, portal, request_id, received_at)


def log_published(event: Event) -> None:
    """Log one line a published event, with nothing of its content."""
    logger.info(
        "published",
        event_id=event.event_id,
        event_name=event.name,
        portal=event.portal,
        subject=event.subject,
        sent_at=event.sent_at,
    )


def _reason(trouble: BaseException) -> str:
    cause = trouble.__cause__ or trouble
    return f"{type(cause).__name__}: {cause}"


def _answer(status: int, **body: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def warm_up() -> None:
    """Be ready for the first request: Lambda's init has a whole processor and no sender waits."""
    try:
        cache.tokens()
        settings.client("sns")
    except ConfigurationError as error:
        logger.error("not configured", reason=str(error))  # noqa: TRY400  a deploy's fault, not a line's


if settings.in_lambda():
    warm_up()
    gc.freeze()
gc.enable()

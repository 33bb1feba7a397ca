"""POST /bitrix24, GET or POST /robot/… -> receive -> verify -> publish.

Answers 200 published, 202 spilled and published later, 4xx refused, 503 could not be stored. The
sender never repeats an event: whatever can be stored is never answered with an error.
"""

# ruff: noqa: E402  the collector is off while modules load: nothing is garbage yet, and looking for
# it takes a tenth of the init time
import gc

gc.disable()

import json
from collections.abc import Callable

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import Client
from relay.errors import (
    ConfigurationError,
    InvalidTokenError,
    NoTokensError,
    RejectedRequestError,
    StaleTokensError,
)
from relay.event import Event
from relay.ingress.accept import Arrival, accept, arrival_of, log_fields
from relay.ingress.form import Request, read_form
from relay.ingress.publish import publish, spill
from relay.ingress.recognise import event_name
from relay.ingress.robot_cache import RobotCache
from relay.ingress.robots import ROUTE, is_robot_call
from relay.ingress.tokens import TokenCache

logger = Logger(service="ingress", location=None)
metrics = Metrics(service="ingress")
token_cache = TokenCache()
robot_cache = RobotCache()

type Answer = dict[str, int | str | dict[str, str]]


def handler(request: Request, context: object) -> Answer:
    """Answer one API Gateway request (payload format 2.0)."""
    arrival = arrival_of(request, getattr(context, "aws_request_id", ""))
    return receive(request, arrival, token_cache, robot_cache, settings.client)


def receive(
    request: Request,
    arrival: Arrival,
    tokens: TokenCache,
    robots: RobotCache,
    client: Callable[[str], Client],
) -> Answer:
    """Publish the event of a verified request, or spill the request; return the HTTP answer."""
    metrics.add_metric("received", MetricUnit.Count, 1)
    by_robot = is_robot_call(request)
    try:
        event = accept(request, arrival, tokens, robots)
        robots.learn(event)
        publish(event, client("sns"), alone=tokens.of_one_portal)
    except RejectedRequestError as refusal:
        return _refused(refusal, arrival, by_robot=by_robot)
    except (NoTokensError, BotoCoreError, ClientError) as trouble:
        secrets = robots if by_robot else tokens
        if isinstance(trouble, StaleTokensError) and not secrets.may_spill():
            return _refused(InvalidTokenError(str(trouble)), arrival, by_robot=by_robot)
        return _spill(request, arrival, trouble, client)
    else:
        return _published(event, arrival)
    finally:
        metrics.flush_metrics()


def _published(event: Event, arrival: Arrival) -> Answer:
    metrics.add_metric("published", MetricUnit.Count, 1)
    about = log_fields(event)
    if arrival.request_id != event.event_id:
        about["request_id"] = arrival.request_id
    logger.info("published", extra=about)
    return _answer(200, id=event.event_id)


def _refused(refusal: RejectedRequestError, arrival: Arrival, *, by_robot: bool) -> Answer:
    metrics.add_metric(f"refused_{refusal.code}", MetricUnit.Count, 1)
    about: dict[str, str] = {"code": refusal.code, "reason": str(refusal)}
    about["request_id"] = arrival.request_id
    if by_robot:
        metrics.add_metric("robots_refused", MetricUnit.Count, 1)
        about["route"] = ROUTE
    logger.info("refused", extra=about)
    return _answer(refusal.status, error=refusal.code, message=str(refusal))


def _spill(
    request: Request, arrival: Arrival, trouble: Exception, client: Callable[[str], Client]
) -> Answer:
    # Of an address that is not verified nothing is logged: its parts may be interchanged.
    name = "robot" if is_robot_call(request) else event_name(read_form(request))
    about: dict[str, str] = {
        "event_name": name,
        "request_id": arrival.request_id,
        "reason": _reason(trouble),
    }
    try:
        spill(request, arrival, client("sqs"))
    except (BotoCoreError, ClientError) as error:
        metrics.add_metric("lost", MetricUnit.Count, 1)
        logger.error("lost", spill_error=_reason(error), extra=about)  # noqa: TRY400  no traceback
        return _answer(503, error="unavailable", message="the event could not be stored")
    metrics.add_metric("spilled", MetricUnit.Count, 1)
    logger.warning("spilled", extra=about)
    return _answer(202, id=arrival.request_id)


def _reason(trouble: BaseException) -> str:
    cause = trouble.__cause__ or trouble
    return f"{type(cause).__name__}: {cause}"


def _answer(status: int, **body: str) -> Answer:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def warm_up() -> None:
    """Prepare the first request: Lambda's init has a whole processor, and no sender waits for it.

    Reads the tokens and makes the client of SNS; logs a missing setting.
    """
    try:
        token_cache.tokens()
        settings.client("sns")
    except ConfigurationError as error:
        logger.error("not configured", reason=str(error))  # noqa: TRY400  the deployment is wrong


if settings.in_lambda():
    warm_up()
    gc.freeze()
gc.enable()

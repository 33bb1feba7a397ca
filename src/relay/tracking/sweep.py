"""Every few minutes: differences that no event reported, for each portal, as hints for track."""

import asyncio
import time
import uuid
from collections.abc import Callable
from copy import deepcopy
from itertools import batched

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.aws_types import Context
from relay.errors import LostLeaseError, StateError
from relay.event import Event
from relay.tracking import wiring
from relay.tracking.commands import PAGE
from relay.tracking.event_times import is_silent
from relay.tracking.hint import to_message
from relay.tracking.parts import PartsSetting
from relay.tracking.schema_watch import SchemaStore, watch
from relay.tracking.sweep_pass import LEASE_SECONDS, Sweep
from relay.tracking.sweep_state import SweepDocument

DONE = "done"

logger = Logger(service="sweep", location=None)
metrics = Metrics(service="sweep")


def handler(_event: object, context: Context) -> dict[str, str]:
    """Sweep every portal that has a reading webhook; returns for each `done` or a reason."""
    portals = sorted(settings.secrets("webhook-urls/read"))
    remaining = wiring.deadline(context)
    outcomes = asyncio.run(_sweep_all(portals, remaining))
    # Without a portal there is nothing to be alarmed about.
    metrics.add_metric("swept", MetricUnit.Count, outcomes.count(DONE) if portals else 1)
    metrics.flush_metrics()
    return dict(zip(portals, outcomes, strict=True))


async def _sweep_all(portals: list[str], remaining: Callable[[], float]) -> list[str]:
    return await asyncio.gather(*(_guard(portal, remaining) for portal in portals))


async def _guard(portal: str, remaining: Callable[[], float]) -> str:
    """Sweep a portal; its errors become a reason, so that other portals are swept."""
    try:
        return await _sweep(portal, remaining)
    except LostLeaseError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  the next sweep continues from the last save
        reason = f"{type(error).__name__}: {error}"
        logger.warning("not finished", portal=portal, reason=reason)
        metrics.add_metric("unfinished", MetricUnit.Count, 1)
        return reason


async def _sweep(portal: str, remaining: Callable[[], float]) -> str:
    """Sweep a portal under its lease; raises the error that ended the sweep early."""
    owner, state = uuid.uuid4().hex, wiring.sweep_state()
    document = await asyncio.to_thread(state.acquire, portal, owner, time.time(), LEASE_SECONDS)
    if document is None:
        return "under way elsewhere"

    async def save(lease_seconds: float = LEASE_SECONDS) -> None:
        until = time.time() + lease_seconds if lease_seconds else 0
        as_now = deepcopy(document)  # other lists of the sweep change it meanwhile
        await asyncio.to_thread(state.save, portal, owner, as_now, until)

    sweep: Sweep | None = None
    try:
        sweep = Sweep(
            portal=portal,
            client=await asyncio.to_thread(wiring.portal, portal, remaining),
            mirror=wiring.mirror(),
            document=document,
            hint=lambda entity, ids, baseline: asyncio.to_thread(
                send_hints, portal, entity, ids, baseline=baseline
            ),
            save=save,
            setting=PartsSetting.parse(settings.read("PARTS")[0]),
            reconcile_days=float(settings.read("RECONCILE_DAYS")[0]),
            grace_seconds=float(settings.read("GRACE_SECONDS")[0]),
        )
        await sweep.run()
        await _watch_schema(portal, sweep)
    finally:
        # After LostLeaseError this raises it again: the other sweep's document stays.
        await save(0)
        await asyncio.to_thread(_report, portal, document, sweep)
    return DONE


async def _watch_schema(portal: str, sweep: Sweep) -> None:
    """Publish what became of a portal's fields and stages, once a day; a sweep does not need it."""
    kinds = [name for name, kind in sweep.document.kinds.items() if not kind.refused]
    try:
        (table,) = settings.read("STATE_TABLE")
        store = SchemaStore(settings.client("dynamodb"), table)
        number = await watch(portal, sweep.client, kinds, store, _publish)
    except Exception as trouble:  # noqa: BLE001  the next sweep tries again
        logger.warning("schema not watched", portal=portal, reason=str(trouble))
        return
    if number:
        logger.warning("schema changed", portal=portal, changes=number)


def _publish(event: Event) -> None:
    (topic,) = settings.read("EVENTS_TOPIC_ARN")
    settings.client("sns").publish(
        TopicArn=topic, Message=event.to_json(), MessageGroupId=event.portal
    )


def send_hints(portal: str, entity: str, ids: list[int], *, baseline: bool) -> None:
    """Put ids into track's queue, 50 a message; raises StateError for a message not accepted."""
    (queue_url,) = settings.read("TRACK_QUEUE_URL")
    messages = [
        to_message(portal, entity, page, baseline=baseline)
        for page in batched(ids, PAGE, strict=False)
    ]
    for group in batched(messages, 10, strict=False):  # SQS's limit
        answer = settings.client("sqs").send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(at), "MessageBody": body, "MessageGroupId": portal}
                for at, body in enumerate(group)
            ],
        )
        if answer.get("Failed"):
            raise StateError(f"SQS did not take {len(answer['Failed'])} messages of hints")


def _report(portal: str, document: SweepDocument, sweep: Sweep | None) -> None:
    """Log and count the sweep; raise an alarm if the portal's outgoing webhook seems dead."""
    hinted, refused = (sweep.hinted, sweep.refused) if sweep else (0, 0)
    for name, number in (("hinted", hinted), ("refused", refused)):
        if number:  # a metric costs by the hour in which it is reported
            metrics.add_metric(name, MetricUnit.Count, number)
    logger.info("swept %s", portal, baseline=document.progress(), hinted=hinted)
    hours = float(settings.read("SILENT_HOURS")[0])
    try:
        last_events = wiring.last_events().read(portal)
    except (BotoCoreError, ClientError) as error:  # an alarm must not end a sweep
        logger.warning("events not read", portal=portal, reason=str(error))
        return
    if is_silent(last_events, time.time(), hours):
        logger.error("%s: changes, but not one event; is its outgoing webhook off?", portal)
        metrics.add_metric("silent", MetricUnit.Count, 1)

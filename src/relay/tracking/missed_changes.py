"""What was announced, counted, and what events should have announced and had not."""

import time
from collections.abc import Sequence

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from relay.change import Change
from relay.tracking import wiring
from relay.tracking.event_times import MISSED, is_subscribed
from relay.tracking.hint import SWEEP

SEEN_SECONDS = 60
# A funnel move raises no event for an outgoing webhook (rest-protocol section 15).
FUNNEL = "categoryId"

logger = Logger(service="announce")
metrics = Metrics(service="announce")
_seen: dict[str, tuple[float, dict[str, float]]] = {}


def count(announced: Sequence[Change]) -> None:
    """Count what was announced, and what events should have announced and had not."""
    metrics.add_metric("announced", MetricUnit.Count, len(announced))
    for change in announced:
        what = f" {', '.join(change.changed)}" * (change.action == "updated")
        logger.info(
            "%s",
            f"{change.entity} {change.id} {change.action}{what}, {change.via}",
            change_id=change.change_id,
            portal=change.portal,
        )
    missed: dict[str, int] = {}
    now = time.time()
    for change in announced:
        moved = change.action == "updated" and FUNNEL in change.changed
        if change.via == SWEEP and not moved:
            subscribed = is_subscribed(_events(change.portal), change.entity, now)
            missed[change.portal] = missed.get(change.portal, 0) + subscribed
    for portal, number in missed.items():
        if number:
            metrics.add_metric("MissedChanges", MetricUnit.Count, number)
            wiring.seen().note(portal, {MISSED}, now)


def _events(portal: str) -> dict[str, float]:
    read_at, seen = _seen.get(portal, (float("-inf"), {}))
    if time.monotonic() - read_at >= SEEN_SECONDS:
        seen = wiring.seen().read(portal)
        _seen[portal] = time.monotonic(), seen
    return seen

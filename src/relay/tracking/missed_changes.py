"""Metrics of announce: Changes published, and Changes that an event should have reported."""

import time
from collections import Counter
from collections.abc import Sequence

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from relay.change import Change
from relay.tracking import wiring
from relay.tracking.event_times import MISSED, is_subscribed
from relay.tracking.hint import SWEEP

CACHE_SECONDS = 60
# A move to another funnel raises no event for an outgoing webhook (rest-protocol section 15).
FUNNEL = "categoryId"

metrics = Metrics(service="announce")
_last_events: dict[str, tuple[float, dict[str, float]]] = {}


def count(announced: Sequence[Change]) -> None:
    """Count the published Changes, and those that an event should have reported."""
    metrics.add_metric("announced", MetricUnit.Count, len(announced))
    missed: Counter[str] = Counter()
    now = time.time()
    for change in announced:
        is_update = change.action == "updated"
        if change.via == SWEEP and not (is_update and FUNNEL in change.changed):
            times = _event_times(change.portal)
            missed[change.portal] += is_subscribed(times, change.entity, now)
    for portal, number in missed.items():
        if number:
            metrics.add_metric("MissedChanges", MetricUnit.Count, number)
            wiring.last_events().note(portal, {MISSED}, now)


def _event_times(portal: str) -> dict[str, float]:
    """Return when events of each kind came last, cached for a minute."""
    read_at, times = _last_events.get(portal, (float("-inf"), {}))
    if time.monotonic() - read_at >= CACHE_SECONDS:
        times = wiring.last_events().read(portal)
        _last_events[portal] = time.monotonic(), times
    return times

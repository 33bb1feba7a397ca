"""Which lists a sweep goes through, and what it knows when they are done. Pure.

A portal's document:
  entities  {name: {"baseline": "reading" | "done", "swept": W, "top": highest id listed,
             "seen": items, "lacking": those without a row, "stalled": no fewer than last time,
             "audited", "reconciled": when, "refused": true}}
  jobs      the lists that are not finished: a killed sweep is continued, not begun anew
  asked     when the portal was asked for its types
  shift     {"crm" | "task": [seconds to add to a time in a filter, when that was measured]}
  offset    of the portal's time zone, seconds
  ahead     how far our clock is ahead of the portal's, seconds

All times are the portal's: its clock may be hours off. Only `asked` is ours.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from relay.tracking.filter_offset import UNKNOWN_SECONDS, time_filter_of

# An item's time of change is taken before its change can be seen; clocks differ; and one of the
# two time zones that a filter depends on may have changed its offset since it was measured.
OVERLAP_SECONDS = 300 + 3600
DAY_SECONDS = 24 * 3600
# Ids below the highest that may not have been there yet when it was listed; and canaries: if all
# of them are missing, the webhook's owner has lost rights. Fits into the page that is asked for.
TAIL = 20

type Document = dict[str, Any]
type Job = dict[str, Any]

BASELINE, COMPLETION, RECONCILE, AUDIT = "baseline", "completion", "reconcile", "audit"
CHANGED, NEW = "changed", "new"
REFUSED = "refused"


def plan(document: Document, clock: datetime, reconcile_days: float) -> list[Job]:
    """Return the lists of a new sweep; `clock` is about the portal's, at its offset.

    Each job gets its `clock`, the portal's at the start of the sweep, when that is known.
    """
    jobs: list[Job] = []
    now = clock.timestamp()
    for name, entity in document["entities"].items():
        if entity.get("refused"):
            continue
        job = {
            "entity": name,
            "after": 0,
            "since": None,
            "found": 0,
            "lacking": 0,
            "top": 0,
        }
        if "baseline" not in entity:
            jobs.append(job | {"mode": BASELINE})
        elif entity["baseline"] != "done":
            jobs.append(job | {"mode": COMPLETION, "again": entity.get("stalled", False)})
        elif now - entity.get("reconciled", 0) >= reconcile_days * DAY_SECONDS:
            jobs.append(job | {"mode": RECONCILE})
        elif now - entity.get("audited", 0) >= DAY_SECONDS:
            jobs.append(job | {"mode": AUDIT})
        else:
            since = _since(document, name, entity["swept"], clock)
            tail = max(entity.get("top", 0) - TAIL, 0)
            jobs.append(job | {"mode": CHANGED, "since": since, "upto": tail})
            jobs.append(job | {"mode": NEW, "after": tail})
    return jobs


def _since(document: Document, entity: str, swept: float, clock: datetime) -> str:
    seconds, _ = document.get("shift", {}).get(time_filter_of(entity), (UNKNOWN_SECONDS, 0))
    since = datetime.fromtimestamp(int(swept - OVERLAP_SECONDS + seconds), UTC)
    return since.astimezone(timezone(clock.utcoffset() or timedelta())).isoformat()


def finish(document: Document, jobs: list[Job]) -> None:
    """Note what is known once all lists of a sweep are done and their hints accepted."""
    for job in jobs:
        entity, mode = document["entities"][job["entity"]], job["mode"]
        if entity.get("refused"):
            continue  # its time stays: what changes meanwhile is found when it is back
        if mode != CHANGED:
            # Nor the mirror's highest: an event, or an edit, may show an item from far above an
            # import of which nothing else is known yet.
            entity["top"] = max(entity.get("top", 0), job["top"])
        if mode == BASELINE:
            # Changes from here on are found by the first sweep after it.
            entity |= {"baseline": "reading", "swept": job["clock"], "seen": job["found"]}
        elif mode == COMPLETION:
            if not job["lacking"]:
                entity |= {"baseline": "done", "audited": job["clock"], "reconciled": job["clock"]}
            stalled = entity.get("lacking") == job["lacking"]
            entity |= {"seen": job["found"], "lacking": job["lacking"], "stalled": stalled}
        else:
            entity["swept"] = job["clock"]
            if mode in {AUDIT, RECONCILE}:
                entity["audited"] = job["clock"]
            if mode == RECONCILE:
                entity["reconciled"] = job["clock"]


def set_types(document: Document, names: set[str], now: float) -> None:
    """Take in which kinds of items there are; what is known of the others stays for later."""
    entities = document.setdefault("entities", {})
    for name in sorted(names):
        entities.setdefault(name, {}).pop("refused", None)
    for name, entity in entities.items():
        if name not in names:
            entity["refused"] = True
    document["asked"] = now


def is_baselined(document: Document, entity: str) -> bool:
    """Say whether the first filling of a kind is complete: every item had its first sight."""
    return bool(document.get("entities", {}).get(entity, {}).get("baseline") == "done")


def progress(document: Document) -> dict[str, str]:
    """Return how far each kind's baseline is, in words."""
    said = {}
    for name, entity in document.get("entities", {}).items():
        if entity.get("refused"):
            said[name] = REFUSED
        elif entity.get("baseline") == "done":
            said[name] = "done"
        else:
            seen = entity.get("seen", 0)
            said[name] = f"{seen - entity.get('lacking', seen)} of {seen}"
    return said

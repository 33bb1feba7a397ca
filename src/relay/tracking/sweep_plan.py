"""Which lists a sweep reads, which of their ids track must read, and what is noted then. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone

from relay.tracking.filter_offset import UNKNOWN_SECONDS, time_filter_of
from relay.tracking.parts import UNHINTED, PartsSetting
from relay.tracking.row import ITEM, Key, RowHead
from relay.tracking.sweep_lists import Listed, epoch
from relay.tracking.sweep_state import (
    AUDIT,
    BASELINE,
    CHANGED,
    COMPLETION,
    DONE,
    NEW,
    READING,
    RECONCILE,
    KindProgress,
    ListJob,
    SweepDocument,
)

# An item's time of change is taken before its change can be listed; clocks differ; and one of the
# two time zones that a filter depends on may have changed its offset since it was measured.
OVERLAP_SECONDS = 300 + 3600
DAY_SECONDS = 24 * 3600
SETTLED_SECONDS = 2  # times have whole seconds: a second edit within it would not show
# Ids below the highest that may not have been there yet when it was listed; and canaries: if all
# of them are missing, the webhook's owner has lost rights. Fits into the page that is asked for.
TAIL = 20


def plan(
    document: SweepDocument, clock: datetime, reconcile_days: float, setting: PartsSetting
) -> list[ListJob]:
    """Return the lists of a new sweep; `clock` is about the portal's, in its time zone."""
    jobs: list[ListJob] = []
    now = clock.timestamp()
    for name, kind in document.kinds.items():
        if kind.refused:
            continue
        wanted = setting.of(name)
        parts = " ".join(sorted(wanted))
        if kind.baseline is None:
            jobs.append(ListJob(name, BASELINE, parts=parts))
        elif kind.baseline != DONE:
            jobs.append(ListJob(name, COMPLETION, hint_missing=kind.no_progress))
            if kind.no_progress:  # an item that can't be read does not end the kind's sweeps
                jobs += _of_changes(document, name, clock)
        elif (
            _is_due(kind.reconciled_at, now, reconcile_days)
            or wanted - set(kind.parts.split())  # switched on since: all rows get them
        ):
            jobs.append(ListJob(name, RECONCILE, parts=parts))
        elif _is_due(kind.audited_at, now, 1):
            mode = RECONCILE if wanted & UNHINTED else AUDIT
            jobs.append(ListJob(name, mode, parts=parts))
        else:
            jobs += _of_changes(document, name, clock)
    return jobs


def _of_changes(document: SweepDocument, entity: str, clock: datetime) -> list[ListJob]:
    kind = document.kinds[entity]
    tail = max(kind.highest_id - TAIL, 0)
    since = _since(document, entity, kind.swept_at, clock)
    return [
        ListJob(entity, CHANGED, since=since, up_to_id=tail),
        ListJob(entity, NEW, after=tail),
    ]


def _is_due(last: float, now: float, days: float) -> bool:
    """Say whether a list is so many days old, or was dated by a clock that was far ahead."""
    return now - last >= days * DAY_SECONDS or last - now > DAY_SECONDS


def _since(document: SweepDocument, entity: str, swept_at: float, clock: datetime) -> str:
    """Return the time for a filter that leaves out no change since `swept_at`."""
    unknown = (UNKNOWN_SECONDS, 0.0)
    seconds, _ = document.filter_offsets.get(time_filter_of(entity), unknown)
    since = datetime.fromtimestamp(int(swept_at - OVERLAP_SECONDS + seconds), UTC)
    return since.astimezone(timezone(clock.utcoffset() or timedelta())).isoformat()


def finish(document: SweepDocument, jobs: Iterable[ListJob]) -> None:
    """Note the progress of kinds whose lists are all done and whose hints are accepted."""
    for job in jobs:
        kind, started_at = document.kinds[job.entity], job.started_at or 0
        if kind.refused:  # its times stay: a change meanwhile is found when it is back
            continue
        if job.mode != CHANGED:
            # Not the mirror's highest id either: an event, or an edit, may show an item from far
            # above an import of which nothing else was listed yet.
            kind.highest_id = max(kind.highest_id, job.highest_id)
        if job.mode not in {CHANGED, NEW}:
            kind.item_count = job.item_count
        if job.mode == BASELINE:
            # Changes from here on are found by the first sweep after the baseline.
            kind.baseline, kind.swept_at = READING, started_at
            kind.parts = job.parts
        elif job.mode == COMPLETION:
            if not job.missing_rows:
                kind.baseline, kind.audited_at, kind.reconciled_at = DONE, started_at, started_at
            kind.no_progress = kind.missing_rows == job.missing_rows
            kind.missing_rows = job.missing_rows
        else:
            kind.swept_at = started_at
        if job.mode in {AUDIT, RECONCILE}:
            kind.audited_at = started_at
        if job.mode == RECONCILE:
            kind.reconciled_at, kind.parts = started_at, job.parts


def set_kinds(document: SweepDocument, names: set[str], now: float) -> None:
    """Note which kinds the portal offers; the progress of the others stays for their return."""
    for name in sorted(names):
        document.kinds.setdefault(name, KindProgress())
    for name, kind in document.kinds.items():
        kind.refused = name not in names
        kind.steps_refused = False
    document.types_asked_at = now


def ids_to_hint(
    job: ListJob,
    listed: Mapping[Key, Listed],
    rows: Mapping[Key, RowHead],
    young: float,
    ahead: float,
) -> list[int]:
    """Return the ids that track must read, ids of deleted items perhaps among them.

    `rows` are the mirror's in the same range of ids. Changes after `young` (the portal's clock)
    are left to their events; `ahead` is how many seconds our clock is ahead of the portal's.
    """
    if job.mode == COMPLETION:
        missing = listed.keys() - rows.keys() if job.hint_missing else set()
        return sorted(key.id for key in missing if epoch(listed[key].updated) <= young)
    suspects = {
        key
        for key, item in listed.items()
        if job.mode in {BASELINE, RECONCILE}
        or _differs(job.mode, item, rows.get(key), young, ahead)
    }
    if job.mode == AUDIT:
        # Product rows that are replaced by others of the same total move no time.
        # Nor do contacts that are merged move the time of their deals.
        suspects |= {
            key
            for key, item in listed.items()
            if (row := rows.get(key)) and (row.row_count or _is_relinked(item, row))
        }
    if job.mode not in {CHANGED, BASELINE}:
        suspects |= {key for key, row in rows.items() if key not in listed and row.kind == ITEM}
    return sorted(key.id for key in suspects)


def _is_relinked(item: Listed, row: RowHead) -> bool:
    """Say whether an item has another contact or company than its row, where both show them."""
    return bool(item.links and row.links) and item.links != row.links


def _differs(mode: str, item: Listed, row: RowHead | None, young: float, ahead: float) -> bool:
    """Say whether a listed item may differ from its row."""
    updated = epoch(item.updated)
    if mode in {CHANGED, NEW} and updated > young:
        return False
    if row is None or row.kind != ITEM or row.updated != item.updated:
        return True
    return row.read_at - ahead < updated + SETTLED_SECONDS

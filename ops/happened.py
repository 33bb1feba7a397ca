"""The Changes of a time, put together again from the history, in the order of their versions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import batched

from ops.past import Past
from ops.progress import Progress
from ops.selection import changes_between
from ops.swept import check_swept
from ops.timeline import GapError, Step, Timeline
from relay.change import Change, is_volatile
from relay.history import FORGOTTEN, PastChange, keys_of
from relay.kinds import TASK, kind_of
from relay.tracking.difference import difference, fit_message
from relay.tracking.projection import Form
from relay.tracking.row import Key, Row

READ = 100  # BatchGetItem's limit
THREADS = 8  # requests at once


class Happened:
    """What happened in a portal since a time: `gaps` says by item what is not known."""

    def __init__(self, past: Past, portal: str, since: float, now: float) -> None:
        self.gaps: dict[str, str] = {}
        self._past, self._now = past, now
        self.rows = changes_between(past, portal, since, now)
        self._rows: dict[Key, list[PastChange]] = defaultdict(list)
        for one in reversed(self.rows):
            self._rows[key_of_change(one)].append(one)
        self.timelines = dict(self._load())

    def check(self, portal: str) -> None:
        """Exit where nothing happened because no such portal ever was."""
        if not self.timelines:
            check_swept(self._past.dynamodb, self._past.stack, portal)

    def _load(self) -> Iterator[tuple[Key, Timeline]]:
        progress = Progress("items read")
        with ThreadPoolExecutor(THREADS) as threads:
            pages = threads.map(self._past.rows, batched(self._rows, READ, strict=False))
            for at, page in enumerate(pages):
                progress.at(at * READ, len(self._rows))
                for row in page:
                    timeline = Timeline(row.key, row, _of_life(row, self._rows[row.key]), 0.0)
                    yield row.key, self._fresh(timeline)

    def _fresh(self, timeline: Timeline) -> Timeline:
        """Return a timeline to which a change that came meanwhile is added."""
        if timeline.row.read_at <= self._now:
            return timeline
        return self._past.timeline(timeline.key)

    def changes(self, until: float) -> list[Change]:
        """Return the Changes up to a time, by time, then by version."""
        found: list[Change] = []
        for timeline in self.timelines.values():
            try:
                found += self._of(timeline, until)
            except GapError as gap:
                self.gaps[timeline.item] = str(gap)
        return sorted(found, key=lambda one: (one.time, one.version))

    def _of(self, timeline: Timeline, until: float) -> Iterable[Change]:
        wanted = {one.change_id for one in self._rows[timeline.key] if one.at <= until}
        for step in timeline.steps():
            if step.past.change_id in wanted and step.past.action != FORGOTTEN:
                yield change_of_step(step)


def _of_life(row: Row, rows: Iterable[PastChange]) -> list[PastChange]:
    return [
        one
        for one in rows
        if keys_of(one.change_id)[1].startswith(f"{row.born}.") and one.version <= row.seq
    ]


def key_of_change(past: PastChange) -> Key:
    """Return the item of a change."""
    portal, entity, number, *_ = past.change_id.split(".")
    return Key(portal, entity, int(number))


def change_of_step(step: Step) -> Change:
    """Return the Change as it was announced, but for fields that follow edits: they are unknown."""
    past, key = step.past, key_of_change(step.past)
    after = _settled(key, step.after, past)
    before, changed = dict(past.before or {}), sorted(past.before or {})
    if past.action == "added":
        before, changed = {}, difference({}, after)
    elif past.action == "deleted":
        changed = []
    return fit_message(
        Change(
            change_id=past.change_id,
            portal=key.portal,
            entity=key.entity,
            entity_type_id=kind_of(key.entity).entity_type_id,
            id=str(key.id),
            action=past.action,
            version=past.version,
            time=datetime.fromtimestamp(past.at, UTC).isoformat(timespec="milliseconds"),
            origin=past.origin,
            via=past.via,
            changed=tuple(changed),
            before=before,
            steps=tuple(past.steps),
            passed=past.passed,
            after=after | {name: None for name in changed if name not in after and step.after},
        )
    )


def _settled(key: Key, state: Form | None, past: PastChange) -> Form:
    """Return a state without the fields that follow edits, but with who saved it last."""
    if state is None:
        return {}
    name = "changedBy" if key.entity == TASK else "updatedBy"
    saved_by: Form = {}
    if past.saved_by.isdecimal():
        saved_by[name] = past.saved_by if key.entity == TASK else int(past.saved_by)
    return {one: value for one, value in state.items() if not is_volatile(one)} | saved_by

"""An item's past: the mirror's row, and the history's rows laid over it, the newest first.

Each row bears a checksum of the state after it. Where a state does not fit, a change is missing in
between: nothing before that is told, for it would be a guess.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.deployed import Deployed
from relay.change import is_volatile
from relay.errors import NotOursError
from relay.history import FORGOTTEN, History, PastChange, keys_of, state_before
from relay.tracking.projection import FORMAT, Form
from relay.tracking.remember import checksum
from relay.tracking.row import UNREADABLE, Key, Row

DAY_SECONDS = 24 * 3600
JUST_NOW_SECONDS = 60  # announce is seconds behind the mirror


class GapError(Exception):
    """Raised where a state of the past is not known; the text says why, and what to do."""


@dataclass(frozen=True)
class Step:
    """A change with the item before and after it; None where there was no item."""

    past: PastChange
    before: Form | None
    after: Form | None


@dataclass(frozen=True)
class Timeline:
    """What is known of one item; `rows` are those of the mirror row's life, the newest first."""

    key: Key
    row: Row
    rows: list[PastChange]
    begins: float  # from then on (epoch s) the history has each change

    @property
    def item(self) -> str:
        """The item as people write it, `deal/662`."""
        return f"{self.key.entity}/{self.key.id}"

    @property
    def state(self) -> Form | None:
        """The item as it was read last, None if it is deleted."""
        return self.row.form

    def steps(self) -> Iterator[Step]:
        """Yield the changes with the states around them; raises GapError at the first gap."""
        for past, state in self._states():
            self._check_kept(past)
            yield Step(past, state_before(state or {}, past), state)

    def at(self, moment: float) -> Form | None:
        """Return the item as it was read last at a time, None if there was none; raises GapError.

        Fields that follow edits, or move without one, are left out.
        """
        state = self.state
        if not self.rows and self.row.read_at > moment:
            self._check_recent()
        if not self.rows or self.rows[-1].at > moment:
            self._check_beginning(moment)
        for past, after in self._states():
            if past.at <= moment:
                state = after
                break
            self._check_kept(past)
            state = state_before(after or {}, past)
        if state is None:
            return None
        return {name: value for name, value in state.items() if not is_volatile(name)}

    def _states(self) -> Iterator[tuple[PastChange, Form | None]]:
        """Yield the changes with the states after them; raises GapError at the first gap."""
        state, newer = self.state, None
        for past in self.rows:
            self._check(past, newer, state)
            yield past, state
            state, newer = state_before(state or {}, past), past

    def version_at(self, moment: float) -> PastChange | None:
        """Return the last change up to a time, None if there was none."""
        return next((past for past in self.rows if past.at <= moment), None)

    def _check(self, past: PastChange, newer: PastChange | None, state: Form | None) -> None:
        same_format = past.format == FORMAT == self.row.format
        if past.state and same_format and checksum(state or {}) not in {past.state, ""}:
            until = newer.at if newer else self.row.read_at
            raise GapError(
                f"a change of {self.item} between {shown_time(past.at)} and {shown_time(until)} is "
                "not in the history; if that was just now, ask again in a minute; otherwise "
                "`make dead` shows whether it could not be announced"
            )

    def _check_kept(self, past: PastChange) -> None:
        if past.action == FORGOTTEN:
            raise GapError(f"what {self.item} was before {shown_time(past.at)} was forgotten")

    def _check_recent(self) -> None:
        if self.row.seq > 1 and time.time() - self.row.read_at < JUST_NOW_SECONDS:
            raise GapError(
                f"{self.item} was read a moment ago, and a change may still be on its way into the "
                "history; ask again in a minute"
            )

    def _check_beginning(self, moment: float) -> None:
        oldest = self.rows[-1] if self.rows else None
        is_added = oldest is not None and oldest.before is None
        begins = self.begins if is_added else max(self.begins, born_at(self.row))
        if moment < begins:
            raise GapError(
                f"the history of {self.item} begins on {shown_time(begins)}; nothing older is kept"
            )


def born_at(row: Row) -> float:
    """Return when the mirror first had an item (epoch s), from its row's birth mark."""
    return int(row.born[:-4] or "0", 16) / 1000


def shown_time(moment: float) -> str:
    """Return a time as people read it, in the machine's time zone, with its offset."""
    local = datetime.fromtimestamp(moment).astimezone()
    return local.isoformat(sep=" ", timespec="seconds")


class Past:
    """The past of a deployed stack's items."""

    def __init__(self, dynamodb: Any, stack: Deployed) -> None:
        self.history_table, self.mirror_table = stack.resource("History"), stack.resource("Mirror")
        self.dynamodb = dynamodb
        self.history = History(dynamodb, self.history_table)
        self._begins: float | None = None
        self._days = int(stack.parameters.get("HistoryDays", "0"))

    def begins(self) -> float:
        """Return from when on (epoch s) the history has each change; asks AWS once."""
        if self._begins is None:
            self._begins = self._ask_begins()
        return self._begins

    def _ask_begins(self) -> float:
        table = self.dynamodb.describe_table(TableName=self.history_table)["Table"]
        made: float = table["CreationDateTime"].timestamp()
        return max(made, time.time() - self._days * DAY_SECONDS) if self._days else made

    def row(self, key: Key) -> Row:
        """Return the mirror's row of an item; exits where it never had the item."""
        found = self.dynamodb.get_item(
            TableName=self.mirror_table, Key=key.to_item(), ConsistentRead=True
        )
        if "Item" not in found:
            raise SystemExit(
                f"{key.entity}/{key.id} was never read from portal {key.portal}: is the number "
                "right, and PORTAL=…?"
            )
        return Row.of(found["Item"])

    def rows(self, keys: Sequence[Key]) -> Iterator[Row]:
        """Yield the mirror's rows of at most 100 items; items that it never had are left out."""
        ask: dict[str, Any] = {
            self.mirror_table: {"Keys": [key.to_item() for key in keys], "ConsistentRead": True}
        }
        while ask:
            answer = self.dynamodb.batch_get_item(RequestItems=ask)
            yield from map(Row.of, answer["Responses"].get(self.mirror_table, []))
            ask = answer.get("UnprocessedKeys") or {}

    def timeline(self, key: Key) -> Timeline:
        """Return what is known of an item; exits where the mirror never had it."""
        row = self.row(key)  # first: rows that come meanwhile are left out below
        rows = [
            past
            for past in self.history.of_item(key.portal, f"{key.entity}/{key.id}")
            if keys_of(past.change_id)[1].partition(".")[0] == row.born and past.version <= row.seq
        ]
        return Timeline(key, row, rows, self.begins())

    def change(self, change_id: str) -> tuple[Key, int]:
        """Return the item and the version of a change's id; exits where it is no such id."""
        try:
            keys_of(change_id)
        except NotOursError as wrong:
            raise SystemExit(str(wrong)) from None
        portal, entity, number, _, version = change_id.split(".")
        return Key(portal, entity, int(number)), int(version)


def is_unreadable(row: Row) -> bool:
    """Say whether the portal no longer lets the item be read; the row has what it last was."""
    return row.kind == UNREADABLE

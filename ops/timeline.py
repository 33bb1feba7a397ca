"""An item's past: the mirror's row, and the history's rows laid over it, the newest first.

Each row bears a checksum of the state after it. Where a state does not fit, a change is missing in
between: states before that are not shown: they would be guesses.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.change import is_volatile
from relay.history import FORGOTTEN, PastChange, state_before
from relay.tracking.clock_change import Shift, moved_form
from relay.tracking.projection import FORMAT, Form
from relay.tracking.remember import checksum
from relay.tracking.row import UNREADABLE, Key, Row

JUST_NOW_SECONDS = 60  # announce is seconds behind the mirror
# None first, then daylight saving time of the portal's server, of the webhook's user, of both.
HOURS = (timedelta(), timedelta(hours=1), timedelta(hours=-1))
# Times of user fields move as all others, or stay (`USE_TIMEZONE` N).
SHIFTS = [
    (Shift(days, times), Shift(days, of_user_fields))
    for times in HOURS
    for days in HOURS
    for of_user_fields in {times, HOURS[0]}
]


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
            state = self._fitting(past, newer, state)
            yield past, state
            state, newer = state_before(state or {}, past), past

    def version_at(self, moment: float) -> PastChange | None:
        """Return the last change up to a time, None if there was none."""
        return next((past for past in self.rows if past.at <= moment), None)

    def _fitting(
        self, past: PastChange, newer: PastChange | None, state: Form | None
    ) -> Form | None:
        """Return the state after a change; raises GapError where it does not fit its checksum.

        Clocks may have changed since, which moves days and times without a change.
        """
        if not past.state or not past.format == FORMAT == self.row.format:
            return state
        for shift, of_user_fields in SHIFTS:
            earlier = moved_form(state or {}, shift, of_user_fields) if any(shift) else state
            if checksum(earlier or {}) in {past.state, ""}:
                return earlier
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


def is_unreadable(row: Row) -> bool:
    """Say whether the portal no longer lets the item be read; the row has what it last was."""
    return row.kind == UNREADABLE

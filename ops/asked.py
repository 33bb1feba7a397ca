"""What operators ask for: an item (`deal/662`), a moment (`2026-03-01`, `7d`)."""

import difflib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import typer

from relay.field_names import plain
from relay.kinds import KINDS, kind_of
from relay.tracking.row import MOST_ID, Key

MISSPELT = 0.88  # the share of equal letters: `oportunity`, but not `begindateShort`
ITEM = re.compile(r"(\w+)/(\d{1,19})")
AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

ItemName = Annotated[str, typer.Option(help="The item, deal/662", metavar="KIND/ID")]
Moment = Annotated[str, typer.Option(help="2026-03-01, 2026-03-01T09:30, or 7d ago")]


def resembling(name: str, names: Iterable[str], share: float = MISSPELT) -> str:
    """Return the one of these names that a name may be meant for; empty where it is one itself."""
    spellings = {plain(one): one for one in names}
    close = difflib.get_close_matches(plain(name), spellings, 1, share)
    return spellings[close[0]] if close and name not in spellings.values() else ""


def meant(name: str, names: Iterable[str]) -> str:
    """Return what may be meant, as the end of a sentence: `; did you mean stageId?`, or nothing."""
    found = resembling(name, names)
    return f"; did you mean {found}?" if found else ""


def key_of(portal: str, item: str) -> Key:
    """Return the key of an item that was asked for; exits where it is none."""
    found = ITEM.fullmatch(item.strip())
    kinds = ", ".join([*KINDS, "dynamic_<number>"])
    if not found or not 0 < int(found[2]) <= MOST_ID:
        raise SystemExit(f"{item!r} is no item: ITEM=deal/662, with one of {kinds}")
    try:
        kind_of(found[1])
    except KeyError:
        raise SystemExit(f"the mirror has no kind {found[1]!r}: it is one of {kinds}") from None
    return Key(portal, found[1], int(found[2]))


def moment_of(text: str, name: str = "AT") -> float:
    """Return a moment (epoch s); exits where it is none, or in the future.

    A time without an offset is this machine's.
    """
    now = datetime.now().astimezone()
    if ago := AGO.fullmatch(text.strip()):
        return (now - timedelta(**{UNITS[ago[2]]: int(ago[1])})).timestamp()
    try:
        moment = datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise SystemExit(
            f"{name}={text} is no moment: write {name}=2026-03-01, {name}=2026-03-01T09:30 or "
            f"{name}=7d"
        ) from None
    if moment > now.timestamp():
        raise SystemExit(f"{name}={text} is in the future")
    return moment

"""Compares the value that a reaction wrote with the value that was read. Pure.

This module has no table of field types. The read value decides how a written one is compared: with
a number as a number, with a time as a time. A text must be the same text: `1e3` is not `1000`, and
a tax number keeps all of its digits and leading zeros. In doubt two values are different.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256

SHORT = 64  # characters of a value that is noted as it is; of a longer one the digest is noted
DIGEST = "$sha256"
DAYS = frozenset({"begindate", "closedate", "actualdate", "birthdate"})  # a portal drops the time
_PLAIN = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_NUMBER = re.compile(_PLAIN)
_MONEY = re.compile(rf"({_PLAIN})\|([A-Z]{{3}})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ZONED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_READ_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")  # projection's
# The portal's own yes/no fields, as plain names. A user field may be a text that says `N`.
_FLAG = re.compile(
    r"is[a-z]+|has[a-z]+|opened|closed|export|favorite|multitask|taskcontrol|addinreport"
    r"|matchworktime|allow(changedeadline|timetracking)"
)
# Fields that hold the number of something: 0 is how they are emptied.
_LINK = re.compile(
    r"(company|contact|lead|deal|quote|mycompany|webform|location|group|parent|assignedby"
    r"|responsible)id|parentid[0-9]+"
)
_YES, _NO = {"y", "1", "true"}, {"n", "0", "false"}
_CENT, _MOST = Decimal("0.01"), 10**15
# Zones from -09:45 to +14:00: within 24 hours, so that a midnight has one day.
_EAST = timedelta(hours=14)
_QUARTER = timedelta(minutes=15)
_DAY_LONG = timedelta(days=1)


def short(value: object) -> object:
    """Return a written value as it is noted: itself, or the digest of a longer one."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= SHORT else {DIGEST: _digest(value)}


def is_same(name: str, noted: object, read: object, midnights: Collection[str] = ()) -> bool:
    """Return whether a field's noted value is the read one, which the projection has spelled.

    `name` is a plain name; `midnights` are the times of day, in UTC, at which the portal's days
    begin.
    """
    if isinstance(noted, Mapping):
        if DIGEST in noted:
            return read is not None and bool(noted[DIGEST] == _digest(read))
        noted = list(noted.values())
    if not isinstance(noted, list):
        return _is_one(name, noted, read, midnights)
    left = [value for value in noted if value not in (None, "")]
    rows = read if isinstance(read, list) else [] if read is None else None
    if rows is None or len(rows) != len(left):
        return False
    for row in rows:
        found = next((at for at, one in enumerate(left) if _is_one(name, one, row, ())), None)
        if found is None:
            return False
        del left[found]
    return True


def moment(value: object) -> datetime | None:
    """Return the time that a reading holds, None where it holds none."""
    if not isinstance(value, str) or not _READ_TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _digest(value: object) -> str:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        value = json.dumps(sorted(str(one) for one in value if one not in (None, "")))
    return sha256(str(value).encode("utf-8", "replace")).hexdigest()[:32]


def _is_one(name: str, noted: object, read: object, midnights: Collection[str]) -> bool:
    """Compare single values."""
    if read is None:
        no = str(noted).lower()
        return (
            noted is None
            or noted is False
            or noted == ""
            or (no == "0" and _LINK.fullmatch(name) is not None)
            or (no in _NO and _FLAG.fullmatch(name) is not None)
        )
    if isinstance(read, bool):
        return str(noted).lower() in _YES
    if isinstance(noted, bool):
        return read in (("Y", 1) if noted else ("N", 0))
    if isinstance(read, int | float):
        return _is_number(name, noted, read)
    if isinstance(noted, int | float):
        noted = str(int(noted) if float(noted).is_integer() else noted)
    if not isinstance(noted, str) or not isinstance(read, str):
        return False
    return (
        noted == read
        or _is_flag(name, noted, read)
        or (name.startswith("uf") and _is_money(noted, read))
        or _is_time(name, noted, read, midnights)
    )


def _is_number(name: str, noted: object, read: float) -> bool:
    text = str(noted)
    if not (isinstance(noted, int | float) or _NUMBER.fullmatch(text)):
        return False
    written = Decimal(text)
    if name == "opportunity" and abs(written) < _MOST:  # stored with two digits
        written = written.quantize(_CENT, ROUND_HALF_UP)
    return written == Decimal(str(read))


def _is_flag(name: str, noted: str, read: str) -> bool:
    if not _FLAG.fullmatch(name):
        return False
    one, other = noted.lower(), read.lower()
    return (one in _YES and other in _YES) or (one in _NO and other in _NO)


def _is_money(noted: str, read: str) -> bool:
    one, other = _MONEY.fullmatch(noted), _MONEY.fullmatch(read)
    return (
        one is not None
        and other is not None
        and one[2] == other[2]
        and Decimal(one[1]) == Decimal(other[1])
    )


def _is_time(name: str, noted: str, read: str, midnights: Collection[str]) -> bool:
    """Return whether two times are the same; one without a zone is compared by the day only."""
    when = moment(read)
    written, zoned = _written_time(noted)
    if when is None or written is None:
        return False
    shift = _shift(when)
    if zoned and name not in DAYS:
        return written.replace(microsecond=0) == when
    if shift is None or not (name in DAYS or (_DAY.fullmatch(noted) and read[11:] in midnights)):
        return False
    return (written + shift if zoned else written).date() == (when + shift).date()


def _written_time(noted: str) -> tuple[datetime | None, bool]:
    """Return a time in UTC, or the day of one without a zone; and whether it has one."""
    zoned = _ZONED.fullmatch(noted) is not None
    if not _DAY.match(noted):
        return None, False
    try:
        when = datetime.fromisoformat(noted if zoned else noted[:10])
        return (when.astimezone(UTC) if zoned else when), zoned
    except (ValueError, OverflowError):
        return None, False


def _shift(midnight: datetime) -> timedelta | None:
    """Return how far the portal is ahead of UTC if this is a midnight there; None if it is none."""
    gone = timedelta(hours=midnight.hour, minutes=midnight.minute, seconds=midnight.second)
    shift = _DAY_LONG - gone if gone >= _DAY_LONG - _EAST else -gone
    return None if gone % _QUARTER else shift

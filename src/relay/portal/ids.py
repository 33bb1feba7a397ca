"""The result of a write -> the ids in it: all that a reaction gets and that is stored for a retry.

The portal answers many writes with the whole item: names, telephone numbers, files whose addresses
hold the webhook's secret. None of that may be stored. A first run must not get more than a retry,
or reactions would fail only after crashes; so both get the result reduced by `ids_of`:

| result | reduced to |
|---|---|
| `42`, `true`, `null` | the same |
| `"65e5a449e8f135.21284909"` | the same; a text that is longer or has blanks becomes None |
| `{"item": {"id": 9, "title": "A"}}` | `{"item": {"id": 9}}`: of an object with an id, the id |
| `{"chatId": 5, "name": "B"}` | `{"chatId": 5}`: of other objects, members whose names end in id |
| `{"productRows": [{"id": 1, "price": 9}]}` | `{"productRows": [{"id": 1}]}`: the path to ids |
| `{"task": true}` | the same: booleans, if the result has no id |

`xmlId`, `originId` and `originatorId` are dropped: other systems write anything there. A list of
more than MAX_IDS is dropped whole: a part of it could be taken for the whole list.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Never

from relay.errors import NotKeptError
from relay.portal.api import Json, Result

MAX_IDS = 100  # of one result
MAX_LEVELS = 6
MAX_LETTERS = 64  # of a name on the path to ids
_ID = re.compile(r"[\w.:{}-]{1,64}", re.ASCII)
_ID_NAME = re.compile(r"(?i:(?:\w{0,60}_)?ids?)|\w{0,60}[a-z0-9]I[Dd]s?", re.ASCII)
_FOREIGN = frozenset({"xmlid", "originid", "originatorid"})
_NOTHING = object()  # stands for a value without ids, as None may be a result


class Kept(dict[str, Result]):
    """An object of a write's result, reduced to ids."""

    __slots__ = ()

    def __missing__(self, key: str) -> Never:
        """Raise NotKeptError, which names the members that are present."""
        raise NotKeptError(
            f"{key!r} is not in the result: a write returns ids only (here: "
            f"{', '.join(self) or 'none'}); read the item"
        )


def ids_of(result: Result) -> Result:
    """Return the ids in a write's result (see the table); a reduced result stays the same."""
    if isinstance(result, str):
        return result if _ID.fullmatch(result) else None
    if not isinstance(result, Mapping | list | tuple):
        return result
    reduced = _Reduction().of(result, MAX_LEVELS, is_id=True)
    if reduced is not _NOTHING:
        return reduced
    if not isinstance(result, Mapping):
        return []
    flags = ((name, value) for name, value in result.items() if isinstance(value, bool))
    return Kept(islice((flag for flag in flags if _is_short(flag[0])), MAX_IDS))


class _Reduction:
    """Reduces one result, and counts the ids that may still be kept of it."""

    def __init__(self) -> None:
        self._ids_left = MAX_IDS

    def of(self, value: Result, levels: int, *, is_id: bool) -> object:
        """Return a value reduced to ids, or _NOTHING; `is_id`: the name says that it is an id."""
        if isinstance(value, Mapping):
            return self._of_object(value, levels - 1) if levels else _NOTHING
        if isinstance(value, list | tuple):
            return self._of_list(value, levels - 1, is_id=is_id) if levels else _NOTHING
        return self._id(value) if is_id else _NOTHING

    def _of_object(self, value: Mapping[str, Json], levels: int) -> object:
        for name in value:
            if name.lower() == "id" and (own_id := self._id(value[name])) is not _NOTHING:
                return Kept({name: own_id})
        reduced = Kept()
        for name, member in value.items():
            if _is_short(name) and name.replace("_", "").lower() not in _FOREIGN:
                ids = self.of(member, levels, is_id=bool(_ID_NAME.fullmatch(name)))
                if ids is not _NOTHING:
                    reduced[name] = ids
        return reduced or _NOTHING

    def _of_list(self, values: Sequence[Json], levels: int, *, is_id: bool) -> object:
        if len(values) > MAX_IDS:
            return _NOTHING
        reduced = [self.of(value, levels, is_id=is_id) for value in values]
        if self._ids_left < 0 or all(ids is _NOTHING for ids in reduced):
            return _NOTHING
        empty = [Kept() if isinstance(value, Mapping) else None for value in values]
        pairs = zip(reduced, empty, strict=True)
        return [nothing if ids is _NOTHING else ids for ids, nothing in pairs]

    def _id(self, value: Json) -> object:
        if isinstance(value, str):
            is_id = bool(_ID.fullmatch(value))
        else:
            is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        if not is_id:
            return _NOTHING
        self._ids_left -= 1
        return value if self._ids_left >= 0 else _NOTHING


def _is_short(name: str) -> bool:
    return len(name) <= MAX_LETTERS

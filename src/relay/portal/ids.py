"""What a reaction gets of a write's result, and what is stored of it: ids, never the answer itself.

The portal answers many writes with the whole item: names, telephone numbers, files whose addresses
hold the webhook's secret. A repeat needs none of it, and what a first run could read and a repeat
could not would fail only after crashes. So both get the same: the result reduced by `ids_of`.

| result | kept |
|---|---|
| `42`, `true`, `null` | as it is |
| `"65e5a449e8f135.21284909"` | as it is, if short and without blanks; any other text becomes None |
| `{"item": {"id": 9, "title": "A"}}` | `{"item": {"id": 9}}`: an object with an `id` is its id |
| `{"chatId": 5, "name": "B"}` | `{"chatId": 5}`: without one, members whose names end in id |
| `{"productRows": [{"id": 1, "price": 9}]}` | `{"productRows": [{"id": 1}]}`: the way to ids |
| `{"task": true}` | a yes or no, where there is no id |

`xmlId`, `originId` and `originatorId` are dropped: they are keys of other people's, and may be
anything. A list of more than MOST_IDS is dropped whole: a part of it would look like all of it.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Never

from relay.errors import NotKeptError

MOST_IDS = 100  # of one result
MOST_LEVELS = 6
MOST_LETTERS = 64  # of a name on the way to ids
_ID = re.compile(r"[\w.:{}-]{1,64}", re.ASCII)
_ID_NAME = re.compile(r"(?i:(?:\w{0,60}_)?ids?)|\w{0,60}[a-z0-9]I[Dd]s?", re.ASCII)
_FOREIGN = frozenset({"xmlid", "originid", "originatorid"})
_NOTHING = object()


class Kept(dict[str, Any]):
    """An object of a write's result, reduced to its ids."""

    __slots__ = ()

    def __missing__(self, key: str) -> Never:
        """Say why a member is not here."""
        raise NotKeptError(
            f"{key!r} is not in the result: a write returns ids only (here: "
            f"{', '.join(self) or 'none'}); read the item"
        )


def ids_of(result: Any) -> Any:
    """Return what is kept of a write's result. What was reduced before stays as it is."""
    if isinstance(result, str):
        return result if _ID.fullmatch(result) else None
    if not isinstance(result, Mapping | list | tuple):
        return result
    kept = _Reduction().of(result, MOST_LEVELS, is_id=True)
    if kept is not _NOTHING:
        return kept
    if not isinstance(result, Mapping):
        return []
    told = {name: its for name, its in result.items() if isinstance(its, bool)}
    return Kept(islice(((name, told[name]) for name in told if _is_short(name)), MOST_IDS))


class _Reduction:
    def __init__(self) -> None:
        self._left = MOST_IDS

    def of(self, value: Any, levels: int, *, is_id: bool) -> Any:
        """Return the ids of a value, which is one itself where its name says so."""
        if isinstance(value, Mapping):
            return self._of_object(value, levels - 1) if levels else _NOTHING
        if isinstance(value, list | tuple):
            return self._of_list(value, levels - 1, is_id=is_id) if levels else _NOTHING
        return self._id(value) if is_id else _NOTHING

    def _of_object(self, value: Mapping[str, Any], levels: int) -> Any:
        for name in value:
            if name.lower() == "id" and (own := self._id(value[name])) is not _NOTHING:
                return Kept({name: own})
        kept = Kept()
        for name, below in value.items():
            if _is_short(name) and _plain(name) not in _FOREIGN:
                ids = self.of(below, levels, is_id=bool(_ID_NAME.fullmatch(name)))
                if ids is not _NOTHING:
                    kept[name] = ids
        return kept or _NOTHING

    def _of_list(self, values: Any, levels: int, *, is_id: bool) -> Any:
        if len(values) > MOST_IDS:
            return _NOTHING
        reduced = [self.of(value, levels, is_id=is_id) for value in values]
        if self._left < 0 or all(ids is _NOTHING for ids in reduced):
            return _NOTHING
        empty = [Kept() if isinstance(value, Mapping) else None for value in values]
        pairs = zip(reduced, empty, strict=True)
        return [nothing if ids is _NOTHING else ids for ids, nothing in pairs]

    def _id(self, value: Any) -> Any:
        if isinstance(value, str):
            fits = bool(_ID.fullmatch(value))
        else:
            fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        if not fits:
            return _NOTHING
        self._left -= 1
        return value if self._left >= 0 else _NOTHING


def _is_short(name: str) -> bool:
    return len(name) <= MOST_LETTERS


def _plain(name: str) -> str:
    return name.replace("_", "").lower()

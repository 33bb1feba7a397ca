"""All that a portal holds as JSON, and back: a tree of our own objects, lists and dictionaries.

A value that JSON has no form for is an object with `$`: the name of its class, or of its kind. What
is held in two places has a number (`#`) where it is first met, and is named by it (`$ref`) later.
Only classes of this package are made again, and no code of theirs runs, so a file can't do harm.
"""

import importlib
from collections import deque
from collections.abc import Iterator
from datetime import timedelta, timezone
from typing import Any

_PACKAGE = f"{__package__}."  # the wheel has another
_SETS: dict[str, type[Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def pack(value: Any) -> Any:
    """Return a value as JSON; TypeError names what has no form."""
    return _Packer(value).pack(value)


def unpack(packed: Any) -> Any:
    """Return the value that was packed; ValueError for what `pack` has not made."""
    try:
        return _Unpacker().unpack(packed)
    except (KeyError, TypeError, AttributeError, ImportError, RecursionError) as error:
        raise ValueError(f"this is no saved state of this version: {error}") from None


def attributes(value: Any) -> dict[str, Any]:
    """The attributes of an object, with or without slots."""
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    return {name: getattr(value, name) for name in names} | getattr(value, "__dict__", {})


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for pair in value.items():
            yield from pair
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from value
    elif type(value).__module__.startswith(_PACKAGE):
        yield from attributes(value).values()


class _Packer:
    def __init__(self, root: Any) -> None:
        self._shared: set[int] = set()
        self._numbers: dict[int, int] = {}
        visited: set[int] = set()
        waiting = [root]
        while waiting:
            value = waiting.pop()
            if value is None or isinstance(value, str | int | float | tuple):
                waiting.extend(value if isinstance(value, tuple) else ())
            elif id(value) in visited:
                self._shared.add(id(value))
            else:
                visited.add(id(value))
                waiting.extend(_children(value))

    def pack(self, value: Any) -> Any:
        if value is None or isinstance(value, str | int | float):
            return value
        if id(value) in self._numbers:
            return {"$ref": self._numbers[id(value)]}
        shared: dict[str, int] = {}
        if id(value) in self._shared:
            shared["#"] = self._numbers[id(value)] = len(self._numbers)
        if isinstance(value, list) and not shared:
            return [self.pack(one) for one in value]
        if isinstance(value, dict) and not shared and _is_plain(value):
            return {name: self.pack(one) for name, one in value.items()}
        return self._form(value) | shared

    def _form(self, value: Any) -> dict[str, Any]:
        kind = type(value)
        if kind is dict:
            pairs = [[self.pack(key), self.pack(one)] for key, one in value.items()]
            return {"$": "dict", "items": pairs}
        if kind in {list, tuple, set, frozenset}:
            ordered = sorted(value, key=repr) if kind in {set, frozenset} else value
            return {"$": kind.__name__, "items": [self.pack(one) for one in ordered]}
        if kind is deque:
            items = [self.pack(one) for one in value]
            return {"$": "deque", "items": items, "most": value.maxlen}
        if kind is timezone:
            return {"$": "zone", "seconds": value.utcoffset(None).total_seconds()}
        if kind.__module__.startswith(_PACKAGE):
            packed = {name: self.pack(one) for name, one in attributes(value).items()}
            return {
                "$": f"{kind.__module__.removeprefix(_PACKAGE)}:{kind.__qualname__}",
                "state": packed,
            }
        raise TypeError(f"a {kind.__module__}.{kind.__qualname__} can't be saved")


def _is_plain(value: dict[Any, Any]) -> bool:
    return all(isinstance(name, str) and name not in {"$", "$ref"} for name in value)


class _Unpacker:
    def __init__(self) -> None:
        self._shared: dict[int, Any] = {}

    def unpack(self, packed: Any) -> Any:
        if isinstance(packed, list):
            return [self.unpack(one) for one in packed]
        if not isinstance(packed, dict):
            return packed
        if "$ref" in packed:
            return self._shared[packed["$ref"]]
        if "$" not in packed:
            return {name: self.unpack(one) for name, one in packed.items()}
        return self._make(packed["$"], packed)

    def _make(self, kind: str, packed: dict[str, Any]) -> Any:
        if kind in _SETS:
            return self._keep(packed, _SETS[kind](self.unpack(one) for one in packed["items"]))
        if kind == "zone":
            return self._keep(packed, timezone(timedelta(seconds=packed["seconds"])))
        if kind == "dict":
            made = self._keep(packed, {})
            made.update((self.unpack(key), self.unpack(one)) for key, one in packed["items"])
        elif kind in {"list", "deque"}:
            made = self._keep(packed, [] if kind == "list" else deque(maxlen=packed["most"]))
            made.extend(self.unpack(one) for one in packed["items"])
        else:
            cls = _class(kind)
            made = self._keep(packed, object.__new__(cls))
            for name, one in packed["state"].items():
                object.__setattr__(made, name, self.unpack(one))
        return made

    def _keep(self, packed: dict[str, Any], made: Any) -> Any:
        if "#" in packed:
            self._shared[packed["#"]] = made
        return made


def _class(name: str) -> type[Any]:
    module, _, path = name.partition(":")
    try:
        found = getattr(importlib.import_module(_PACKAGE + module), path)
    except (ImportError, AttributeError):
        found = None
    if not isinstance(found, type) or found.__module__ != _PACKAGE + module:
        raise TypeError(f"{name} is no class of a portal")
    return found

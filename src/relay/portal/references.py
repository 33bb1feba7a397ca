r"""References between the commands of a batch, and text that a portal would take for one.

The portal reads each value of a command, after decoding it, with the pattern
`/\$(result|next|total|time|error|…)([^\s]*)/i` and puts in what the path in brackets leads to
(Bitrix' `CRestUtil::processBatchElement`; the names are those of the answer's sections, so the
list is open). A path that leads nowhere stops at what it has: the value becomes an array, or
nothing, or PHP raises a TypeError and the whole batch answers 500. No spelling escapes it, and a
plain call is never read like that. A key can't hold both brackets, so keys are safe.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# `\s` as PHP reads it: only ASCII's white space ends a reference. `$` outside of the class and the
# possessive `*+` keep two megabytes of dollar signs linear.
_TOUCHED = re.compile(r"\$[^\s\[$]*+\[", re.ASCII)
_REFERENCE = re.compile(r"\$result((?:\[[^\[\]\s]+\])+)", re.ASCII)
_STEP = re.compile(r"\[([^\[\]]+)\]")


class Text(str):
    """A text that `portal.batch` never takes for a reference: what people have written."""

    __slots__ = ()


def is_touched(value: Any) -> bool:
    """Say whether a portal would replace a part of these parameters in a batch."""
    return any(_TOUCHED.search(text) for text in _texts(value))


def needs_calls(commands: Mapping[str, tuple[str, Mapping[str, Any]]]) -> bool:
    """Say whether a batch holds text that only plain calls carry unchanged.

    A value that is a whole `$result[name]…` of an earlier command is a reference. Raises ValueError
    where it is only a part of a value: the portal would swallow what follows up to the next blank.
    """
    earlier: set[str] = set()
    found = False
    for name, (_, params) in commands.items():
        for text in _texts(params):
            if _TOUCHED.search(text) and not _refers(text, earlier):
                found = True
                for part in [] if isinstance(text, Text) else _REFERENCE.finditer(text):
                    if _STEP.findall(part[1])[0] in earlier:
                        raise ValueError(
                            f"{name}: {part[0]} stands in a longer text; let the reference be the"
                            " whole value, or wrap what people have written in relay.portal.Text"
                        )
        earlier.add(name)
    return found


def resolve(value: Any, results: Mapping[str, Any]) -> Any:
    """Return parameters with the results that their references mean, as a portal puts them in.

    A path that leads nowhere gives what it leads to last.
    """
    if isinstance(value, Mapping):
        return {key: resolve(item, results) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, results) for item in value]
    if not isinstance(value, str) or not _refers(value, results):
        return value
    found: Any = results
    for step in _STEP.findall(value):
        try:
            below = found[int(step) if isinstance(found, list) else step]
        except (LookupError, TypeError, ValueError):
            below = None
        if below is None:
            break
        found = below
    return found


def _refers(text: str, earlier: Any) -> bool:
    reference = None if isinstance(text, Text) else _REFERENCE.fullmatch(text)
    return bool(reference) and _STEP.findall(text)[0] in earlier


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)

r"""References between the commands of a batch, and text that a portal would take for a reference.

In a batch the portal matches each decoded value with the pattern
`/\$(result|next|total|time|error|…)([^\s]*)/i` and replaces a match by the value to which the path
in brackets leads (Bitrix' `CRestUtil::processBatchElement`; the names are the sections of the
answer, so the list is open). A path that leads nowhere gives the last value on its way: an array or
nothing; or PHP raises a TypeError and the whole batch answers 500. No notation escapes a dollar
sign. Plain calls are not matched. Keys are safe: no key of a query can hold both brackets.
"""

import re
from collections.abc import Container, Iterator, Mapping

from relay.portal.api import Commands, Result

# re.ASCII: PHP's `\s` is ASCII white space. The class without `$` and the possessive `*+` keep the
# time linear for megabytes of dollar signs.
_REPLACED = re.compile(r"\$[^\s\[$]*+\[", re.ASCII)
_REFERENCE = re.compile(r"\$result((?:\[[^\[\]\s]+\])+)", re.ASCII)
_STEP = re.compile(r"\[([^\[\]]+)\]")
_INDEX = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)


class Text(str):
    """A text that `portal.batch` never takes for a reference; for text that people have written."""

    __slots__ = ()


def is_replaced(value: object) -> bool:
    """Return whether a portal would replace a text in these parameters in a batch."""
    return any(isinstance(one, str) and _REPLACED.search(one) for one in walk(value))


def needs_calls(commands: Commands) -> bool:
    """Return whether a batch holds text that only plain calls carry unchanged.

    A value that is exactly `$result[name]…`, with the name of an earlier command, is a reference.
    Raises ValueError for a reference inside a longer text: the portal would swallow the text after
    it, up to the next blank.
    """
    earlier: set[str] = set()
    has_text = False
    for name, (_, params) in commands.items():
        for text in walk(params):
            if isinstance(text, str) and _REPLACED.search(text) and not _refers(text, earlier):
                has_text = True
                for reference in [] if isinstance(text, Text) else _REFERENCE.finditer(text):
                    if _STEP.findall(reference[1])[0] in earlier:
                        raise ValueError(
                            f"{name}: {reference[0]} stands in a longer text; let the reference"
                            " be the whole value, or wrap people's text in relay.portal.Text"
                        )
        earlier.add(name)
    return has_text


def resolve(value: object, results: Mapping[str, object]) -> Result:
    """Return parameters with `$result[name]…` replaced from {name: result}, as a portal does it.

    A path that leads nowhere gives the last value on its way. Tuples become lists.
    """
    if isinstance(value, Mapping):
        return {key: resolve(item, results) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, results) for item in value]
    if not isinstance(value, str) or not _refers(value, results):
        return value
    reached: Result = results
    for step in _STEP.findall(value):
        following = _member(reached, step)
        if following is None:
            break
        reached = following
    return reached


def _member(value: Result, step: str) -> Result:
    """Return the member of an array or text to which a step of a path leads, as in PHP, or None."""
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list | str) and _INDEX.fullmatch(step):
        return next(iter(value[int(step) :]), None)
    return None


def _refers(text: str, earlier: Container[str]) -> bool:
    """Return whether a whole text is a reference to one of the earlier commands."""
    reference = None if isinstance(text, Text) else _REFERENCE.fullmatch(text)
    return bool(reference) and _STEP.findall(text)[0] in earlier


def walk(value: object) -> Iterator[object]:
    """Yield a value, and all values in it where it is a mapping or a list."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)

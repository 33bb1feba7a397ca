"""References between the commands of a batch, replaced as Bitrix' core does it, traps included.

After `CRestUtil::ParseBatchQuery`, `processBatchStructure` and `processBatchElement` of the rest
module, in the version that portals without updates still run: a newer one leaves a text alone where
this one raises a TypeError, and is the same in all else.
"""

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\[([^\]]+)\]")
_MISSING = object()


def put_in(value: Any, sections: Mapping[str, Any]) -> Any:
    """Put earlier results into the values of a command, after decoding.

    Raises TypeError, which no portal catches, where a part of a text leads to an array.
    """
    if isinstance(value, list):
        return [put_in(entry, sections) for entry in value]
    if isinstance(value, dict):
        return {key: put_in(entry, sections) for key, entry in value.items()}
    if not isinstance(value, str) or "$" not in value:
        return value
    names = "|".join(map(re.escape, sections))
    text: Any = value
    # Without regard to case, and without the `u` of PHP: only ASCII's white space ends a reference.
    for match in re.finditer(rf"\$({names})(\S*)", value, re.IGNORECASE | re.ASCII):
        steps = _STEP.findall(match[2])
        if not steps:
            continue
        found = _follow(sections.get(match[1]), steps)  # the names themselves do mind their case
        if match[0] == text:
            return found
        text = text.replace(match[0], _text(found))
    return text


def _follow(found: Any, steps: list[str]) -> Any:
    """Follow a path as far as it leads: `isset` says where it ends."""
    for step in steps:
        below = _entry(found, step)
        if below is _MISSING or below is None:
            break
        found = below
    return found


def _entry(node: Any, key: str) -> Any:
    if isinstance(node, dict):
        return node.get(key, _MISSING)
    if isinstance(node, list | str) and re.fullmatch(r"0|[1-9]\d*", key, re.ASCII):
        return node[int(key)] if int(key) < len(node) else _MISSING
    return _MISSING


def _text(found: Any) -> str:
    """Return what `str_replace` takes a value for."""
    if isinstance(found, dict | list):
        raise TypeError("str_replace(): Argument #2 ($replace) must be of type string")
    if found is None or isinstance(found, bool):
        return "1" if found else ""
    return str(found)

"""What a family's values must be, as lines of its description: `rules` in `data/families/`.

A line is a word, a field, what the word needs, and after ` : ` the error as `code|text|status`:

`filled F`      a new row has it
`unique F`      no other row has the same; `F+G`: the same in both
`once F V`      one row at most has this value
`among F A,B`   it is one of these
`like F REGEX`  the whole of it matches
`row F FAMILY`  it is the number of a row of a family
`kept F V`      a row with this value can't be deleted; without V: with any
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.portal.call import Call
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.php import int_or_none
from local.portal.rows import table_of
from local.portal.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable

_EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True, slots=True)
class _Rule:
    word: str
    keys: list[str]
    need: str
    error: tuple[str, str, str]


def _rules(family: Family) -> list[_Rule]:
    found = []
    for line in family.data.get("rules", "").strip().splitlines():
        left, _, error = line.partition(" : ")
        word, names, *need = left.split(maxsplit=2)
        keys = [family.key_of(name) for name in names.split("+")]
        code, text, status = (*error.split("|"), "", "")[:3]
        found.append(_Rule(word, keys, need[0].strip() if need else "", (code, text, status)))
    return found


def check_rules(call: Call, family: Family, values: Row, old: Row | None) -> None:
    """Raise the error of the first rule that the values break."""
    for rule in _rules(family):
        if _breaks(call, family, rule, values, old):
            code, text, status = rule.error
            shown = text.replace("{value}", str(values.get(rule.keys[0])))
            raise RestError(family.code_of(code), shown, int(status or 400))


def check_deletion(family: Family, row: Row) -> None:
    """Raise the error of the first rule that keeps a row."""
    for rule in _rules(family):
        value = row.get(rule.keys[0])
        if rule.word == "kept" and (str(value) == rule.need if rule.need else value):
            code, text, status = rule.error
            raise RestError(family.code_of(code), text, int(status or 400))


def _breaks(call: Call, family: Family, rule: _Rule, values: Row, old: Row | None) -> bool:
    row = (old or {}) | values
    value, given = row.get(rule.keys[0]), rule.keys[0] in values
    if rule.word == "filled":
        return value in _EMPTY and (given or old is None)
    if value in _EMPTY or not any(key in values for key in rule.keys):
        return False
    tests: dict[str, Callable[[], bool]] = {
        "among": lambda: str(value) not in rule.need.split(","),
        "like": lambda: re.fullmatch(rule.need, str(value)) is None,
        "row": lambda: table_of(call, FAMILIES[rule.need]).get(int_or_none(value) or 0) is None,
        "once": lambda: str(value) == rule.need and _taken(call, family, rule, row, old),
        "unique": lambda: _taken(call, family, rule, row, old),
    }
    return rule.word in tests and tests[rule.word]()


def _taken(call: Call, family: Family, rule: _Rule, row: Row, old: Row | None) -> bool:
    """Whether another row has the same."""
    wanted = [str(row.get(key)) for key in rule.keys]
    number = old["id"] if old else 0
    return any(
        other["id"] != number and [str(other.get(key)) for key in rule.keys] == wanted
        for other in table_of(call, family).walk()
    )

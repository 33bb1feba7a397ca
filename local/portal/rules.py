"""What a family's values must be, as lines of its description: `rules` in `data/families/`.

A line is a word, a field, what the word needs, and after ` : ` the error as `code|text|status`:

`filled F`          a new row has it
`unique F`          no other row has the same; `F+G`: the same in both
`once F V`          one row at most has this value
`among F A,B`       it is one of these
`like F REGEX`      the whole of it matches
`row F FAMILY`      it is the number of a row of a family
`same F FAMILY G`   the row that it names has the same G
`kept F V`          a row with this value can't be deleted; without V: with any

`add.` or `update.` before a word: there alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.portal.call import Call
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.rows import row_of, table_of
from local.portal.table import Row

_EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True, slots=True)
class _Rule:
    word: str
    keys: list[str]
    need: list[str]
    error: tuple[str, str, str]

    def refusal(self, value: Any) -> RestError:
        code, text, status = self.error
        shown = text.replace("{value}", str(value))
        return RestError(Family.code_of(code), shown, int(status or 400))


@dataclass(frozen=True, slots=True)
class _Case:
    """What a rule is held against: the whole row, what a request gives of it, the row before."""

    call: Call
    row: Row
    given: Row
    old: Row | None = None
    family: Family | None = None


def _rules(lines: str, key_of: Callable[[str], str]) -> list[_Rule]:
    found = []
    for line in lines.strip().splitlines():
        left, _, error = line.partition(" : ")
        word, names, need = (*left.split(maxsplit=2), "", "")[:3]
        keys = [key_of(name) for name in names.split("+")]
        code, text, status = (*error.split("|"), "", "")[:3]
        needs = [need.strip()] if word.endswith("like") else need.split()
        found.append(_Rule(word, keys, needs or [""], (code, text, status)))
    return found


def check_rules(call: Call, family: Family, values: Row, old: Row | None) -> None:
    """Raise the error of the first rule that the values break."""
    case = _Case(call, (old or {}) | values, values, old, family)
    for rule in _rules(family.data.get("rules", ""), family.key_of):
        if _breaks(rule, case):
            raise rule.refusal(values.get(rule.keys[0]))


def check_deletion(family: Family, row: Row) -> None:
    """Raise the error of the first rule that keeps a row."""
    for rule in _rules(family.data.get("rules", ""), family.key_of):
        value = row.get(rule.keys[0])
        if rule.word == "kept" and (str(value) == rule.need[0] if rule.need[0] else value):
            raise rule.refusal(value)


def _breaks(rule: _Rule, case: _Case) -> bool:
    when, _, word = rule.word.rpartition(".")
    if when and (when == "add") != (case.old is None):
        return False
    value, given = case.row.get(rule.keys[0]), rule.keys[0] in case.given
    if word == "filled":
        return value in _EMPTY and (given or case.old is None)
    if value in _EMPTY or not any(key in case.given for key in rule.keys):
        return False
    return word in _TESTS and _TESTS[word](value, rule.need, case, rule)


def _taken(rule: _Rule, case: _Case) -> bool:
    """Whether another row has the same."""
    wanted = [str(case.row.get(key)) for key in rule.keys]
    number = case.old["id"] if case.old else 0
    return case.family is not None and any(
        other["id"] != number and [str(other.get(key)) for key in rule.keys] == wanted
        for other in table_of(case.call, case.family).walk()
    )


_TESTS: dict[str, Callable[[Any, list[str], _Case, _Rule], bool]] = {
    "among": lambda value, need, *_: str(value) not in need[0].split(","),
    "like": lambda value, need, *_: re.fullmatch(need[0], str(value)) is None,
    "row": lambda value, need, case, _: row_of(case.call, FAMILIES[need[0]], value) is None,
    "same": lambda value, need, case, _: (
        (row_of(case.call, FAMILIES[need[0]], value) or {}).get(need[1]) != case.row.get(need[1])
    ),
    "once": lambda value, need, case, rule: str(value) == need[0] and _taken(rule, case),
    "unique": lambda _, __, case, rule: _taken(rule, case),
}

"""What methods ask of their parameters: `data/parameters.toml`, by method, a line a question.

A line has words joined by `+`, a parameter (`a/b`: any of them), what the word needs, and after
` : ` the error as `code|text|status`, in which `{value}` is what came, if anything did. Parameters
may stand in `fields`. Words:

`given`   it is there                     `filled`  it is there and not empty
`number`  a whole number above zero       `digits`  one, or zero
`array`   a list or an object             `object`  an object
`plain`   neither of them                 `among`   one of a list, in any case
`like`    the whole of it matches         `long`, `short`  characters at least, at most
`person`  the number of somebody here     `row`     the number of a row of a family
`guest`, `denied`, `colleague`, `plan`    the caller is none; with a parameter: who gives it
`item`    a type, and what the word needs the number of one of its items

`need A B` alone is `given` for each of them, with the code 100.

An absent parameter passes what asks for a kind of value: `given+array` does not let it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import filter as matching
from typing import Any, NamedTuple

from local.portal.call import METHODS, Call
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.php import entries, int_or_none
from local.portal.rows import row_of
from local.portal.schema import DATA

_ARRAY = (list, dict)
_EMPTY: tuple[Any, ...] = (None, "", [])


class Question(NamedTuple):
    """One line."""

    words: list[str]
    names: list[str]
    need: str
    error: str


def has_text(value: Any) -> bool:
    """Whether there is anything in a value."""
    return bool(value) and bool(str(value).strip())


def _items(call: Call, kind: Any) -> list[int]:
    table = call.portal.items.get(int_or_none(kind) or 0)
    return table.ids if table else []


# Whether a value fails a word
WORDS: dict[str, Callable[[Call, Any, str], bool]] = {
    "given": lambda _, value, __: value is None,
    "filled": lambda _, value, __: not has_text(value),
    "number": lambda _, value, __: isinstance(value, _ARRAY) or not int_or_none(value),
    "digits": lambda _, value, __: value is not None and int_or_none(value) is None,
    "array": lambda _, value, __: value is not None and not isinstance(value, _ARRAY),
    "object": lambda _, value, __: value is not None and not isinstance(value, dict),
    "plain": lambda _, value, __: isinstance(value, _ARRAY),
    "among": lambda _, value, need: (
        value is not None and str(value).lower() not in need.lower().split(",")
    ),
    "like": lambda _, value, need: (
        value not in _EMPTY and re.fullmatch(need, str(value).strip()) is None
    ),
    "long": lambda _, value, need: len(str("" if value is None else value).strip()) < int(need),
    "short": lambda _, value, need: len(str(value or "")) > int(need),
    "person": lambda call, value, _: (int_or_none(value) or 0) not in call.portal.users,
    "row": lambda call, value, need: (
        has_text(value) and row_of(call, FAMILIES[need], value) is None
    ),
    "item": lambda call, value, need: call.number(need.lower()) not in _items(call, value),
    "guest": lambda call, _, __: bool(call.owner().get("external")),
    "denied": lambda call, _, __: call.portal.denied(call.user),
    "colleague": lambda call, _, __: not call.owner().get("admin"),
    "plan": lambda call, _, __: call.portal.settings.plan_restricted,
}
_OF_CALLER = {"guest", "denied", "colleague", "plan"}
QUESTIONS: dict[str, list[Question]] = {}


def read(lines: str, fold: Callable[[str], str] = str.lower) -> Iterator[Question]:
    """Read lines; what families name is not folded."""
    for line in lines.strip().splitlines():
        left, _, error = line.partition(" : ")
        if left.startswith("need "):
            for name in left.split()[1:]:
                error = f"100|Could not find value for parameter {{{name}}}"
                yield Question(["given"], [name.lower()], "", error)
            continue
        words, names, need = (*left.split(maxsplit=2), "", "")[:3]
        yield Question(words.split("+"), fold(names).split("/"), need.strip(), error)


def ask_parameters() -> None:
    """Read the questions of all methods, whose names may have stars."""
    data = tomllib.loads((DATA / "parameters.toml").read_text("utf-8"))
    for patterns, lines in data.items():
        for pattern in patterns.lower().split():
            for name in matching(METHODS, pattern):
                QUESTIONS.setdefault(name, []).extend(read(lines))


def check_parameters(call: Call, method: str) -> None:
    """Raise the error of the first question that a request does not answer."""
    if method not in QUESTIONS:
        return
    given = {name.lower(): value for name, value in entries(call.get("fields"))}
    given |= call.params
    for words, names, need, error in QUESTIONS[method]:
        values = [given[name] for name in names if given.get(name) is not None]
        value = next(filter(has_text, values), values[0] if values else None)
        if words[0] in _OF_CALLER and names != [""] and value in _EMPTY:
            continue
        if any(WORDS[word](call, value, need) for word in words):
            raise refusal(error, value)


def refusal(error: str, value: Any) -> RestError:
    """Make the error of a line for a value."""
    code, text, status = (*error.split("|"), "", "")[:3]
    shown = text if value is None else text.replace("{value}", str(value))
    return RestError(Family.code_of(code), shown, int(status or 400))

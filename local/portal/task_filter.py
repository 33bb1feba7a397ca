"""Filters of `tasks.task.list`: few operators, ids as a plain list, a title as a pattern.

[tasks-task-list.md] Unknown names are passed over.
"""

from collections.abc import Callable
from typing import Any

from local.portal.clock import Clock
from local.portal.php import entries, values_of
from local.portal.table import Row
from local.portal.task_fields import snake
from local.portal.task_view import TEMPLATE

_COMPARISONS = (">", ">=", "<", "<=")
# Names of filter and order that are not those of a task's own fields [tasks-task-list.md]
ALIASES: dict[str, str] = TEMPLATE["aliases"]
_DONE, _OVERDUE = "5", "-1"


def special_test(
    name: str, value: Any, user: int, now: str, ids: Any
) -> Callable[[Row], bool] | None:
    """Conditions that no field holds: favourites, root tasks, overdue ones; None: it is another."""
    plain = snake(name.lstrip("!<>=%@"))
    if plain.startswith("::SUBFILTER"):
        named = {str(key).upper(): one for key, one in entries(value)}
        plain, value = ("FAVORITE", named["FAVORITE"]) if "FAVORITE" in named else (plain, value)
    on = str(value).upper() == "Y"
    if plain == "FAVORITE":
        return lambda row: (user in row.get("favoriteOf", [])) is on
    if plain == "ONLY_ROOT_TASKS":
        return lambda row: not on or int(row.get("parentId") or 0) not in ids
    if plain == "STATUS" and str(value) == _OVERDUE:
        return lambda row: row.get("status") != _DONE and "" < (row.get("deadline") or "") < now
    return None


def task_test(  # noqa: PLR0913, PLR0917  a pure function of all it depends on
    name: str, value: Any, names: dict[str, str], blank: Row, clock: Clock, shift_hours: float
) -> Callable[[Row], bool]:
    """One condition as a test of a row."""
    plain = name.lstrip("!<>=%@")
    operator = name[: len(name) - len(plain)]
    key = ALIASES.get(snake(plain)) or names.get(snake(plain))
    if key is None:
        return lambda _row: True
    wanted = [_read(key, one, clock, shift_hours) for one in values_of(value)]
    negated = operator.startswith("!")
    partial = "%" in operator or (key == "title" and any("%" in one for one in wanted))

    def test(row: Row) -> bool:
        stored = row.get(key, blank.get(key))
        found = [str(one).casefold() for one in stored] if isinstance(stored, list) else None
        found = found or [str(stored or "").casefold()]
        if operator in _COMPARISONS:
            return bool(wanted) and _compares(found[0], operator, wanted[0])
        if partial:
            return any(w.strip("%") in f for w in wanted for f in found) is not negated
        return bool(set(found) & set(wanted)) is not negated

    return test


def _read(key: str, value: Any, clock: Clock, shift_hours: float) -> str:
    if value in (None, ""):
        return ""
    if key == "deadline" or key.endswith(("Date", "DatePlan")):
        try:
            return clock.parse(value, shift_hours=shift_hours).casefold()
        except ValueError:
            return "9999"  # later than everything: matches nothing that was
    return str(value).casefold()


def _compares(one: str, operator: str, other: str) -> bool:
    if not one:
        return False
    left, right = (0, one), (0, other)
    if one.isdigit() and other.isdigit():
        left, right = (int(one), ""), (int(other), "")
    if left == right:
        return operator.endswith("=")
    return (left > right) is (operator[0] == ">")

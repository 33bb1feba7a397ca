"""People, departments and searches of the messenger [api-reference/chats/users/, departments/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.chat_views import person
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.listing import Page
from local.portal.rows import table_of
from local.portal.table import Row

_MOST = 50
_DEPARTMENT = FAMILIES["department"]


@method("im.user.get", "im")
def user_get(call: Call) -> Any:
    """Somebody, or the owner of the webhook."""
    number = call.number("id") if call.get("id") is not None else call.user
    if number <= 0:
        raise RestError("ID_EMPTY", "User ID can't be empty")
    if call.owner().get("external") and number != call.user:
        text = "You can request only users who are part of your extranet group"
        raise RestError("ACCESS_DENIED", text)
    if number not in call.portal.users:
        raise RestError("USER_NOT_EXISTS", "User does not exist")
    return person(call.portal, number)


@method("im.user.list.get", "im")
def user_list(call: Call) -> Any:
    """Some people by their numbers."""
    users = call.portal.users
    found = {str(n): person(call.portal, n) if n in users else None for n in call.numbers("id")}
    if call.text("result_type").lower() == "array":
        return [view for view in found.values() if view]
    return found or []


@method("im.user.status.set", "im")
def status_set(call: Call) -> Any:
    """Say how available the owner is."""
    call.owner()["status"] = str(call.get("status"))
    return True


def _idle(call: Call, *, on: bool) -> Any:
    call.owner()["idle"] = call.portal.clock.stamp() if on else False
    return True


method("im.user.status.get", "im")(lambda call: call.owner().get("status", "online"))
method("im.user.status.idle.start", "im")(partial(_idle, on=True))
method("im.user.status.idle.end", "im")(partial(_idle, on=False))


def department_view(call: Call, row: Row) -> Row:
    """Show a department as the messenger does."""
    head = row.get("UF_HEAD") or 0
    view = {"id": row["id"], "name": row["NAME"], "full_name": row["NAME"]}
    parent = table_of(call, _DEPARTMENT).get(row.get("PARENT") or 0)
    if parent is not None:
        view["full_name"] = f"{row['NAME']} / {parent['NAME']}"
    view["manager_user_id"] = head
    if call.flag("user_data") and head:
        view["manager_user_data"] = person(call.portal, head)
    return view


@method("im.department.get", "im")
def department_get(call: Call) -> Any:
    """Departments by their numbers."""
    rows = (table_of(call, _DEPARTMENT).get(number) for number in call.numbers("id"))
    return [department_view(call, row) for row in rows if row is not None]


def _people(call: Call, numbers: list[int]) -> list[Any]:
    return [person(call.portal, n) if call.flag("user_data") else n for n in numbers]


def _employees(call: Call, number: int) -> list[int]:
    users = call.portal.users.values()
    return [u["id"] for u in users if number in u["departments"] and u["active"]]


def _managers(call: Call, number: int) -> list[int]:
    head = (table_of(call, _DEPARTMENT).get(number) or {}).get("UF_HEAD")
    return [head] if head else []


def _by_department(find: Callable[[Call, int], list[int]], call: Call) -> Any:
    if not call.numbers("id"):
        raise RestError("ID_EMPTY", "Department ID can't be empty")
    return {str(n): _people(call, find(call, n)) for n in call.numbers("id")}


_FIND = {"employees": _employees, "managers": _managers}
methods("im", {f"im.department.{k}.get": partial(_by_department, v) for k, v in _FIND.items()})


def paged(call: Call, rows: list[Any]) -> Page:
    """Cut a page out, by `OFFSET` and `LIMIT`."""
    offset, limit = call.number("offset"), min(call.number("limit") or 10, _MOST)
    more = offset + limit if offset + limit < len(rows) else None
    return Page(rows[offset : offset + limit], len(rows), more)


@method("im.department.colleagues.list", "im")
def colleagues(call: Call) -> Page:
    """People of the owner's departments, himself left out."""
    own = set(call.owner()["departments"])
    users = call.portal.users.values()
    numbers = [u["id"] for u in users if own & set(u["departments"]) and u["id"] != call.user]
    return paged(call, _people(call, numbers))

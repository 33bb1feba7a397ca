"""Employees and departments [api-reference/user/, api-reference/departments/]."""

from collections.abc import Mapping
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.filters import FilterCompiler
from local.portal.listing import PAGE, Page, cut, read_start
from local.portal.php import entries, values_of
from local.portal.rows import show, table_of
from local.portal.table import Row
from local.portal.values import read_value

_SCOPES = "user|user_brief|user_basic"
_FAMILY, _DEPARTMENTS = FAMILIES["user"], FAMILIES["department"]
# Stands at the top level beside conditions, and is none
_NO_FILTER = {"sort", "order", "start", "filter", "select", "admin_mode", "image_resize", "auth"}
_SEARCHED = ("name", "lastName", "SECOND_NAME", "position", "email")


def _with_type(user: Row) -> Row:
    return user | {"USER_TYPE": "extranet" if user["external"] else "employee"}


def user_view(user: Row) -> Row:
    """A user as lists show him; `TIMESTAMP_X` reads as `{}`, as documented."""
    view = show(_FAMILY, _with_type(user))
    return view | {
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "UF_DEPARTMENT": user["departments"],
    }


@method("user.current", _SCOPES)
def current(call: Call) -> Any:
    """The owner, with times as texts."""
    view = user_view(call.owner())
    plain = str(call.owner()["changed"])[:19].replace("T", " ")
    return view | {"LAST_ACTIVITY_DATE": plain, "TIMESTAMP_X": plain}


def _conditions(call: Call) -> Row:
    """Conditions of `FILTER` and at the top level; a text with `%` is a pattern."""
    top = {k: v for k, v in call.params.items() if k not in _NO_FILTER}
    given = [*entries(top), *entries(call.get("filter", default={}))]
    found: Row = {}
    for name, value in given:
        plain = name.upper()
        if plain == "ADMIN":
            continue
        pattern = isinstance(value, str) and "%" in value and plain[:1].isalpha()
        found[f"=%{plain}" if pattern else plain] = value
    return found


def _order(call: Call) -> tuple[str, bool]:
    """`SORT` and `ORDER` are words here; clients also send a map as `order`."""
    name, way = call.get("sort", default="ID"), call.get("order", default="asc")
    if isinstance(way, list | dict) and way:
        name, way = entries(way)[0]
    field = _FAMILY.classic.get(str(name).upper())
    return (field.key if field else "id"), str(way).upper() == "DESC"


def _users(call: Call, given: Mapping[str, Any], *, words: Row | None = None) -> Page:
    test = FilterCompiler(call.portal, _FAMILY, "classic").compile(given)
    rows = [_with_type(user) for user in call.portal.users.values()]
    rows = [row for row in rows if _has_words(call, row, words or {})]
    start = read_start(call.get("start"))
    start = start if start < 0 else start // PAGE * PAGE  # a page's first offset [the sample's 10]
    page = cut(filter(test, rows), [_order(call)], start, ordered=False)
    select = {str(name).upper() for _, name in entries(call.get("select", default=[]))}
    page.result = [user_view(row) for row in page.result]
    if select and "*" not in select:
        page.result = [
            {k: v for k, v in view.items() if {k, "UF_*" if k[:3] == "UF_" else k} & select}
            for view in page.result
        ]
    return page


def _has_words(call: Call, row: Row, words: Row) -> bool:
    """Quick search: every word begins one of a user's texts."""
    for name, value in words.items():
        field = _FAMILY.classic.get(name)
        texts = [row.get(field.key)] if field else [row.get(key) for key in _SEARCHED]
        if name == "UF_DEPARTMENT_NAME":
            table = table_of(call, _DEPARTMENTS)
            texts = [(table.get(one) or {}).get("NAME") for one in row["departments"]]
        there = " ".join(str(text or "") for text in texts).casefold().split()
        words_of = str(value).casefold().split()
        if not all(any(one.startswith(word) for one in there) for word in words_of):
            return False
    return True


@method("user.get", _SCOPES)
def get(call: Call) -> Page:
    """Users by `FILTER`, or by filter fields at top level."""
    given = _conditions(call)
    words = {"FIND": given.pop("NAME_SEARCH")} if "NAME_SEARCH" in given else {}
    return _users(call, given, words=words)


@method("user.search", _SCOPES)
def search(call: Call) -> Page:
    """Users by the beginnings of words."""
    given = _conditions(call)
    names = ("FIND", "NAME", "LAST_NAME", "WORK_POSITION", "UF_DEPARTMENT_NAME", "NAME_SEARCH")
    words = {
        n: str(given.pop(k)).replace("%", "") for k in list(given) if (n := k.lstrip("%=")) in names
    }
    return _users(call, given, words=words)


def _write(call: Call) -> Row:
    given = call.get("fields", default=call.params)
    values: Row = {}
    for name, value in entries(given):
        field = _FAMILY.classic.get(name.upper())
        if field is None or field.readonly or field.type == "file":
            continue
        try:
            read = [read_value(call.portal, field, one) for one in values_of(value)]
        except RestError as error:
            raise RestError("ERROR_CORE", error.text) from None
        values[field.key] = read if field.multiple else (read or [None])[0]
    return values


def _check_groups(call: Call) -> None:
    """A guest is invited into a group."""
    if not call.get("sonet_group_id"):
        raise RestError("ERROR_GROUPID", "Group code not specified")
    table, groups = table_of(call, FAMILIES["sonet_group"]), call.numbers("sonet_group_id")
    if not groups or any(table.get(one) is None for one in groups):
        raise RestError("ERROR_NO_GROUP", "Group is specified incorrectly")


@method("user.add", "user")
def add(call: Call) -> Any:
    """Invite somebody."""
    values = _write(call)
    email = str(values.get("email") or "")
    if "@" not in email:
        raise RestError("ERROR_ARGUMENT", "wrong_email")
    if any(str(user["email"]).lower() == email.lower() for user in call.portal.users.values()):
        raise RestError("ERROR_ARGUMENT", "A user with this email already exists")
    extranet = str(call.get("extranet", default="")).upper() == "Y"
    if not values.get("departments") and not extranet:
        raise RestError("ERROR_ARGUMENT", "no_extranet_field")
    if extranet:
        _check_groups(call)
    if 0 < call.portal.settings.user_limit <= len(call.portal.users):
        raise RestError("ERROR_ARGUMENT", "user_count_exceeded")
    values = {"name": "", "lastName": ""} | values | {"external": extranet}
    name, last_name = str(values.pop("name") or ""), str(values.pop("lastName") or "")
    number = call.portal.add_user(name, last_name, **values)
    user = {k: v for k, v in user_view(call.portal.users[number]).items() if isinstance(v, str)}
    call.portal.emit("ONUSERADD", user, f"user/{number}")
    return number


@method("user.update", "user")
def update(call: Call) -> Any:
    """Change somebody."""
    number = call.number("id")
    if number not in call.portal.users:
        raise RestError("ERROR_CORE", "access_denied")
    values = _write(call) | {"changed": call.portal.clock.stamp()}
    call.portal.users[number] |= values
    return True

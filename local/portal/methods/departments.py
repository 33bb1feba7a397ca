"""Departments of the company [api-reference/departments/]."""

from http import HTTPStatus
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.family_list import list_rows
from local.portal.php import entries
from local.portal.rows import hook
from local.portal.table import Row

_DEPARTMENTS = FAMILIES["department"]


@hook("department", "check")
def check_department(call: Call, values: Row, old: Row | None) -> None:
    """There is one department without a parent."""
    parent = values.get("PARENT")
    top = old is not None and old["id"] == 1
    table = call.portal.tables["department"]
    if not top and (parent or old is None) and table.get(parent or 0) is None:
        text = "There can only be one top-level department in the company structure"
        raise RestError("ERROR_CORE", text, HTTPStatus.BAD_REQUEST)


@hook("department", "show")
def show_department(_family: Any, _row: Row, view: Row, _operation: str) -> None:
    """Leave out what nobody set."""
    for name in ("PARENT", "UF_HEAD"):
        if view[name] is None:
            del view[name]


@method("department.get", "department")
def department_get(call: Call) -> Any:
    """Departments by conditions that stand at the top level."""
    names = {name: call.get(name.lower()) for name in _DEPARTMENTS.classic if name != "SORT"}
    given = {name: value for name, value in names.items() if value is not None}
    given |= {k.upper(): v for k, v in entries(call.get("filter", default={}))}
    sort, way = call.get("sort", default="ID"), call.get("order", default="asc")
    order = dict(entries(way)[:1]) if isinstance(way, list | dict) and way else {str(sort): way}
    if str(sort).isdigit():
        given, order = given | {"SORT": sort}, {}
    call.params = {"filter": given, "order": order or {"ID": "ASC"}, "start": call.get("start")}
    return list_rows(call, _DEPARTMENTS)

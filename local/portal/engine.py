"""The engine behind `family.py`: one function for each kind of method, for all families."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import METHODS, Call, Method, intranet_only
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family, title_of, upper_snake
from local.portal.filters import FilterCompiler, compile_order
from local.portal.listing import PAGE, Page, candidates, cut, read_start
from local.portal.php import entries
from local.portal.rows import HOOKS, find_row, insert, run_hook, show, table_of, within
from local.portal.shape import Field
from local.portal.table import Row
from local.portal.tokens import fill
from local.portal.values import read_value


def _allow(call: Call, family: Family, operation: str) -> None:
    if family.data.get("intranet"):
        intranet_only(call)
    if family.scope == "crm" and call.portal.denied(call.user):
        raise family.error(operation, "denied")
    writes = operation in {"add", "update", "delete"}
    if writes and family.data.get("rights") == "admin" and not call.owner().get("admin"):
        raise family.error(operation, "denied")


def _given(call: Call, family: Family, operation: str) -> Row:
    if family.data.get("flat"):
        return dict(call.params)
    value = call.get(*(name.lower() for name in family.given_names))
    if not isinstance(value, dict) and (value or operation == "add" or value is None):
        raise family.error(operation, "given", family.given_names[0])
    return dict(entries(value))


def _values(call: Call, family: Family, operation: str) -> Row:
    values: Row = {}
    for name, value in _given(call, family, operation).items():
        name = family.alias.get(name, name)  # noqa: PLW2901
        field = family.find(name) or (family.lower.get(name) if family.data.get("flat") else None)
        if field is None or field.readonly or (operation == "update" and "i" in field.flags):
            continue
        try:
            if field.multiple:
                values[field.key] = [read_value(call.portal, field, v) for _, v in entries(value)]
            else:
                values[field.key] = read_value(call.portal, field, value)
        except RestError:
            raise family.error(operation, "value", field.name) from None
    return values | within(call, family, operation) | family.fixed


def _fields(call: Call, family: Family) -> Any:
    _allow(call, family, "fields")
    rows = {
        name: field.describe()
        | _api_type(field)
        | ({"upperName": upper_snake(name)} if family.native else {})
        for name, field in family.classic.items()
        if "h" not in field.flags
    }
    if family.data.get("titles"):
        return {name: title_of(name) for name in rows}
    wrap = family.data.get("wrap", ())
    return {(*wrap, "fields")[2]: rows} if wrap and wrap[-1] else rows


def _api_type(field: Field) -> Row:
    kind = field.type if field.type != "letter" else "char"
    return {"type": "boolean" if kind == "bool" else kind}


def _add(call: Call, family: Family) -> Any:
    _allow(call, family, "add")
    table_of(call, family)
    values = _values(call, family, "add")
    needed = [field for field in family.fields.values() if "R" in field.flags]
    absent = [field.name for field in needed if values.get(field.key) in (None, "", [])]
    if absent:
        raise family.error("add", "required", *absent)
    run_hook(family.table, "check", call, values, None)
    row = insert(call, family, values)
    return _wrote(call, family, "add", row)


def _update(call: Call, family: Family) -> Any:
    _allow(call, family, "update")
    old = find_row(call, family, "update")
    values = _values(call, family, "update")
    for name in [n for n, f in family.fields.items() if "R" in f.flags and n in values]:
        if values[name] in (None, "", []):
            raise family.error("update", "required", family.fields[name].name)
    run_hook(family.table, "check", call, values, old)
    row = old | {k: fill(call, v, old["id"]) for k, v in family.touched.items()} | values
    table_of(call, family).put(row["id"], row)
    return _wrote(call, family, "update", row)


def _delete(call: Call, family: Family) -> Any:
    _allow(call, family, "delete")
    row = find_row(call, family, "delete")
    run_hook(family.table, "deleting", call, row)
    table_of(call, family).pop(row["id"])
    return _wrote(call, family, "delete", row)


def emit_write(call: Call, family: Family, operation: str, row: Row) -> None:
    """Raise the event of a write, with what the family's page says it tells."""
    verb, named = operation.upper(), family.data.get("events", {})
    event = named.get(operation) or (family.data.get("event") and family.data["event"] + verb)
    if event:
        told = family.data.get(f"told_{operation}") or family.data.get("told", {"ID": family.key})
        fields = {name: row.get(family.key_of(key)) for name, key in told.items()}
        data = fields if family.data.get("flat_event") else {"FIELDS": fields}
        call.portal.emit(event, data, f"{family.name}/{row['id']}")


def _wrote(call: Call, family: Family, operation: str, row: Row) -> Any:
    run_hook(family.table, operation, call, row)
    call.portal.revision += 1
    emit_write(call, family, operation, row)
    answer = family.answers[operation]
    if answer[:3] == "row":
        return wrapped(family, row, answer[4:])
    return {"id": row.get(family.key, row["id"]), "true": True, "null": None, "empty": []}[answer]


def wrapped(family: Family, row: Row, name: str = "") -> Any:
    """A row as get answers with it, perhaps under another name."""
    view, name = show(family, row), name or family.data.get("wrap", ("",))[0]
    return {name: view} if name else view


def _get(call: Call, family: Family) -> Any:
    _allow(call, family, "get")
    return wrapped(family, find_row(call, family, "get"))


def _list(call: Call, family: Family) -> Page:
    _allow(call, family, "list")
    table, where = table_of(call, family), HOOKS.get((family.table, "where"))
    maps: dict[str, Any] = {}
    for name, names in (("filter", ("filter",)), ("order", _ORDERS)):
        maps[name] = call.get(*names, default={})
        if not isinstance(maps[name], list | dict):
            raise family.error("list", "array", name)
    given = dict(entries(maps["filter"])) | within(call, family, "list")
    given |= {f"={name}": value for name, value in family.fixed.items()}
    if family.operations["list"] == "get" and call.get(family.id_names[0].lower()) is not None:
        given["ID"] = call.get(family.id_names[0].lower())
    order = compile_order(family, maps["order"], family.names)
    order = order or [(family.key_of(name), False) for name in family.data.get("order", [])]
    special = where(call, given) if where else None
    test = FilterCompiler(call.portal, family, family.names).compile(given)
    rows, ordered = candidates(table, given, order)
    rows = filter(test, filter(special, rows) if special else rows)
    start, size = read_start(call.get("start")), family.data.get("page", PAGE)
    page = cut(rows, order, start, ordered=ordered, size=size)
    views = [show(family, row, "list") for row in page.result]
    page.result = [_selected(call, family, view) for view in views]
    if name := family.data.get("wrap", ("", ""))[1]:
        page.result = {name: page.result}
    return page


def _selected(call: Call, family: Family, view: Row) -> Row:
    select = [str(name) for _, name in entries(call.get("select", default=[]))]
    only = {f.name for f in family.fields.values() if "s" in f.flags} - set(select)
    if not select or "*" in select:
        return {name: value for name, value in view.items() if name not in only}
    wanted = {family.key.lower(), *(name.lower() for name in select)}
    return {name: value for name, value in view.items() if name.lower() in wanted}


_RUN: dict[str, Callable[[Call, Family], Any]] = {
    "fields": _fields,
    "add": _add,
    "get": _get,
    "list": _list,
    "update": _update,
    "delete": _delete,
}


_ORDERS = ("order", "iblock_order", "element_order", "section_order")


def _run(run: Callable[[Call, Family], Any], family: Family, call: Call) -> Any:
    return run(call, family)


def register_families() -> None:
    """Make methods of all descriptions."""
    for family in FAMILIES.values():
        for operation, method in family.operations.items():
            name = f"{family.name}.{method}"
            run = partial(_run, _RUN[operation], family)
            order = family.data.get("positional", {}).get(operation, "").split()
            METHODS.setdefault(name.lower(), Method(name, family.scope, run, tuple(order)))

"""The engine behind `family.py`: one function for each kind of method, for all families."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import METHODS, Call, Method
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family, title_of, upper_snake
from local.portal.family_list import allow, list_rows
from local.portal.listing import Page
from local.portal.php import entries
from local.portal.rows import find_row, insert, run_hook, show, table_of, within
from local.portal.rules import check_deletion, check_rules
from local.portal.shape import Field
from local.portal.table import Row
from local.portal.tokens import fill
from local.portal.values import read_value


def _given(call: Call, family: Family, operation: str) -> Row:
    if family.data.get("flat") in {True, operation}:
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
        if field is None or field.readonly:
            if f"{operation}.unknown" in family.data.get("errors", {}):
                raise family.error(operation, "unknown", name)
            continue
        if operation == "update" and "i" in field.flags:
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
    allow(call, family, "fields")
    run_hook(family.table, "fields", call)
    rows = {
        name: _described(family, field)
        for name, field in family.classic.items()
        if "h" not in field.flags
    }
    run_hook(family.table, "described", call, rows)
    if family.data.get("titles"):
        return {name: title_of(name) for name in rows}
    wrap = family.data.get("wrap", ())
    return {(*wrap, "fields")[2]: rows} if wrap and wrap[-1] else rows


def _described(family: Family, field: Field) -> Row:
    kind = {"letter": "char", "bool": "boolean"}.get(field.type, field.type)
    record = field.describe() | {"type": kind}
    if family.native:
        record["upperName"] = upper_snake(field.name)
    if "described" in family.data:
        names = (word.partition("=") for word in family.data["described"].split())
        record = {name: record[member or name] for name, _, member in names}
    if family.data.get("sparse"):
        record = {name: value for name, value in record.items() if value is not False}
    if lines := family.data.get("members", {}).get(field.name):
        inner = (Field(name, name, kind) for name, kind in map(str.split, lines.splitlines()))
        record["definition"] = {one.name: one.describe() for one in inner}
    added: Row = family.data.get("more", {}).get(field.name, {})
    return record | added


def _merge_members(family: Family, values: Row, old: Row) -> None:
    for name in family.data.get("members", {}):
        if isinstance(values.get(name), dict):
            values[name] = (old.get(name) or family.defaults[name]) | values[name]


def _add(call: Call, family: Family) -> Any:
    allow(call, family, "add")
    table_of(call, family)
    values = _values(call, family, "add")
    needed = [field for field in family.fields.values() if "R" in field.flags]
    absent = [field.name for field in needed if values.get(field.key) in (None, "", [])]
    if absent:
        raise family.error("add", "required", *absent)
    _merge_members(family, values, {})
    check_rules(call, family, values, None)
    run_hook(family.table, "check", call, values, None)
    row = insert(call, family, values)
    return _wrote(call, family, "add", row)


def _update(call: Call, family: Family) -> Any:
    allow(call, family, "update")
    old = find_row(call, family, "update")
    values = _values(call, family, "update")
    wanted = [f.name for f in family.fields.values() if "V" in f.flags]
    absent = [name for name in wanted if values.get(family.key_of(name)) in (None, "", [])]
    if absent:
        raise family.error("update", "required", *absent)
    for name in [n for n, f in family.fields.items() if "R" in f.flags and n in values]:
        if values[name] in (None, "", []):
            raise family.error("update", "required", family.fields[name].name)
    _merge_members(family, values, old)
    check_rules(call, family, values, old)
    run_hook(family.table, "check", call, values, old)
    row = old | {k: fill(call, v, old["id"]) for k, v in family.touched.items()} | values
    table_of(call, family).put(row["id"], row)
    return _wrote(call, family, "update", row)


def _delete(call: Call, family: Family) -> Any:
    allow(call, family, "delete")
    row = find_row(call, family, "delete")
    check_deletion(family, row)
    run_hook(family.table, "deleting", call, row)
    table_of(call, family).pop(row["id"])
    return _wrote(call, family, "delete", row)


def emit_write(call: Call, family: Family, operation: str, row: Row) -> None:
    """Raise the event of a write, with what the family's page says it tells."""
    verb, named = operation.upper(), family.data.get("events", {})
    event = named.get(operation) or (family.data.get("event") and family.data["event"] + verb)
    if event:
        names = family.data.get(f"event_fields_{operation}")
        names = names or family.data.get("event_fields", {"ID": family.key})
        fields = {name: row.get(family.key_of(key)) for name, key in names.items()}
        data = fields if family.data.get("flat_event") else {"FIELDS": fields}
        call.portal.emit(event, data, f"{family.name}/{row['id']}")


def _wrote(call: Call, family: Family, operation: str, row: Row) -> Any:
    run_hook(family.table, operation, call, row)
    call.portal.revision += 1
    emit_write(call, family, operation, row)
    answer = family.answers[operation]
    if answer[:3] == "row":
        return wrapped(family, row, answer[4:], operation)
    if answer == "view":
        return show(family, row)
    return {"id": row.get(family.key, row["id"]), "true": True, "null": None, "empty": []}[answer]


def wrapped(family: Family, row: Row, name: str = "", operation: str = "get") -> Any:
    """A row as get answers with it, perhaps under another name."""
    view, name = show(family, row, operation), name or family.data.get("wrap", ("",))[0]
    return {name: view} if name else view


def _get(call: Call, family: Family) -> Any:
    allow(call, family, "get")
    row = find_row(call, family, "get")
    run_hook(family.table, "reading", call, row)
    view = wrapped(family, row)
    return Page(view, 0) if family.data.get("counted") else view


_RUN: dict[str, Callable[[Call, Family], Any]] = {
    "fields": _fields,
    "add": _add,
    "get": _get,
    "list": list_rows,
    "update": _update,
    "delete": _delete,
}


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

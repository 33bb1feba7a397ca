"""Rows of families: where they lie, how one is found, stored and shown."""

from collections.abc import Callable
from typing import Any

from local.portal.call import Call
from local.portal.family import FAMILIES, Family
from local.portal.php import entries, int_or_none
from local.portal.shape import Field
from local.portal.table import Row, Table
from local.portal.tokens import fill
from local.portal.view import classic_value

# What is special about a family: `(table, moment)` to a function. Moments:
# `fields`    its fields are asked for; `described` what is told of them, which may change
# `before`    the table is looked at
# `reading`   the row that get answers with
# `check`     values before they are stored, and the old row or None
# `add`, `update`, `delete`  the row that was written; `deleting` the row that still can stay
# `show`      family, row, view and operation; may change the view
# `listed`    family and view; answers with the view as a list has it
# `where`     a list's filter; may take conditions out of it, answers with a test of a row or None
Hook = Callable[..., Any]
HOOKS: dict[tuple[str, str], Hook] = {}


def hook(family: str, *moments: str) -> Callable[[Hook], Hook]:
    """Register what is special about a family."""

    def register(run: Hook) -> Hook:
        for moment in moments:
            HOOKS[family, moment] = run
        return run

    return register


def run_hook(name: str, moment: str, *arguments: Any) -> None:
    """Do what is special at this moment, if anything is."""
    run = HOOKS.get((name, moment))
    if run is not None:
        run(*arguments)


def table_of(call: Call, family: Family) -> Table:
    """Find the rows of a family, those of a new portal among them."""
    tables = call.portal.tables
    if family.table not in tables:
        tables[family.table] = Table()
        for row in family.data.get("rows", ()):
            number = int(row.get(family.key, 0)) if not family.text_key else 0
            insert(call, family, {family.key_of(k): v for k, v in row.items()}, number)
    run_hook(family.table, "before", call)
    return tables[family.table]


def insert(call: Call, family: Family, values: Row, number: int = 0) -> Row:
    """Store a new row with its defaults."""
    table = table_of(call, family)
    number = number or table.next_id()
    row = {key: fill(call, value, number) for key, value in family.defaults.items()}
    row |= values | {"id": number}
    table.put(number, row)
    return row


def show(family: Family, row: Row, operation: str = "get") -> Row:
    """Show a row as its family does."""
    view = {}
    for field in family.classic.values():
        key = field.key
        hidden = "gw" if operation == "list" else "sw"
        if any(flag in field.flags for flag in hidden):
            continue
        value = row.get(key, family.blank.get(key))
        if value is None and "o" in field.flags:
            continue
        numeric = {"get": "e", "list": "l", "add": "a", "update": "u"}.get(
            operation, " "
        ) in field.flags
        view[field.name] = value if numeric else _shown(family, field, value)
    run_hook(family.table, "show", family, row, view, operation)
    return view


def _shown(family: Family, field: Field, value: Any) -> Any:
    if isinstance(value, list | dict | bool) and not field.multiple:
        return value
    if family.native is not ("t" in field.flags) or "n" in field.flags:
        return value
    if field.type == "double" and value is not None:
        return f"{float(value):.{4 if 'q' in field.flags else 2}f}"
    return classic_value(field, value) if value != "" else ""


def within(call: Call, family: Family, operation: str) -> Row:
    """What every call of the family names, or a list of it, numbers as numbers."""
    found: Row = {}
    of = family.data.get("of", {}) if operation == "list" else {}
    for name in (*family.within, *of):
        value = call.get(family.params.get(name, name).lower())
        if value is None:
            raise family.error(operation, "within", name)
        found[name] = int_or_none(value) if int_or_none(value) is not None else value
        number = int_or_none(value) or 0
        if of.get(name) and table_of(call, FAMILIES[of[name]]).get(number) is None:
            raise FAMILIES[of[name]].error("get", "missing", str(value))
    return found


def row_of(call: Call, family: Family, value: Any) -> Row | None:
    """The row that has this key."""
    table = table_of(call, family)
    if family.text_key:
        return next((row for row in table.walk() if str(row.get(family.key)) == str(value)), None)
    return table.get(int_or_none(value) or 0)


def find_row(call: Call, family: Family, operation: str) -> Row:
    """The row of the request's id, or the family's error."""
    if family.key_fields:
        return _row_of_key(call, family, operation)
    table_of(call, family)
    value = call.get(*(name.lower() for name in family.id_names))
    if value is None or value == "" or isinstance(value, list | dict | bool):
        kind = "none" if value is None else "id"
        raise family.error(operation, kind, family.id_names[0])
    if not (family.text_key or family.native or int_or_none(value)):
        raise family.error(operation, "id", family.id_names[0])
    row = row_of(call, family, value)
    named = within(call, family, operation) | family.fixed
    if row is None or any(str(row.get(k)) != str(v) for k, v in named.items()):
        raise family.error(operation, "missing", str(value))
    return row


def _row_of_key(call: Call, family: Family, operation: str) -> Row:
    given = call.get(family.given_names[0]) or call.params
    named = {str(k).replace("_", "").lower(): v for k, v in entries(given)}
    wanted = {name: named.get(name.replace("_", "").lower()) for name in family.key_fields}
    for name, value in wanted.items():
        if int_or_none(value) is None:
            raise family.error(operation, "id", name)
    for row in table_of(call, family).walk():
        if all(str(row.get(name)) == str(value) for name, value in wanted.items()):
            return row
    raise family.error(operation, "missing")

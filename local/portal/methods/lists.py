"""Universal lists: what is special about their fields and elements [api-reference/lists/]."""

from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.filters import FilterCompiler, Predicate
from local.portal.php import entries
from local.portal.rows import hook, table_of
from local.portal.shape import Field, Shape
from local.portal.table import Row

_LISTS, _FIELD = FAMILIES["lists"], FAMILIES["lists.field"]
_ELEMENT = FAMILIES["lists.element"]
_MARKS = "!<>=%@"
_NOBODY = 2**53  # a number that no row has


def _iblock(call: Call) -> Row:
    """The list of `IBLOCK_ID` or `IBLOCK_CODE`."""
    row = table_of(call, _LISTS).get(call.number("iblock_id"))
    if row is None:
        raise RestError("ERROR_IBLOCK_NOT_FOUND", "Iblock not found")
    return row


def _number_of_code(call: Call, table: str, word: str, within: Row) -> None:
    """Put the number of what a code names among the parameters, where no number is given."""
    code = call.get(f"{word}_code")
    if code is not None and not call.number(f"{word}_id"):
        wanted = within | {"CODE": str(code)}
        rows = (row for row in call.portal.tables[table].walk() if wanted.items() <= row.items())
        number = next((row["id"] for row in rows), _NOBODY)
        call.params = {**call.params, f"{word}_id": number}


@hook("lists", "before")
def list_of_code(call: Call) -> None:
    """A list has a number and a code."""
    _number_of_code(call, "lists", "iblock", {})


def list_of(call: Call) -> Row:
    """The list, and the type that it is said to be of."""
    row = _iblock(call)
    call.params = {**call.params, "iblock_id": row["id"]}
    return row


hook("lists.field", "before")(list_of)


def _of_code(word: str, call: Call) -> None:
    """A section or an element has a number and a code."""
    _number_of_code(call, f"lists.{word}", word, {"IBLOCK_ID": list_of(call)["id"]})


for _word in ("section", "element"):
    hook(f"lists.{_word}", "before")(partial(_of_code, _word))


@hook("lists", "where")
def lists_of_group(call: Call, given: Row) -> None:
    """Lists of a group."""
    if call.get("socnet_group_id") is not None:
        given["=SOCNET_GROUP_ID"] = call.get("socnet_group_id")


@hook("lists.section", "where")
def list_conditions(call: Call, given: Row) -> Predicate | None:
    """Conditions on the list that the sections are in."""
    names = [name for name in given if name.lstrip(_MARKS)[:7] == "IBLOCK_" and name[-2:] != "ID"]
    own = {name.replace("IBLOCK_", ""): given.pop(name) for name in names}
    own = {name.replace("TYPE", "IBLOCK_TYPE_ID"): value for name, value in own.items()}
    test = FilterCompiler(call.portal, _LISTS, "classic").compile(own)
    fits = test is None or test(_iblock(call))
    return None if fits else lambda _row: False


@hook("lists.element", "where")
def property_conditions(call: Call, given: Row) -> Predicate | None:
    """Conditions on the list's own fields: one value of a field fits, or none for `!`."""
    names = [name for name in given if name.lstrip(_MARKS).startswith("PROPERTY_")]
    own, shape = {name: given.pop(name) for name in names}, Shape()
    for name in names:
        key, number = name.lstrip(_MARKS), isinstance(own[name], int | float)
        shape.add_field(Field(key, key, "double" if number else "string"))
    test = FilterCompiler(call.portal, shape, "classic").compile(own)
    return test and (
        lambda row: test({key: _first(row, field) for key, field in shape.fields.items()})
    )


def _first(row: Row, field: Field) -> Any:
    value: Any = next(iter((row.get(field.key) or {}).values()), None)
    number = field.type == "double" and str(value).replace(".", "", 1).isdigit()
    return float(value) if number else value


@hook("lists", "check")
def check_list(call: Call, values: Row, old: Row | None) -> None:
    """A list's code is its own; messages name its parts."""
    if old is None:
        code = call.get("iblock_code")
        if any(row.get("CODE") == code for row in call.portal.tables["lists"].walk()):
            raise RestError("ERROR_IBLOCK_ALREADY_EXISTS", "Iblock already exists")
        values["CODE"] = str(code)
        values["SOCNET_GROUP_ID"] = call.number("socnet_group_id") or None
    shown = _LISTS.classic
    values |= {k: str(v) for k, v in entries(call.get("messages")) if k in shown}


@hook("lists.section", "check")
def check_section(call: Call, values: Row, old: Row | None) -> None:
    """Code and parent stand beside the fields."""
    if call.get("section_code"):
        values["CODE"] = str(call.get("section_code"))
    if old is None:
        values["IBLOCK_SECTION_ID"] = call.number("iblock_section_id") or None
    values["EXTERNAL_ID"] = values.get("XML_ID", values.get("EXTERNAL_ID"))
    values["SEARCHABLE_CONTENT"] = str(values.get("NAME", (old or {}).get("NAME"))).upper()


@hook("lists.element", "check")
def check_element(call: Call, values: Row, old: Row | None) -> None:
    """Keep values of the list's own fields, each with a number."""
    if old is None:
        values["CODE"] = str(call.get("element_code"))
        same = {"IBLOCK_ID": values["IBLOCK_ID"], "CODE": values["CODE"]}
        if any(same.items() <= row.items() for row in table_of(call, _ELEMENT).walk()):
            raise RestError("ERROR_ELEMENT_ALREADY_EXISTS", "Element already exists")
        values["IBLOCK_SECTION_ID"] = call.number("iblock_section_id") or None
        owner = call.owner()
        values["CREATED_USER_NAME"] = f"{owner['name']} {owner['lastName']}"
    for name, value in entries(call.get("fields")):
        if name.startswith("PROPERTY_"):
            given = entries(value) if isinstance(value, list | dict) else [("", value)]
            numbers = [str(call.portal.next_multi_field_id()) for _ in given]
            values[name] = dict(zip(numbers, [str(one) for _, one in given], strict=True))


@hook("lists.element", "show")
def show_element(_family: Family, row: Row, view: Row, _operation: str) -> None:
    """Show the list's own fields."""
    view |= {name: value for name, value in row.items() if name.startswith("PROPERTY_")}


@method("lists.get.iblock.type.id", "lists")
def iblock_type(call: Call) -> Any:
    """What kind of list a list is."""
    return _iblock(call)["IBLOCK_TYPE_ID"]


@method("lists.element.get.file.url", "lists")
def file_url(call: Call) -> Any:
    """Addresses of an element's files."""
    _of_code("element", call)
    row = table_of(call, _ELEMENT).get(call.number("element_id"))
    if row is None:
        raise _ELEMENT.error("get", "missing")
    name = f"PROPERTY_{str(call.get('field_id')).removeprefix('PROPERTY_')}"
    files = row.get(name) or {}
    head = f"/company/lists/{call.number('iblock_id')}/file/0/{call.number('element_id')}/{name}"
    return [f"{head}/{number}/?ncc=y&download=y" for number in files.values()]

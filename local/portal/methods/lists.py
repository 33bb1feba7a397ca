"""Universal lists: what is special about their fields and elements [api-reference/lists/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES, Family
from local.portal.php import entries
from local.portal.rows import hook, show, table_of
from local.portal.table import Row

_FIELD, _ELEMENT = FAMILIES["lists.field"], FAMILIES["lists.element"]
_TYPES = {"S": "Text", "N": "Number", "L": "List", "F": "File", "G": "Section", "E": "Element"}
_TYPES |= {"S:Date": "Date", "S:DateTime": "Date and time", "S:HTML": "Text with marks"}
_TYPES |= {
    "S:Money": "Money",
    "S:employee": "Employee",
    "S:ECrm": "CRM item",
    "N:Sequence": "Counter",
}
_TYPES |= {"S:DiskFile": "File of the disk", "E:EList": "Element of a list"}
_SYSTEM = (
    *("SORT", "ACTIVE_FROM", "ACTIVE_TO", "PREVIEW_PICTURE", "PREVIEW_TEXT", "DETAIL_PICTURE"),
    *("DETAIL_TEXT", "CREATED_BY", "TIMESTAMP_X", "MODIFIED_BY"),
)


def _missing(name: str) -> RestError:
    text = f"Required parameter `{name}` is missing"
    return RestError("ERROR_REQUIRED_PARAMETERS_MISSING", text)


def _iblock(call: Call) -> Row:
    """The list of `IBLOCK_ID` or `IBLOCK_CODE`; the id is put among the parameters."""
    number, code = call.number("iblock_id"), call.get("iblock_code")
    if not number and not code:
        raise _missing("IBLOCK_ID")
    for row in table_of(call, FAMILIES["lists"]).walk():
        if row["id"] == number or (not number and row.get("CODE") == code):
            call.params = {**call.params, "iblock_id": row["id"]}
            return row
    raise RestError("ERROR_IBLOCK_NOT_FOUND", "Iblock not found")


def _typed(call: Call) -> Row:
    """The list, and the type that it is said to be of."""
    if not call.get("iblock_type_id"):
        raise _missing("IBLOCK_TYPE_ID")
    return _iblock(call)


for _name in ("lists.section", "lists.element", "lists.field"):
    hook(_name, "before")(_typed)


@hook("lists", "check")
def check_list(call: Call, values: Row, old: Row | None) -> None:
    """A list's code is its own; messages name its parts."""
    if old is None:
        code = call.get("iblock_code")
        if not code:
            raise _missing("IBLOCK_CODE")
        if any(row.get("CODE") == code for row in call.portal.tables["lists"].walk()):
            raise RestError("ERROR_IBLOCK_ALREADY_EXISTS", "Iblock already exists")
        values["CODE"] = str(code)
    shown = FAMILIES["lists"].classic
    values |= {k: str(v) for k, v in entries(call.get("messages")) if k in shown}


@hook("lists.section", "check")
def check_section(call: Call, values: Row, old: Row | None) -> None:
    """Code and parent stand beside the fields."""
    if call.get("section_code"):
        values["CODE"] = str(call.get("section_code"))
    if old is None:
        if not call.get("section_code"):
            raise _missing("SECTION_CODE")
        values["IBLOCK_SECTION_ID"] = call.number("iblock_section_id") or None
    values["EXTERNAL_ID"] = values.get("XML_ID", values.get("EXTERNAL_ID"))
    values["SEARCHABLE_CONTENT"] = str(values.get("NAME", (old or {}).get("NAME"))).upper()


@hook("lists.element", "check")
def check_element(call: Call, values: Row, old: Row | None) -> None:
    """Keep values of the list's own fields, each with a number."""
    if old is None:
        if not call.get("element_code"):
            raise _missing("ELEMENT_CODE")
        values["CODE"] = str(call.get("element_code"))
        same = {"IBLOCK_ID": values["IBLOCK_ID"], "CODE": values["CODE"]}
        if any(same.items() <= row.items() for row in table_of(call, _ELEMENT).walk()):
            raise RestError("ERROR_ELEMENT_ALREADY_EXISTS", "Element already exists")
        values["IBLOCK_SECTION_ID"] = call.number("iblock_section_id") or None
    for name, value in entries(call.get("fields")):
        if name.startswith("PROPERTY_"):
            given = entries(value) if isinstance(value, list | dict) else [("", value)]
            numbers = [str(call.portal.next_multi_field_id()) for _ in given]
            values[name] = dict(zip(numbers, [str(one) for _, one in given], strict=True))


@hook("lists.element", "show")
def show_element(_family: Family, row: Row, view: Row, _operation: str) -> None:
    """Show the list's own fields."""
    view |= {name: value for name, value in row.items() if name.startswith("PROPERTY_")}


@hook("lists.field", "check")
def check_field(call: Call, values: Row, old: Row | None) -> None:
    """Name a field, and number the values of a list."""
    if old is None:
        kind = str(values["TYPE"])
        if kind in _SYSTEM:
            values["FIELD_ID"] = kind
        elif not values.get("CODE"):
            raise RestError("ERROR_SAVE_FIELD", "Please fill the code fields")
        else:
            values["FIELD_ID"] = f"PROPERTY_{call.portal.tables['lists.field'].last_id + 1}"
        plain, _, special = kind.partition(":")
        values |= {"PROPERTY_TYPE": plain, "PROPERTY_USER_TYPE": special or False}
    names = [str(dict(entries(one)).get("VALUE", "")) for _, one in entries(values.get("LIST"))]
    names += str(values.get("LIST_TEXT_VALUES") or "").split()
    if names:
        numbers = [str(call.portal.next_multi_field_id()) for _ in names]
        values["DISPLAY_VALUES_FORM"] = dict(zip(numbers, names, strict=True))


@method("lists.field.get", "lists")
def field_get(call: Call) -> Any:
    """Fields of a list by their names, or one of them by its type."""
    table, wanted = table_of(call, _FIELD), call.get("field_id")
    rows = [row for row in table.walk() if row["IBLOCK_ID"] == call.number("iblock_id")]
    if wanted is not None:
        return {r["TYPE"]: show(_FIELD, r) for r in rows if r["FIELD_ID"] == str(wanted)} or []
    name = {"FIELD_ID": "NAME", "SORT": 10, "NAME": "Name", "IS_REQUIRED": "Y", "MULTIPLE": "N"}
    name |= {"DEFAULT_VALUE": "", "TYPE": "NAME"}
    return {"NAME": name} | {row["FIELD_ID"]: show(_FIELD, row) for row in rows}


@method("lists.field.type.get", "lists")
def field_types(call: Call) -> Any:
    """Types that a field of a list may have."""
    _typed(call)
    return {name: name.replace("_", " ").capitalize() for name in _SYSTEM} | _TYPES


@method("lists.get.iblock.type.id", "lists")
def iblock_type(call: Call) -> Any:
    """What kind of list a list is."""
    return _iblock(call)["IBLOCK_TYPE_ID"]


@method("lists.element.get.file.url", "lists")
def file_url(call: Call) -> Any:
    """Addresses of an element's files."""
    for name in ("ELEMENT_ID", "FIELD_ID"):
        if call.get(name.lower()) is None:
            raise _missing(name)
    row = table_of(call, FAMILIES["lists.element"]).get(call.number("element_id"))
    name = f"PROPERTY_{str(call.get('field_id')).removeprefix('PROPERTY_')}"
    files = (row or {}).get(name) or {}
    head = f"/company/lists/{call.number('iblock_id')}/file/0/{call.number('element_id')}/{name}"
    return [f"{head}/{number}/?ncc=y&download=y" for number in files.values()]

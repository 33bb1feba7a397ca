"""Classic `crm.{deal,lead,contact,company}.*`: frozen, and what most clients still call.

Their error code is empty; the text is the discriminator, and it differs by entity.
"""

from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic
from local.portal.family import FAMILIES
from local.portal.item_lists import page_of
from local.portal.items import add_item, delete_item, subject_of, update_item
from local.portal.listing import Page
from local.portal.methods.imports import audit_of
from local.portal.php import entries
from local.portal.rows import table_of
from local.portal.schema import EntityType
from local.portal.table import Row
from local.portal.values import read_fields
from local.portal.view import classic_view, is_multi_field

_TYPES = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7}
_MISSING = {  # what a write says of an item that is not there, other than "Not found"
    "contact.update": ("", "Contact is not found"),
    "company.update": ("", "Company is not found"),
    "quote.update": ("", "Quote is not found"),
    "company.delete": ("", "Company is not found"),
    "contact.delete": ("ERROR_CORE", "Element not found"),
    "quote.delete": ("ERROR_CORE", "Element not found"),
}
_IMPORTED = {"contact", "company", "quote"}  # may be added with IMPORT=Y


def _entity(call: Call, code: str) -> EntityType:
    return call.portal.types[_TYPES[code]]


def _item(call: Call, entity: EntityType, verb: str) -> Row:
    row = call.portal.items[entity.number].get(call.number("id"))
    if row is None:
        raise RestError(*_MISSING.get(f"{entity.code}.{verb}", ("", "Not found")))
    if not call.portal.may_read(call.user, entity.number, row):
        raise classic("Access denied.")
    return row


def _get(code: str, call: Call) -> Any:
    entity = _entity(call, code)
    row = _item(call, entity, "get")
    call.touched.append(("read", subject_of(entity, row["id"])))
    view = classic_view(entity, row, call.webhook)
    unset = {name: "" for name, one in view.items() if one is None and name.startswith("UF_")}
    return view | unset  # where a list has null


def _list(code: str, call: Call) -> Page:
    entity = _entity(call, code)
    if call.portal.denied(call.user, entity.number):
        raise classic("Access denied.")
    given, order = call.get("filter", default={}), call.get("order", default={})
    page = page_of(call, entity, "classic", given, order)
    select = [str(name).upper() for _, name in entries(call.get("select", default=[]))]
    page.result = [_select(classic_view(entity, row, call.webhook), select) for row in page.result]
    return page


def _select(view: Row, select: list[str]) -> Row:
    """Masks `*` and `UF_*`; multi-fields must be named; ID is always there."""
    everything = not select or "*" in select
    users = "UF_*" in select
    wanted = {"ID", *select}
    return {
        name: value
        for name, value in view.items()
        if name in wanted
        or (everything and not name.startswith("UF_") and not is_multi_field(name))
        or (users and name.startswith("UF_"))
    }


def _check_emails(entity: EntityType, multi: Any) -> None:
    field = {"contact": "field Work e-mail", "company": "E-mail field"}.get(entity.code)
    for _, row in multi if field else ():
        if row.get("typeId") == "EMAIL" and row.get("value") and "@" not in str(row["value"]):
            raise RestError("ERROR_CORE", f"The {field} contains an invalid address<br>")


def _add(code: str, call: Call) -> Any:
    entity = _entity(call, code)
    given = call.get("fields") or {}
    if call.portal.denied(call.user, entity.number):
        raise classic("Access denied.")
    values, multi = _read(call, entity, given)
    imports = dict(entries(call.get("params"))).get("IMPORT") == "Y"
    try:
        audit = audit_of(call, entity, given) if imports and code in _IMPORTED else {}
        return add_item(call.portal, entity, values, call.actor, multi, audit=audit)["id"]
    except RestError as error:
        raise classic(error.text) from None


def _update(code: str, call: Call) -> Any:
    entity = _entity(call, code)
    row = _item(call, entity, "update")
    values, multi = _read(call, entity, call.get("fields"))
    for key in [key for key in values if "i" in entity.fields[key].flags]:
        del values[key]  # CATEGORY_ID: the funnel is changed with crm.item.update
    try:
        update_item(call.portal, entity, row, values, call.actor, multi)
    except RestError as error:
        raise classic(error.text) from None
    return True


def _read(call: Call, entity: EntityType, given: Any) -> tuple[Row, Any]:
    try:
        values, multi = read_fields(call.portal, entity, given, "classic")
    except RestError as error:
        raise classic(error.text) from None
    _check_emails(entity, multi)
    code = values.get("currencyId") if entity.code == "deal" else None
    rows = table_of(call, FAMILIES["crm.currency"]).walk() if code else ()
    if code and all(row["CURRENCY"] != code for row in rows):
        raise classic('Invalid value for the "Currency" field')
    return values, multi


def _delete(code: str, call: Call) -> Any:
    entity = _entity(call, code)
    delete_item(call.portal, entity, _item(call, entity, "delete"))
    return True


def _fields(code: str, call: Call) -> Any:
    entity = _entity(call, code)
    if code == "company" and call.portal.denied(call.user, entity.number):
        raise classic("Access denied.")
    return {name: field.describe() for name, field in entity.classic.items() if name != "OBSERVERS"}


for _code in _TYPES:
    for _run in (_get, _list, _add, _update, _delete, _fields):
        method(f"crm.{_code}.{_run.__name__.lstrip('_')}", "crm")(partial(_run, _code))

"""Call lists, links of requisites, and deals that repeat themselves [crm/call-list/, …]."""

from types import NoneType
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic
from local.portal.family import FAMILIES
from local.portal.items import add_item
from local.portal.php import entries, int_or_none
from local.portal.rows import find_row, hook, table_of
from local.portal.table import Row

_TYPES = {"CONTACT": 3, "COMPANY": 4}
_LINKED = (
    ("REQUISITE_ID", "crm.requisite", "Requisite"),
    ("BANK_DETAIL_ID", "crm.requisite.bankdetail", "BankDetail"),
    ("MC_REQUISITE_ID", "crm.requisite", "Requisite of your company"),
    ("MC_BANK_DETAIL_ID", "crm.requisite.bankdetail", "BankDetail of your company"),
)
_STATUSES = {"IN_WORK", "SUCCESS", "WRONG_NUMBER", "STOP_CALLING"}


@hook("crm.requisite.link", "check")
def check_link(call: Call, values: Row, old: Row | None) -> None:
    """What is linked must be there: the client's requisite and account, and those of one's own."""
    row = (old or {}) | values
    for name, family, words in _LINKED:
        number = row.get(name) or 0
        if number < 0:
            raise classic(f"{name} is not defined or invalid.")
        found = table_of(call, FAMILIES[family]).get(number)
        if number and found is None:
            raise classic(f"The {words} with ID '{number}' is not found")
        if found and "ENTITY_ID" in found and family == _LINKED[1][1]:
            of, owner = _LINKED[0 if name == _LINKED[1][0] else 2][0::2]
            if found["ENTITY_ID"] != row.get(of):
                text = f"is not assigned to {owner} with ID '{row.get(of)}'"
                raise classic(f"The {words} with ID '{number}' {text}")


@hook("crm.requisite.preset.field", "before")
def of_preset(call: Call) -> None:
    """Fields are those of a template, which a request names in an object of its own."""
    number = int_or_none(dict(entries(call.get("preset"))).get("ID")) or 0
    if number <= 0:
        raise classic("ID is not defined or invalid.")
    if table_of(call, FAMILIES["crm.requisite.preset"]).get(number) is None:
        raise classic(f"The Preset with ID '{number}' is not found")
    call.params = {**call.params, "preset_id": number}


@hook("crm.calllist", "check")
def check_call_list(call: Call, values: Row, old: Row | None) -> None:
    """Who is to be called must be there."""
    kind = str(call.get("entity_type"))
    numbers = [int_or_none(value) or 0 for _, value in entries(call.get("entities"))]
    table = call.portal.items[_TYPES[kind]]
    if not numbers or any(table.get(number) is None for number in numbers):
        code = "ENTITY_ERROR" if old is None else "ENTITIES_ERROR"
        raise RestError(code, "Incorrect entities id")
    if old is not None and old["ENTITY_TYPE"] != kind:
        text = "Discrepancy between the type of call participants and incoming type"
        raise RestError("ENTITY_TYPE_ERROR", text)
    values |= {"ENTITY_TYPE": kind, "ENTITY_TYPE_ID": _TYPES[kind], "ENTITIES": numbers}


@method("crm.calllist.items.get", "crm")
def call_list_items(call: Call) -> Any:
    """Who is to be called, and how far it is."""
    status = dict(entries(call.get("filter", default={}))).get("STATUS")
    if status is not None and str(status) not in _STATUSES:
        raise RestError("STATUS_ERROR", "Incorrect status")
    call.params = {**call.params, "id": call.number("list_id")}
    row = find_row(call, FAMILIES["crm.calllist"], "items")
    kind = row["ENTITY_TYPE_ID"]
    rows = [{"ID": n, "STATUS": "IN_WORK", "ENTITY_TYPE": kind} for n in row["ENTITIES"]]
    return rows if status in (None, "IN_WORK") else []


@method("crm.deal.recurring.expose", "crm")
def expose(call: Call) -> Any:
    """Make a deal of the pattern now."""
    family, portal = FAMILIES["crm.deal.recurring"], call.portal
    row = find_row(call, family, "expose")
    pattern = portal.items[2].get(row["DEAL_ID"]) or {}
    own = ("title", "typeId", "opportunity", "currencyId", "companyId", "contactId", "contactIds")
    values = {key: pattern[key] for key in own if key in pattern}
    values["categoryId"] = row.get("CATEGORY_ID") or 0
    if not portal.directories.has_category(2, values["categoryId"]):
        values["categoryId"] = 0
    number = add_item(portal, portal.types[2], values, call.actor)["id"]
    row["COUNTER_REPEAT"] = int(row.get("COUNTER_REPEAT") or 0) + 1
    row["LAST_EXECUTION"] = portal.clock.stamp()
    fields = {"ID": row["id"], "RECURRING_DEAL_ID": row["DEAL_ID"], "DEAL_ID": number}
    portal.emit("ONCRMDEALRECURRINGEXPOSE", {"FIELDS": fields}, f"deal/{number}")
    return {"DEAL_ID": number}


def _user_fields(call: Call) -> list[str]:
    rows = table_of(call, FAMILIES["crm.requisite.userfield"]).walk()
    return [row["FIELD_NAME"] for row in rows if row["ENTITY_ID"] == "CRM_REQUISITE"]


@hook("crm.requisite", "check")
def keep_user_fields(call: Call, values: Row, _old: Row | None) -> None:
    """Requisites have the fields that people made for them."""
    given = dict(entries(call.get("fields")))
    values |= {name: given[name] for name in _user_fields(call) if name in given}


@hook("crm.requisite", "show")
def show_user_fields(_family: Any, row: Row, view: Row, _operation: str) -> None:
    """Show them beside the others, as texts."""
    for name, value in row.items():
        if name.startswith("UF_"):
            view[name] = value if isinstance(value, list | NoneType) else str(value)


@method("crm.requisite.preset.field.availabletoadd", "crm")
def available_to_add(call: Call) -> Any:
    """Names of a template's fields that it has not yet."""
    try:
        rows = table_of(call, FAMILIES["crm.requisite.preset.field"]).walk()
    except RestError:
        raise classic("Template not found.") from None
    taken = {row["FIELD_NAME"] for row in rows if row["PRESET_ID"] == call.get("preset_id")}
    names = [one for one in FAMILIES["crm.requisite"].classic if one.startswith("RQ_")]
    return [name for name in names + _user_fields(call) if name not in taken]

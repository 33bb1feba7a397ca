"""`crm.item.*` [api-reference/crm/universal/]."""

from typing import Any

from local.portal.call import Call, intranet_only, method
from local.portal.errors import RestError, access_denied, missing, not_found
from local.portal.item_lists import page_of
from local.portal.items import add_item, delete_item, subject_of, update_item
from local.portal.listing import Page
from local.portal.php import entries
from local.portal.schema import FIRST_DYNAMIC, EntityType
from local.portal.table import Row
from local.portal.values import read_fields
from local.portal.view import item_view

_OLD_INVOICE = 5


def entity_of(call: Call, missing_text: str = "Smart process not found") -> EntityType:
    """The type of `entityTypeId`, if the owner may come near it."""
    value = call.get("entitytypeid")
    if value is None:
        raise missing("entityTypeId")
    intranet_only(call)
    number = call.number("entitytypeid")
    if number == _OLD_INVOICE:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", "Entity type INVOICE is not supported")
    entity = call.portal.types.get(number)
    if entity is None or (number == 1 and not call.portal.settings.leads_enabled):
        raise not_found(missing_text)
    return entity


def names_of(call: Call) -> str:
    """How this call names fields."""
    return "original" if call.flag("useoriginalufnames") else "item"


def item_of(
    call: Call,
    entity: EntityType,
    denied_text: str = "Access denied",
    missing_text: str = "Item not found",
) -> Row:
    """The item of `id`; NOT_FOUND and ACCESS_DENIED are told apart here, unlike in lists."""
    if call.get("id") is None:
        raise missing("id")
    row = call.portal.items[entity.number].get(call.number("id"))
    if row is None:
        raise not_found(missing_text)
    if not call.portal.may_read(call.user, entity.number, row):
        raise access_denied(denied_text)
    call.touched.append(("read", subject_of(entity, row["id"])))
    return row


def _answer(call: Call, entity: EntityType, row: Row) -> Row:
    view = item_view(
        call.portal, entity, row, call.webhook, original=call.flag("useoriginalufnames")
    )
    return {"item": view}


@method("crm.item.get", "crm")
def get(call: Call) -> Any:
    """Answer with all fields of an item."""
    entity = entity_of(call)
    denied = "You do not have permission to view this item"
    return _answer(call, entity, item_of(call, entity, denied, "Element not found"))


@method("crm.item.list", "crm")
def list_items(call: Call) -> Page:
    """Answer with the readable items that match."""
    entity = entity_of(call)
    given, order = call.get("filter", default={}), call.get("order", default={})
    page = page_of(call, entity, names_of(call), given, order)
    page.result = {"items": _selected(call, entity, page.result)}
    return page


def _selected(call: Call, entity: EntityType, rows: list[Row]) -> list[Row]:
    select = [str(name) for _, name in entries(call.get("select", default=[]))]
    original = call.flag("useoriginalufnames")
    views = [item_view(call.portal, entity, row, call.webhook, original=original) for row in rows]
    if "*" in select:
        return views  # the only way to get `fm` [crm-item-list.md]
    if not select:
        for view in views:
            view.pop("fm", None)
        return views
    keys = ["id", *(name for name in select if name != "id")]
    shown = [key for key in keys if key in entity.blank or key == "fm" or entity.find(key)]
    if original:
        shown += [key for key in keys if key in entity.classic and key.startswith("UF_")]
    return [{key: view[key] for key in shown if key in view} for view in views]


def fields_of(call: Call) -> Any:
    """Read the `fields` of a request, which must be an array."""
    given = call.get("fields")
    if given is None:
        raise missing("fields")
    if not isinstance(given, list | dict):
        raise RestError(
            "100",
            f"Invalid value {{{given}}} to match with parameter {{fields}}. "
            "Should be value of type array.",
        )
    return given


def check_writable(call: Call, entity: EntityType, verb: str) -> None:
    """Refuse who may not write, and what the plan restricts."""
    if call.portal.denied(call.user, entity.number):
        raise access_denied()
    if call.portal.settings.plan_restricted and entity.number >= FIRST_DYNAMIC:
        text = {"CREATE": "create a new", "UPDATE": "change the"}[verb]
        raise RestError(
            f"{verb}_DYNAMIC_ITEM_RESTRICTED",
            f"You cannot {text} item due to your plan restrictions",
        )


@method("crm.item.add", "crm")
def add(call: Call) -> Any:
    """Make an item and answer with all of it."""
    entity = entity_of(call)
    check_writable(call, entity, "CREATE")
    values, multi = read_fields(call.portal, entity, fields_of(call), names_of(call))
    row = add_item(call.portal, entity, values, call.actor, multi)
    return _answer(call, entity, row)


@method("crm.item.update", "crm")
def update(call: Call) -> Any:
    """Change an item; nothing is saved where nothing changes [crm-item-update.md]."""
    entity = entity_of(call)
    old = item_of(call, entity)
    check_writable(call, entity, "UPDATE")
    call.touched.clear()
    values, multi = read_fields(call.portal, entity, fields_of(call), names_of(call))
    return _answer(call, entity, update_item(call.portal, entity, old, values, call.actor, multi))


@method("crm.item.delete", "crm")
def delete(call: Call) -> Any:
    """Delete an item; the answer is an empty array."""
    entity = entity_of(call)
    row = item_of(call, entity)
    call.touched.clear()
    delete_item(call.portal, entity, row)
    return []


@method("crm.item.fields", "crm")
def fields(call: Call) -> Any:
    """Describe the fields of a type."""
    entity = entity_of(call)
    if call.portal.denied(call.user, entity.number):
        raise access_denied("You do not have permission to view this item")
    original = call.flag("useoriginalufnames")
    return {
        "fields": {
            field.name if original and key.startswith("ufCrm") else key: field.describe()
            | {"upperName": field.name}
            for key, field in entity.fields.items()
        }
    }

"""Items that an activity hangs on [crm/timeline/activities/binding/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, access_denied, not_found
from local.portal.family import FAMILIES
from local.portal.php import int_or_none
from local.portal.rows import table_of
from local.portal.table import Row

_FAMILY = FAMILIES["crm.activity"]


def _bindings(call: Call) -> Row:
    row = table_of(call, _FAMILY).get(int_or_none(call.need("activityId")) or 0)
    if call.portal.denied(call.user):
        raise access_denied()
    if row is None:
        raise not_found("Element not found")
    return row


def _target(call: Call, prefix: str = "") -> Row:
    """What is to be bound; it must be there."""
    kind = int_or_none(call.need(f"{prefix}entityTypeId")) or 0
    number = int_or_none(call.need(f"{prefix}entityId")) or 0
    if kind not in call.portal.items:
        raise not_found("Entity not found")
    if call.portal.items[kind].get(number) is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    return {"OWNER_ID": number, "OWNER_TYPE_ID": kind}


def _bound_already() -> RestError:
    text = "The activity is already bound to this entity"
    return RestError("ACTIVITY_IS_ALREADY_BOUND", text)


@method("crm.activity.binding.list", "crm")
def binding_list(call: Call) -> Any:
    """Items that an activity hangs on."""
    return [
        {"entityTypeId": int(one["OWNER_TYPE_ID"]), "entityId": int(one["OWNER_ID"])}
        for one in _bindings(call)["BINDINGS"]
    ]


@method("crm.activity.binding.add", "crm")
def binding_add(call: Call) -> Any:
    """Hang an activity on another item."""
    row, target = _bindings(call), _target(call)
    if target in row["BINDINGS"]:
        raise _bound_already()
    row["BINDINGS"] = [*row["BINDINGS"], target]
    return True


@method("crm.activity.binding.delete", "crm")
def binding_delete(call: Call) -> Any:
    """Take an activity from an item; the last one stays."""
    row, target = _bindings(call), _target(call)
    rest = [one for one in row["BINDINGS"] if one != target]
    if len(rest) == len(row["BINDINGS"]):
        raise RestError("BINDING_NOT_FOUND", "Binding not found")
    if not rest:
        raise RestError("LAST_BINDING_CANNOT_BE_DELETED", "Last binding cannot be deleted")
    row["BINDINGS"] = rest
    return True


@method("crm.activity.binding.move", "crm")
def binding_move(call: Call) -> Any:
    """Hang an activity on one item in the place of another."""
    row, source, target = _bindings(call), _target(call, "source"), _target(call, "target")
    if source["OWNER_TYPE_ID"] != target["OWNER_TYPE_ID"]:
        text = "Source and target entity types are not equal"
        raise RestError("SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR", text)
    if source == target:
        text = "Source and target entities are equal"
        raise RestError("SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR", text)
    if source not in row["BINDINGS"]:
        raise RestError("BINDING_NOT_FOUND", "Binding not found")
    if target in row["BINDINGS"]:
        raise _bound_already()
    kept = [one for one in row["BINDINGS"] if one != source]
    row["BINDINGS"] = [*kept, target]
    return True

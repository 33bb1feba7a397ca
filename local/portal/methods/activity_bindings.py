"""Items that activities hang on [crm/timeline/activities/binding/]."""

from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, not_found
from local.portal.family import FAMILIES
from local.portal.php import int_or_none
from local.portal.rows import table_of
from local.portal.table import Row

_REFUSALS = {
    "SOURCE_AND_TARGET_ENTITY_TYPES_ARE_NOT_EQUAL_ERROR": "Source and target entity types are not "
    "equal",
    "SOURCE_AND_TARGET_ENTITY_ID_ARE_EQUAL_ERROR": "Source and target entities are equal",
    "BINDING_NOT_FOUND": "Binding not found",
    "ACTIVITY_IS_ALREADY_BOUND": "The activity is already bound to this entity",
    "LAST_BINDING_CANNOT_BE_DELETED": "Last binding cannot be deleted",
}


def _activity(call: Call) -> Row:
    return table_of(call, FAMILIES["crm.activity"]).rows[call.number("activityid")]


def _item(call: Call, prefix: str | None) -> Row | None:
    """What is bound or to be bound; it must be there."""
    if prefix is None:
        return None
    kind = int_or_none(call.need(f"{prefix}entityTypeId")) or 0
    number = int_or_none(call.need(f"{prefix}entityId")) or 0
    if kind not in call.portal.items:
        raise not_found("Entity not found")
    if call.portal.items[kind].get(number) is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    return {"OWNER_ID": number, "OWNER_TYPE_ID": kind}


@method("crm.activity.binding.list", "crm")
def binding_list(call: Call) -> Any:
    """Items that an activity hangs on."""
    return [
        {"entityTypeId": int(one["OWNER_TYPE_ID"]), "entityId": int(one["OWNER_ID"])}
        for one in _activity(call)["BINDINGS"]
    ]


def _bind(old: str | None, new: str | None, call: Call) -> Any:
    """Take an activity from one item, hang it on another, or both; the last binding stays."""
    row, source, target = _activity(call), _item(call, old), _item(call, new)
    bound = row["BINDINGS"]
    moves = source is not None and target is not None
    checks = (
        source and target and source["OWNER_TYPE_ID"] != target["OWNER_TYPE_ID"],
        moves and source == target,
        source is not None and source not in bound,
        target in bound,
        target is None and len(bound) == 1,
    )
    for (code, text), refused in zip(_REFUSALS.items(), checks, strict=True):
        if refused:
            raise RestError(code, text)
    row["BINDINGS"] = [*(one for one in bound if one != source), *([target] if target else [])]
    return True


for _name, _old, _new in (
    ("add", None, ""),
    ("delete", "", None),
    ("move", "source", "target"),
):
    method(f"crm.activity.binding.{_name}", "crm")(partial(_bind, _old, _new))

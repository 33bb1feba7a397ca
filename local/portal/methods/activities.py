"""Planned activities [api-reference/crm/timeline/activities/todo/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, not_found
from local.portal.listing import Page, cut, read_start
from local.portal.methods.timeline import owner_of
from local.portal.php import entries, int_or_none
from local.portal.table import Row


@method("crm.activity.todo.add", "crm")
def todo_add(call: Call) -> Any:
    """Plan something on an item."""
    for name in ("ownerTypeId", "ownerId", "deadline"):
        call.need(name)
    portal = call.portal
    entity = portal.types.get(call.number("ownertypeid"))
    if entity is None:
        raise not_found()
    owner_of(call, entity.code, call.number("ownerid"))
    try:
        deadline = portal.clock.parse(call.get("deadline"))
    except ValueError:
        raise RestError("WRONG_DATETIME_FORMAT", "Wrong datetime format") from None
    number = portal.activities.next_id()
    portal.activities.put(
        number,
        {
            "id": number,
            "type": entity.number,
            "owner": call.number("ownerid"),
            "subject": str(call.get("title", default="")),
            "description": str(call.get("description", default="")),
            "deadline": deadline,
            "responsible": call.number("responsibleid") or call.user,
            "created": portal.clock.stamp(),
        },
    )
    portal.emit("ONCRMACTIVITYADD", {"FIELDS": {"ID": number}}, f"activity/{number}")
    return {"id": number}


@method("crm.activity.list", "crm")
def activity_list(call: Call) -> Page:
    """Activities of an item, newest first if so ordered."""
    names = {
        "OWNER_TYPE_ID": "type",
        "OWNER_ID": "owner",
        "ID": "id",
        "RESPONSIBLE_ID": "responsible",
    }
    rows = list(call.portal.activities.walk())
    for name, value in entries(call.get("filter", default={})):
        key = names.get(name.lstrip("=@").upper())
        if key:
            wanted = {int_or_none(v) for _, v in entries(value)} or {int_or_none(value)}
            rows = [row for row in rows if row[key] in wanted]
    order = [("id", str(w).upper() == "DESC") for _, w in entries(call.get("order", default={}))]
    page = cut(rows, order[:1], read_start(call.get("start")), ordered=not order)
    page.result = [_activity_view(row) for row in page.result]
    return page


def _activity_view(row: Row) -> Row:
    return {
        "ID": str(row["id"]),
        "OWNER_ID": str(row["owner"]),
        "OWNER_TYPE_ID": str(row["type"]),
        "PROVIDER_ID": "CRM_TODO",
        "SUBJECT": row["subject"],
        "DESCRIPTION": row["description"],
        "DEADLINE": row["deadline"],
        "RESPONSIBLE_ID": str(row["responsible"]),
        "COMPLETED": "N",
        "CREATED": row["created"],
        "COMMUNICATIONS": row.get("communications", []),
    }

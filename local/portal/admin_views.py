"""What the page shows: the board, the lists, a card; small however big the portal is."""

from itertools import islice
from typing import Any

from local.portal.admin_actions import action
from local.portal.item_rows import product_rows
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.table import Row

_CARDS = 15  # of a stage, the newest
_LISTED = 60
_HISTORY = 30
_EDITABLE = ("title", "opportunity", "name", "lastName", "post", "comments", "companyTitle")


def _person(portal: Portal, number: int) -> str:
    user = portal.users.get(number, {})
    return f"{user.get('name', '')} {user.get('lastName', '')}".strip() or str(number)


def _name(row: Row) -> str:
    full = f"{row.get('name') or ''} {row.get('lastName') or ''}".strip()
    return str(row.get("title") or full or f"#{row['id']}")


@action("GET", "board")
def board(portal: Portal, given: Row) -> Any:
    """Deals by stage: how many, how much, and the newest ones."""
    category = int_or_none(given.get("category")) or 0
    table, directory = portal.items[2], portal.directories.directory(2, category)
    stages: dict[str, Row] = {
        row["STATUS_ID"]: {
            "id": row["STATUS_ID"],
            "name": row["NAME"],
            "color": row["COLOR"],
            "semantic": row.get("SEMANTICS") or "P",
            "robots": [one.to_dict() for one in portal.robots.of(2, row["STATUS_ID"])],
            "count": 0,
            "sum": 0,
            "items": [],
        }
        for row in portal.directories.statuses.walk()
        if row["ENTITY_ID"] == directory
    }
    for row in table.walk_back():
        stage = stages.get(row["stageId"])
        if stage is None or row.get("categoryId", 0) != category:
            continue
        stage["count"] += 1
        stage["sum"] += row.get("opportunity", 0)
        if len(stage["items"]) < _CARDS:
            contact = portal.items[3].get(row.get("contactId", 0))
            stage["items"].append(
                {
                    "id": row["id"],
                    "title": _name(row),
                    "opportunity": row.get("opportunity", 0),
                    "currency": row.get("currencyId", ""),
                    "contact": _name(contact) if contact else "",
                    "person": _person(portal, row["assignedById"]),
                }
            )
    categories = [
        {"id": row["id"], "name": row["name"]} for row in portal.directories.categories.get(2, [])
    ]
    return {"stages": list(stages.values()), "categories": categories}


@action("GET", "contacts")
def contacts(portal: Portal, _given: Row) -> Any:
    """The newest contacts."""
    rows = [
        {
            "id": row["id"],
            "name": _name(row),
            "phone": row.get("phone") or "",
            "email": row.get("email") or "",
            "person": _person(portal, row["assignedById"]),
        }
        for row in islice(portal.items[3].walk_back(), _LISTED)
    ]
    return {"rows": rows, "total": len(portal.items[3])}


@action("GET", "tasks")
def tasks(portal: Portal, _given: Row) -> Any:
    """The newest tasks."""
    rows = [
        {
            "id": row["id"],
            "title": row["title"],
            "person": _person(portal, int_or_none(row["responsibleId"]) or 0),
            "status": row.get("status", "2"),
            "crm": row.get("ufCrmTask", []),
        }
        for row in islice(portal.tasks.walk_back(), _LISTED)
    ]
    return {"rows": rows, "total": len(portal.tasks)}


@action("GET", "card")
def card(portal: Portal, given: Row) -> Any:
    """One item with its timeline and history: subject `deal/5`."""
    kind, _, text = str(given.get("subject", "")).partition("/")
    number = int_or_none(text) or 0
    comment = portal.comments.get(number) if kind == "timeline_comment" else None
    if comment is not None:  # shown where it was written
        kind, number = comment["bindings"][0]
    found = portal.table_of(kind)
    row = found[1].get(number) if found else None
    if found is None or row is None:
        raise KeyError(f"{kind} {text}")
    entity = found[0]
    stages = portal.directories.stages(entity.number, row.get("categoryId", 0))
    names = {
        one["STATUS_ID"]: one["NAME"]
        for one in portal.directories.statuses.walk()
        if one["STATUS_ID"] in stages
    }
    history = list(portal.changes.get((kind, number), ()))[::-1][:_HISTORY]
    return {
        "subject": f"{kind}/{number}",
        "entityTypeId": entity.number,
        "id": number,
        "title": _name(row),
        "fields": {key: row.get(key) for key in _EDITABLE if key in entity.fields},
        "products": product_rows(portal, entity.number, number),
        "stage": row.get("stageId") if entity.has_stages else None,
        "stages": [{"id": one, "name": names.get(one, one)} for one in stages],
        "person": _person(portal, row["assignedById"]),
        "phones": [entry["value"] for entry in row.get("fm", [])],
        "created": row["createdTime"],
        "updated": row["updatedTime"],
        "timeline": [
            {
                "comment": comment["comment"],
                "author": _person(portal, comment["author"]),
                "time": comment["created"],
            }
            for comment in portal.comments.walk_back()
            if (kind, number) in comment["bindings"]
        ][:_HISTORY],
        "history": [change | {"user": _person(portal, change["user"])} for change in history],
    }


@action("GET", "talk")
def talk(portal: Portal, _given: Row) -> Any:
    """Notifications and messages, newest first."""
    rows = [*portal.activity.notifications, *portal.activity.messages][-_LISTED:]
    return [
        {
            "to": _person(portal, row["user"]) if "user" in row else row["dialog"],
            "message": row["message"],
            "time": row["time"],
        }
        for row in sorted(rows, key=lambda row: row["id"], reverse=True)
    ]

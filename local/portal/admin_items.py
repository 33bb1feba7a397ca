"""What the admin API can do to people, fields and items."""

import random
from typing import Any

from local.portal import seed as seeds
from local.portal.admin_actions import ACTIONS, action
from local.portal.call import METHODS, Call
from local.portal.conversion import convert_lead
from local.portal.items import Actor, add_item, delete_item, restore_item, update_item
from local.portal.listing import Page
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook


@action("POST", "users")
def add_user(portal: Portal, given: Row) -> Any:
    """Hire somebody, or change who is there (id)."""
    number = int(given.get("id", 0))
    allowed = [
        "name",
        "lastName",
        "admin",
        "active",
        "external",
        "email",
        "position",
        "departments",
    ]
    fields = {key: value for key, value in given.items() if key in allowed}
    if number in portal.users:
        portal.users[number] |= fields | {"changed": portal.clock.stamp()}
        return {"id": number}
    name, last = str(fields.pop("name", "New")), str(fields.pop("lastName", "Person"))
    return {"id": portal.add_user(name, last, id=number, **fields)}


@action("POST", "fields")
def add_field(portal: Portal, given: Row) -> Any:
    """Make a user field: entityTypeId, name (UF_CRM_…), type, title, multiple."""
    entity = portal.types[int(given["entityTypeId"])]
    field = entity.add_user_field(
        str(given["name"]).upper(),
        str(given.get("type", "string")),
        str(given.get("title", "")),
        multiple=bool(given.get("multiple", False)),
    )
    return {"name": field.name, "key": field.key}


@action("POST", "categories")
def add_category(portal: Portal, given: Row) -> Any:
    """Make a funnel: entityTypeId, name, id."""
    number = int(given["id"]) if "id" in given else None
    kind, name = int(given.get("entityTypeId", 2)), str(given.get("name", "Funnel"))
    return {"id": portal.directories.add_category(kind, name, number)}


@action("POST", "rename")
def rename(portal: Portal, given: Row) -> Any:
    """Rename the portal: `from` answers 302 to `to` from now on; `domain` is what events say."""
    if given.get("from") and given.get("to"):
        portal.former_domains[str(given["from"])] = str(given["to"])
    elif given.get("undo"):
        portal.former_domains.clear()
    portal.domain = str(given.get("domain", portal.domain))
    return {"domain": portal.domain, "moved": portal.former_domains}


@action("POST", "seed")
def seed(portal: Portal, given: Row) -> Any:
    """Make contacts and deals; `events` says whether anybody is told."""
    if not portal.items[2].ids and not given:
        seeds.seed(portal)
        return {"deals": portal.items[2].ids, "contacts": portal.items[3].ids}
    generator, event = random.Random(len(portal.items[2])), bool(given.get("events", False))
    contacts = seeds.add_contacts(portal, int(given.get("contacts", 0)), generator, event=event)
    people = list(portal.users)[:3]
    deals = seeds.add_deals(portal, int(given.get("deals", 0)), generator, people, event=event)
    return {"deals": deals, "contacts": contacts}


@action("POST", "bulk")
def bulk(portal: Portal, given: Row) -> Any:
    """Edit many items at once, as people do in a list: one event each."""
    kind, amount = int(given.get("entityTypeId", 2)), int(given.get("amount", 200))
    entity, table = portal.types[kind], portal.items[kind]
    numbers = [int(one) for one in given["ids"]] if "ids" in given else table.ids[-amount:]
    key = "opportunity" if "opportunity" in entity.fields else "post"
    for number in list(numbers):
        row = table.rows[number]
        value = row.get(key, 0)
        changed = value + 10 if isinstance(value, int | float) else f"{value}+"
        update_item(portal, entity, row, given.get("fields") or {key: changed}, _actor(given))
    return {"edited": len(numbers)}


@action("POST", "import")
def import_items(portal: Portal, given: Row) -> Any:
    """Import items with old times and no events: entityTypeId, items (keys as in crm.item.*)."""
    entity = portal.types[int(given.get("entityTypeId", 2))]
    audit_keys = {"createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy"}
    made = []
    for item in given["items"]:
        if unknown := sorted(item.keys() - entity.fields.keys() - audit_keys - {"id"}):
            raise ValueError(f"a {entity.code} has no field {', '.join(unknown)}")
        audit = {key: value for key, value in item.items() if key in audit_keys}
        audit = {k: portal.clock.parse(v) if k.endswith("Time") else v for k, v in audit.items()}
        values = {k: v for k, v in item.items() if k not in audit_keys | {"id"}}
        row = add_item(
            portal, entity, values, Actor(), number=item.get("id"), audit=audit, event=False
        )
        made.append(row["id"])
    return {"ids": made}


@action("POST", "merge")
def merge(portal: Portal, given: Row) -> Any:
    """Merge items into the first: it takes what it lacks, the others go, and nobody is told.

    [crm-entity-merge-batch.md] No events are documented for a merge.
    """
    entity = portal.types[int(given["entityTypeId"])]
    rows = [portal.items[entity.number].rows[int(number)] for number in given["ids"]]
    first, others = rows[0], rows[1:]
    values = {
        key: value
        for row in reversed(others)
        for key, value in row.items()
        if key in entity.fields and not entity.fields[key].readonly and not first.get(key)
    }
    update_item(portal, entity, first, values, _actor(given), event=False)
    for row in others:
        delete_item(portal, entity, row, event=False)
    return {"id": first["id"], "deleted": [row["id"] for row in others]}


@action("POST", "delete")
def delete(portal: Portal, given: Row) -> Any:
    """Delete items; without events where they go as a mass."""
    entity = portal.types[int(given["entityTypeId"])]
    for number in given["ids"]:
        row = portal.items[entity.number].rows[int(number)]
        delete_item(portal, entity, row, event=bool(given.get("events", False)))
    return {"deleted": len(given["ids"])}


@action("POST", "call")
def call(portal: Portal, given: Row) -> Any:
    """Do something as a person in the portal: method, params, user; no webhook, no limits."""
    person = IncomingWebhook(id=0, user=int(given.get("user", 1)), secret="", title="a person")
    method = METHODS[str(given.get("method", "")).lower()]
    result = method.run(Call(portal, person, given.get("params") or {}, rest=False))
    if isinstance(result, Page):
        return {"result": result.result, "total": result.total, "next": result.next}
    return {"result": result}


@action("GET", "history")
def history(portal: Portal, given: Row) -> Any:
    """Field changes of an item, newest first: subject `deal/5`."""
    kind, _, number = str(given.get("subject", "")).partition("/")
    return list(portal.changes.get((kind, int_or_none(number) or 0), ()))[::-1]


def _actor(given: Row) -> Actor:
    return Actor(int(given.get("user", 1)))


ACTIONS |= {
    # A lead becomes a company, a contact and a deal: id, user
    ("POST", "convert"): lambda portal, given: convert_lead(
        portal, int(given["id"]), _actor(given)
    ),
    ("GET", "recycle-bin"): lambda portal, _: [
        {"id": number, "entityTypeId": kind, "item": row["id"], "title": row.get("title", "")}
        for number, (kind, row) in portal.recycle_bin.items()
    ],
    # From the recycle bin; the item gets a new id
    ("POST", "restore"): lambda portal, given: {
        "id": restore_item(portal, int(given["id"]), _actor(given))["id"]
    },
}

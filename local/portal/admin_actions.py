"""What the admin API can do, one function an action."""

import random
from collections.abc import Callable
from typing import Any

from local.portal import seed as seeds
from local.portal.call import METHODS, Call
from local.portal.clock import Clock
from local.portal.faults import ERRORS, TRANSPORT, make_fault
from local.portal.items import Actor, add_item, int_or_none, restore_item, update_item
from local.portal.listing import Page
from local.portal.portal import Denial, Portal
from local.portal.table import Row
from local.portal.webhooks import SCOPES, IncomingWebhook

Action = Callable[[Portal, dict[str, Any]], Any]
ACTIONS: dict[tuple[str, str], Action] = {}


def action(verb: str, name: str) -> Callable[[Action], Action]:
    """Register an action."""

    def register(run: Action) -> Action:
        ACTIONS[verb, name] = run
        return run

    return register


@action("GET", "state")
def state(portal: Portal, _given: Row) -> Any:
    """What there is: for the page and the launcher."""
    return {
        "portal": portal.name,
        "domain": portal.domain,
        "member_id": portal.member_id,
        "settings": portal.settings.to_dict(),
        "clock": {"skew_seconds": portal.clock.skew_seconds, "now": portal.clock.stamp()},
        "incoming": [webhook.to_dict() for webhook in portal.incoming.values()],
        "outgoing": [webhook.to_dict() for webhook in portal.outgoing.values()],
        "faults": [fault.to_dict() for fault in portal.faults if not fault.spent],
        "denials": [
            {"user": d.user, "entityTypeId": d.type_number, "categoryId": d.category}
            for d in portal.denials
        ],
        "users": [
            {"id": u["id"], "name": f"{u['name']} {u['lastName']}", "position": u["position"]}
            for u in portal.users.values()
        ],
        "counts": {entity.code: len(portal.items[n]) for n, entity in portal.types.items()}
        | {"task": len(portal.tasks), "comment": len(portal.comments)},
        "counters": portal.strip.counters,
        "outbox": {"idle": portal.outbox.idle, "sent": portal.outbox.sent},
        "scopes": SCOPES,
        "fault_kinds": [*ERRORS, *TRANSPORT],
        "methods": sorted(entry.name for entry in METHODS.values()),
    }


@action("GET", "calls")
def calls(portal: Portal, given: Row) -> Any:
    """The newest REST requests, newest first; never with a secret in them."""
    return list(portal.activity.calls)[-int(given.get("limit", 100)) :][::-1]


@action("GET", "events")
def events(portal: Portal, given: Row) -> Any:
    """The newest events sent, newest first, each with its body as it went out."""
    rows = list(portal.outbox.done)[-int(given.get("limit", 100)) :][::-1]
    return [
        {
            "number": row.number,
            "event": row.event,
            "subject": row.subject,
            "outcome": row.outcome,
            "seconds": round(row.seconds, 4),
            "body": row.body,
        }
        for row in rows
    ]


@action("GET", "notifications")
def notifications(portal: Portal, _given: Row) -> Any:
    """Notifications, oldest first."""
    return list(portal.activity.notifications)


@action("POST", "incoming")
def add_incoming(portal: Portal, given: Row) -> Any:
    """Make an incoming webhook: user, secret, scopes, title, expires (Unix seconds)."""
    more: Row = {"title": str(given.get("title", ""))}
    if given.get("scopes") is not None:
        more["scopes"] = {str(scope) for scope in given["scopes"]}
    if given.get("expires") is not None:
        more["expires"] = float(given["expires"])
    user = int(given.get("user", 1))
    if user not in portal.users:
        raise ValueError(f"there is no user {user}")
    return portal.add_incoming(user, str(given.get("secret", "")), **more).to_dict()


def _incoming(portal: Portal, given: Row) -> IncomingWebhook:
    for webhook in portal.incoming.values():
        if webhook.id == int(given["id"]):
            return webhook
    raise KeyError(f"webhook {given['id']}")


@action("DELETE", "incoming")
def delete_incoming(portal: Portal, given: Row) -> Any:
    """Delete an incoming webhook; calls through it are refused from now on."""
    del portal.incoming[_incoming(portal, given).secret]
    return {"deleted": True}


@action("POST", "incoming/reissue")
def reissue(portal: Portal, given: Row) -> Any:
    """Edit somebody else's webhook: a new secret, and the editor becomes its owner."""
    old = _incoming(portal, given)
    del portal.incoming[old.secret]
    new = portal.add_incoming(
        int(given.get("user", old.user)), scopes=old.scopes, title=old.title, expires=old.expires
    )
    return new.to_dict()


@action("PATCH", "incoming")
def change_incoming(portal: Portal, given: Row) -> Any:
    """Change scopes or expiry; the secret stays."""
    webhook = _incoming(portal, given)
    if "scopes" in given:
        webhook.scopes = {str(scope) for scope in given["scopes"]}
    if "expires" in given:
        webhook.expires = None if given["expires"] is None else float(given["expires"])
    return webhook.to_dict()


@action("POST", "outgoing")
def add_outgoing(portal: Portal, given: Row) -> Any:
    """Make an outgoing webhook: url, events (none: all), token (none: made), title."""
    url = str(given.get("url", ""))
    if not url.startswith(("http://", "https://")):
        raise ValueError("url must begin with http:// or https://")
    return portal.add_outgoing(
        url,
        [str(event) for event in given.get("events") or ()],
        token=str(given.get("token", "")),
        title=str(given.get("title", "")),
    ).to_dict()


@action("PATCH", "outgoing")
def change_outgoing(portal: Portal, given: Row) -> Any:
    """Change url, events or active; the token stays, unless a new one is given."""
    webhook = portal.outgoing[int(given["id"])]
    webhook.url = str(given.get("url", webhook.url))
    webhook.token = str(given.get("token", webhook.token))
    webhook.active = bool(given.get("active", webhook.active))
    if "events" in given:
        webhook.events = {str(event).upper() for event in given["events"]}
    return webhook.to_dict()


@action("DELETE", "outgoing")
def delete_outgoing(portal: Portal, given: Row) -> Any:
    """Delete an outgoing webhook."""
    del portal.outgoing[int(given["id"])]
    return {"deleted": True}


@action("PATCH", "settings")
def settings(portal: Portal, given: Row) -> Any:
    """Set switches by name; `events` is nested."""
    portal.settings.change({k: v for k, v in given.items() if k != "portal"})
    return portal.settings.to_dict()


@action("POST", "clock")
def clock(portal: Portal, given: Row) -> Any:
    """Put the portal's clock wrong, or into another zone."""
    if "offset_hours" in given:
        skew, portal.clock = portal.clock.skew_seconds, Clock(float(given["offset_hours"]))
        portal.clock.skew_seconds = skew
    portal.clock.skew_seconds = float(given.get("skew_seconds", portal.clock.skew_seconds))
    return {"now": portal.clock.stamp()}


@action("POST", "faults")
def add_fault(portal: Portal, given: Row) -> Any:
    """Switch a fault on: kind, method, share, times, for_seconds, when, seconds."""
    number = 1 + max((fault.id for fault in portal.faults), default=0)
    fault = make_fault(number, given)
    portal.faults.append(fault)
    portal.strip.count("faults", 0)
    return fault.to_dict()


@action("DELETE", "faults")
def delete_faults(portal: Portal, given: Row) -> Any:
    """Switch one fault off, or all."""
    number = int_or_none(given.get("id"))
    portal.faults[:] = [f for f in portal.faults if number is not None and f.id != number]
    return {"left": len(portal.faults)}


@action("POST", "denials")
def deny(portal: Portal, given: Row) -> Any:
    """Take a right away: user, and entityTypeId and categoryId to narrow it."""
    portal.denials.add(_denial(given))
    return {"denials": len(portal.denials)}


@action("DELETE", "denials")
def allow(portal: Portal, given: Row) -> Any:
    """Give a right back, or all of them."""
    if "user" in given:
        portal.denials.discard(_denial(given))
    else:
        portal.denials.clear()
    return {"denials": len(portal.denials)}


def _denial(given: Row) -> Denial:
    kind, category = given.get("entityTypeId"), given.get("categoryId")
    return Denial(
        int(given["user"]),
        None if kind is None else int(kind),
        None if category is None else int(category),
    )


@action("POST", "users")
def add_user(portal: Portal, given: Row) -> Any:
    """Hire somebody, or change who is there (id)."""
    number = int(given.get("id", 0))
    known = {"name", "lastName", "admin", "active", "external", "email", "position", "departments"}
    fields = {key: value for key, value in given.items() if key in known}
    if number in portal.users:
        portal.users[number] |= fields
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
    user = int(given.get("user", 1))
    numbers = [int(one) for one in given["ids"]] if "ids" in given else table.ids[-amount:]
    key = "opportunity" if "opportunity" in entity.fields else "post"
    for number in list(numbers):
        row = table.rows[number]
        value = row.get(key, 0)
        changed = value + 10 if isinstance(value, int | float) else f"{value}+"
        update_item(portal, entity, row, given.get("fields") or {key: changed}, Actor(user))
    return {"edited": len(numbers)}


@action("POST", "import")
def import_items(portal: Portal, given: Row) -> Any:
    """Import items with old times and no events: entityTypeId, items (keys as in crm.item.*)."""
    entity = portal.types[int(given.get("entityTypeId", 2))]
    audit_keys = {"createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy"}
    made = []
    for item in given["items"]:
        audit = {key: value for key, value in item.items() if key in audit_keys}
        audit = {k: portal.clock.parse(v) if k.endswith("Time") else v for k, v in audit.items()}
        values = {
            k: v for k, v in item.items() if k in entity.fields and k not in audit_keys | {"id"}
        }
        row = add_item(
            portal, entity, values, Actor(), number=item.get("id"), audit=audit, event=False
        )
        made.append(row["id"])
    return {"ids": made}


@action("GET", "recycle-bin")
def recycle_bin(portal: Portal, _given: Row) -> Any:
    """What was deleted and can be restored."""
    return [
        {"id": number, "entityTypeId": kind, "item": row["id"], "title": row.get("title", "")}
        for number, (kind, row) in portal.recycle_bin.items()
    ]


@action("POST", "restore")
def restore(portal: Portal, given: Row) -> Any:
    """Restore from the recycle bin: the item gets a new id."""
    return {"id": restore_item(portal, int(given["id"]), Actor(int(given.get("user", 1))))["id"]}


@action("POST", "steps")
def steps(portal: Portal, given: Row) -> Any:
    """Tell the strip what the relay did: one JSON object a line, or a list, or one object."""
    rows = given.get("lines", [given])
    for row in rows:
        if isinstance(row, dict):
            portal.strip.step(row)
    return {"taken": len(rows)}


@action("GET", "strip")
def strip(portal: Portal, given: Row) -> Any:
    """The strip's rows as they are now."""
    return list(portal.strip.rows.values())[-int(given.get("limit", 100)) :]


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

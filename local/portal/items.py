"""Adding, changing and deleting CRM items: audit fields, stages, history, events."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from local.portal.item_rows import forget_rows
from local.portal.item_stages import remember_stage, with_stage
from local.portal.multi_fields import contact_marks, merge_multi_fields, search_content
from local.portal.portal import Portal
from local.portal.schema import EntityType
from local.portal.table import Row

_DAY = 86400
_CLOSE_DAYS = 7  # a deal's default close date [crm-deal-add.md]
_HISTORY_KEPT = 50
_AUDIT = ("createdTime", "updatedTime", "createdBy", "updatedBy", "movedTime", "movedBy")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, and whether through a webhook: REST marks the way on the strip."""

    user: int = 1
    rest: bool = False


def subject_of(entity: EntityType, number: int) -> str:
    """`deal/662`."""
    return f"{entity.code}/{number}"


def add_item(
    portal: Portal, entity: EntityType, values: Row, actor: Actor, multi: Any = (), **more: Any
) -> Row:
    """Make an item; `number`, `audit` and `event` are for imports and seeds."""
    table = portal.items[entity.number]
    values = with_stage(portal, entity, values, None)
    number = int(more.get("number") or table.next_id())
    now = portal.clock.stamp()
    row: Row = {
        "id": number,
        "createdTime": now,
        "updatedTime": now,
        "createdBy": actor.user,
        "updatedBy": actor.user,
        "assignedById": actor.user,
        "opened": "Y",
        "lastActivityBy": actor.user,
        "lastActivityTime": now,
    }
    if entity.has_stages:
        row |= {"movedBy": actor.user, "movedTime": now}
    row |= _defaults(portal, entity, number) | {
        key: value for key, value in values.items() if value is not None or key == "title"
    }
    if "title" in entity.fields and not row.get("title"):
        row["title"] = f"{entity.title} #{number}"
    row |= more.get("audit") or {}
    if multi:
        row["fm"] = merge_multi_fields(portal, [], multi)
    contact_marks(entity, row)
    search_content(entity, row)
    table.put(number, row)
    portal.revision += 1
    if entity.has_stages:
        remember_stage(portal, entity, row)
    if more.get("event", True):
        portal.emit(
            entity.event_prefix + "ADD", event_data(entity, number), subject_of(entity, number)
        )
        portal.robots.enter(portal, entity, row)
    return row


def _defaults(portal: Portal, entity: EntityType, number: int) -> Row:
    defaults: Row = {}
    if "currencyId" in entity.fields:
        defaults["currencyId"] = "EUR"
    if "begindate" in entity.fields:
        now = portal.clock.now()
        defaults["begindate"] = portal.clock.day(now)
        defaults["closedate"] = portal.clock.day(now + _CLOSE_DAYS * _DAY)
    if entity.code == "invoice":
        defaults["accountNumber"] = str(number)
    return defaults


def update_item(  # noqa: PLR0913, PLR0917  what, how and who
    portal: Portal,
    entity: EntityType,
    old: Row,
    values: Row,
    actor: Actor,
    multi: Any = (),
    *,
    event: bool = True,
    force: bool = False,
) -> Row:
    """Change an item; where nothing changes nothing is saved, stamped or sent, unless forced to."""
    values = with_stage(portal, entity, values, old)
    if multi:
        values["fm"] = merge_multi_fields(portal, old.get("fm", []), multi)
    changed = {
        key: value for key, value in values.items() if old.get(key, entity.blank.get(key)) != value
    }
    if "fm" in changed:
        contact_marks(entity, changed)
    if not changed and not force:
        return old
    now = portal.clock.stamp()
    if "stageId" in changed or "categoryId" in changed:
        changed |= {"movedBy": actor.user, "movedTime": now}
    row = old | changed | {"updatedTime": now, "updatedBy": actor.user}
    search_content(entity, row)
    portal.items[entity.number].put(row["id"], row)
    portal.revision += 1
    _remember(portal, entity, old, changed, actor)
    if "stageId" in changed or "categoryId" in changed:
        remember_stage(portal, entity, row)
    subject = subject_of(entity, row["id"])
    if actor.rest:
        portal.strip.saw(subject, "written", portal.clock.now(), {"fields": sorted(changed)})
    # A deal moved to another funnel raises an event for applications only [deals/events/index.md]
    if event and not (entity.code == "deal" and "categoryId" in changed):
        portal.emit(entity.event_prefix + "UPDATE", event_data(entity, row["id"]), subject)
    if event and ("stageId" in changed or "categoryId" in changed):
        portal.robots.enter(portal, entity, row)
    return row


def _remember(portal: Portal, entity: EntityType, old: Row, changed: Row, actor: Actor) -> None:
    changes = portal.changes.setdefault((entity.code, old["id"]), deque(maxlen=_HISTORY_KEPT))
    for key, value in changed.items():
        if key not in _AUDIT:
            before = old.get(key, entity.blank.get(key))
            changes.append(
                {
                    "time": portal.clock.now(),
                    "user": actor.user,
                    "rest": actor.rest,
                    "field": key,
                    "before": before,
                    "after": value,
                }
            )


def delete_item(portal: Portal, entity: EntityType, row: Row, *, event: bool = True) -> None:
    """Move an item to the recycle bin; what hangs on a deal or lead goes with it."""
    number = row["id"]
    portal.items[entity.number].pop(number)
    portal.changes.pop((entity.code, number), None)
    if entity.info.get("isRecyclebinEnabled", "Y") == "Y":
        portal.recycle_bin[1 + max(portal.recycle_bin, default=0)] = (entity.number, row)
    for comment in [c for c in portal.comments.walk() if (entity.code, number) in c["bindings"]]:
        comment["bindings"].remove((entity.code, number))
        if not comment["bindings"]:
            portal.comments.pop(comment["id"])
    portal.history.pop((entity.number, number), None)
    forget_rows(portal, entity.number, number)
    subject = subject_of(entity, number)
    portal.revision += 1
    if event:
        portal.emit(entity.event_prefix + "DELETE", event_data(entity, number), subject)


def restore_item(portal: Portal, bin_id: int, actor: Actor) -> Row:
    """Take an item out of the recycle bin: it gets a new id [CORE crm/lib/recycling]."""
    type_number, old = portal.recycle_bin.pop(bin_id)
    entity = portal.types[type_number]
    kept = {key: value for key, value in old.items() if key not in {"id", "fm"}}
    multi = [(str(index), dict(row, id=None)) for index, row in enumerate(old.get("fm", []))]
    return add_item(portal, entity, kept, actor, multi)


def event_data(entity: EntityType, number: int) -> Row:
    """An event tells the id; smart processes and new invoices also their type."""
    fields: Row = {"ID": number}
    if entity.event_prefix == "ONCRMDYNAMICITEM":
        fields["ENTITY_TYPE_ID"] = entity.number
    return {"FIELDS": fields}

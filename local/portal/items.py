"""Adding, changing and deleting CRM items: audit fields, stages, history, events."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.schema import EntityType
from local.portal.table import Row
from local.portal.values import InvalidValueError

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
    values = _with_stage(portal, entity, values, None)
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
    _contact_marks(entity, row)
    _search_content(entity, row)
    table.put(number, row)
    if entity.has_stages:
        remember_stage(portal, entity, row, 1)
    if more.get("event", True):
        portal.emit(
            entity.event_prefix + "ADD", event_data(entity, number), subject_of(entity, number)
        )
    return row


def _defaults(portal: Portal, entity: EntityType, number: int) -> Row:
    defaults: Row = {}
    if "currencyId" in entity.fields:
        defaults["currencyId"] = "EUR"
    if "begindate" in entity.fields:
        now = portal.clock.now()
        clock = portal.clock
        defaults["begindate"] = clock.parse(clock.stamp(now), date_only=True)
        defaults["closedate"] = clock.parse(clock.stamp(now + _CLOSE_DAYS * _DAY), date_only=True)
    if entity.code == "invoice":
        defaults["accountNumber"] = str(number)
    return defaults


def _with_stage(portal: Portal, entity: EntityType, values: Row, old: Row | None) -> Row:
    """Let the stage fit the funnel, and what follows from it follow."""
    if not entity.has_stages:
        return values
    directories, values = portal.directories, dict(values)
    has_funnels = "categoryId" in entity.fields
    default = directories.default_category(entity.number)
    before = old.get("categoryId", default) if old else default
    category = values.get("categoryId", before) if has_funnels else 0
    if has_funnels:
        if not directories.has_category(entity.number, category):
            raise _invalid(entity, "categoryId")
        values["categoryId"] = category
    stages = directories.stages(entity.number, category)
    stage = values.get("stageId") or (old["stageId"] if old and category == before else "")
    if not stage:
        stage = next(iter(stages))
    if stage not in stages:
        raise _invalid(entity, "stageId")
    values["stageId"] = stage
    final = stages[stage] != "P"
    if "stageSemanticId" in entity.fields:
        values["stageSemanticId"] = stages[stage]
    if "closed" in entity.fields:
        values["closed"] = "Y" if final else "N"
    if entity.code == "lead":
        values["dateClosed"] = portal.clock.stamp() if final else None
        if final and old and old.get("dateClosed"):
            values["dateClosed"] = old["dateClosed"]
    return values


def _invalid(entity: EntityType, key: str) -> RestError:
    name = entity.fields[key].name
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Invalid value for field "{name}"')


def update_item(  # noqa: PLR0913, PLR0917  what, how and who
    portal: Portal, entity: EntityType, old: Row, values: Row, actor: Actor, multi: Any = ()
) -> Row:
    """Change an item; where nothing changes nothing is saved, stamped or sent."""
    values = _with_stage(portal, entity, values, old)
    if multi:
        values["fm"] = merge_multi_fields(portal, old.get("fm", []), multi)
    changed = {
        key: value for key, value in values.items() if old.get(key, entity.blank.get(key)) != value
    }
    if "fm" in changed:
        _contact_marks(entity, changed)
    if not changed:
        return old
    now = portal.clock.stamp()
    if "stageId" in changed or "categoryId" in changed:
        changed |= {"movedBy": actor.user, "movedTime": now}
    row = old | changed | {"updatedTime": now, "updatedBy": actor.user}
    _search_content(entity, row)
    portal.items[entity.number].put(row["id"], row)
    _remember(portal, entity, old, changed, actor)
    if "stageId" in changed or "categoryId" in changed:
        remember_stage(portal, entity, row, 2 if row.get("stageSemanticId", "P") == "P" else 3)
    subject = subject_of(entity, row["id"])
    if actor.rest:
        portal.strip.saw(subject, "written", portal.clock.now(), {"fields": sorted(changed)})
    # A deal moved to another funnel raises an event for applications only [deals/events/index.md]
    if not (entity.code == "deal" and "categoryId" in changed):
        portal.emit(entity.event_prefix + "UPDATE", event_data(entity, row["id"]), subject)
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


def delete_item(portal: Portal, entity: EntityType, row: Row) -> None:
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
    portal.history = [
        record
        for record in portal.history
        if (record["type"], record["owner"]) != (entity.number, number)
    ]
    subject = subject_of(entity, number)
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


def remember_stage(portal: Portal, entity: EntityType, row: Row, kind: int) -> None:
    """Keep a record for crm.stagehistory.list: 1 made, 2 moved, 3 final."""
    portal.history.append(
        {
            "id": len(portal.history) + 1 if not portal.history else portal.history[-1]["id"] + 1,
            "type": entity.number,
            "kind": kind,
            "owner": row["id"],
            "time": row["updatedTime"],
            "category": row.get("categoryId", 0),
            "stage": row["stageId"],
            "semantic": row.get("stageSemanticId", "P"),
        }
    )


def merge_multi_fields(portal: Portal, old: list[Row], given: Any) -> list[Row]:
    """Rows with an id change or, empty, go; rows without are added; the others stay.

    [sdk/b24gosdk/index.md] A number sent again without its id is there twice. Keys `n0`… add, a key
    that is a row's id changes that row [universal/index.md]. Without `typeId` a row is ignored.
    """
    rows = {row["id"]: row for row in old}
    for key, entry in given:
        number = _row_id(entry.get("id") or (key if int_or_none(key) in rows else None))
        if number in rows:
            if entry.get("value") in (None, "") or entry.get("delete") == "Y":
                del rows[number]
            else:
                rows[number] = rows[number] | {
                    name: str(entry[name]) for name in ("value", "valueType") if name in entry
                }
        elif entry.get("typeId") and entry.get("value") not in (None, ""):
            number = portal.next_multi_field_id()
            rows[number] = {
                "id": number,
                "valueType": str(entry.get("valueType") or "WORK"),
                "value": str(entry["value"]),
                "typeId": str(entry["typeId"]).upper(),
            }
    return list(rows.values())


def int_or_none(text: Any) -> int | None:
    """A whole number, or nothing."""
    return int(text) if str(text).isdigit() and len(str(text)) < 19 else None  # noqa: PLR2004  64 bit


def _row_id(value: Any) -> int | None:
    if value is None:
        return None
    number = int_or_none(value)
    if number is None:
        raise InvalidValueError("row id")
    return number


def _search_content(entity: EntityType, row: Row) -> None:
    """Keep the text that the portal searches in; it follows every change."""
    if "searchContent" in entity.blank:
        parts = (row.get(key) for key in ("id", "title", "name", "lastName", "opportunity"))
        row["searchContent"] = " ".join(str(part) for part in parts if part)


def _contact_marks(entity: EntityType, row: Row) -> None:
    """What item answers say beside `fm`: marks, and the first phone and e-mail."""
    if not entity.has_fm:
        return
    values = row.get("fm", [])
    for kind, mark in (("PHONE", "hasPhone"), ("EMAIL", "hasEmail")):
        of_kind = [entry for entry in values if entry["typeId"] == kind]
        row[mark] = "Y" if of_kind else "N"
        row[kind.lower()] = of_kind[0]["value"] if of_kind else None
        for use in ("WORK", "HOME", "MOBILE", "MAILING"):
            key = kind.lower() + use.capitalize()
            if key in entity.blank:
                found = [entry["value"] for entry in of_kind if entry["valueType"] == use]
                row[key] = found[0] if found else ""

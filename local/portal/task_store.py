"""Making and changing tasks: what is stamped, and what the events say."""

import uuid
from typing import Any

from local.portal.items import Actor
from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.table import Row
from local.portal.task_history import note
from local.portal.task_view import NAMES, TEMPLATE

_UPPER = {key: name for name, key in NAMES.items()}
DONE = "5"  # the status of a finished task


def create_task(portal: Portal, values: Row, actor: Actor, *, event: bool = True) -> Row:
    """Store a task and raise ONTASKADD."""
    number, now, user = portal.tasks.next_id(), portal.clock.stamp(), str(actor.user)
    row: Row = {
        "id": number,
        "createdBy": user,
        "createdDate": now,
        "responsibleId": user,
        "changedBy": user,
        "changedDate": now,
        "statusChangedDate": now,
        "activityDate": now,
        "guid": "{" + str(uuid.UUID(int=portal.random.getrandbits(128))) + "}",
    } | values
    portal.tasks.put(number, row)
    note(portal, number, user, "NEW", None, None)
    for owner in row.get("ufCrmTask", []):
        _tell_owner(portal, owner, row, actor)
    if event:
        emit_task(portal, "ADD", "undefined", {"ID": number})
    return row


def _tell_owner(portal: Portal, owner: str, row: Row, actor: Actor) -> None:
    short, _, number = owner.partition("_")
    codes = {
        "L": "lead",
        "D": "deal",
        "C": "contact",
        "CO": "company",
        "Q": "quote",
        "SI": "invoice",
    }
    kind = (
        codes.get(short) or f"dynamic_{int(short[1:] or '0', 16)}" if short[1:].isalnum() else short
    )
    if actor.rest:
        subject = f"{codes.get(short, kind)}/{number}"
        portal.strip.saw(subject, "written", portal.clock.now(), {"task": row["id"]})


def emit_task(portal: Portal, action: str, before: Any, after: Any) -> None:
    """The missing side is the string `undefined` [events-tasks/]."""
    number = (after if before == "undefined" else before)["ID"]
    data = {
        "FIELDS_BEFORE": before,
        "FIELDS_AFTER": after,
        "IS_ACCESSIBLE_BEFORE": "N" if action == "ADD" else "undefined",
        "IS_ACCESSIBLE_AFTER": "N" if action == "DELETE" else "undefined",
    }
    portal.emit(f"ONTASK{action}", data, f"task/{number}")


def change_task(portal: Portal, row: Row, values: Row, actor: Actor) -> Row:
    """Store what differs and raise ONTASKUPDATE; nothing is stamped where nothing changes."""
    blank = TEMPLATE["fields"]
    changed = {k: v for k, v in values.items() if row.get(k, blank.get(k)) != v}
    if not changed:
        return row
    now, user = portal.clock.stamp(), str(actor.user)
    for key, value in changed.items():
        note(portal, row["id"], user, _UPPER.get(key, key), row.get(key, blank.get(key)), value)
    if "status" in changed:
        changed |= {"statusChangedDate": now, "statusChangedBy": user}
        done = changed["status"] == DONE
        changed |= {"closedDate": now if done else None, "closedBy": user if done else None}
    new = row | changed | {"changedDate": now, "changedBy": user, "activityDate": now}
    portal.tasks.put(row["id"], new)
    if actor.rest:
        portal.strip.saw(
            f"task/{row['id']}", "written", portal.clock.now(), {"fields": sorted(changed)}
        )
    emit_task(portal, "UPDATE", {"ID": row["id"]}, {"ID": row["id"]})
    return new


def ancestors(portal: Portal, number: int) -> set[int]:
    """A task and the tasks above it."""
    visited: set[int] = set()
    while number and number not in visited:
        visited.add(number)
        number = int_or_none((portal.tasks.get(number) or {}).get("parentId")) or 0
    return visited

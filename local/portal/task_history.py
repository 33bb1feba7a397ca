"""What happened to tasks, field by field [api-reference/tasks/tasks-task-history-list.md]."""

from typing import Any

from local.portal.portal import Portal
from local.portal.table import Row, Table


def history(portal: Portal) -> Table:
    """What happened to all tasks."""
    return portal.tables.setdefault("tasks.history", Table())


def note(portal: Portal, task: int, user: Any, field: str, *value: Any) -> None:
    """Note one event of a task, and what was before it and after."""
    table = history(portal)
    row: Row = {"id": table.next_id(), "task": task, "user": int(user), "field": field}
    row |= {
        "createdDate": portal.clock.stamp(),
        "value": dict(zip(("from", "to"), value, strict=True)),
    }
    table.put(row["id"], row)

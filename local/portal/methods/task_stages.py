"""Stages of groups' kanbans and of people's plans [api-reference/tasks/stages/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.tasks import find_task
from local.portal.php import int_or_none
from local.portal.rows import hook, insert, show, table_of
from local.portal.table import Row
from local.portal.task_store import change_task

_STAGE, _GROUP = FAMILIES["task.stages"], FAMILIES["sonet_group"]
_FIRST = (("Not planned", "NEW"), ("In progress", "WORK"), ("Done", "FINISH"))


def _of(call: Call, entity: int) -> list[Row]:
    """Stages of a group or of a plan, in their order; three are there from the beginning."""
    kind = "G" if table_of(call, _GROUP).get(entity) else "U"
    rows = [row for row in table_of(call, _STAGE).walk() if row["ENTITY_ID"] == entity]
    for at, (title, system) in enumerate(() if rows else _FIRST):
        values = {"TITLE": title, "SYSTEM_TYPE": system, "SORT": 100 * (at + 1)}
        rows.append(insert(call, _STAGE, values | {"ENTITY_ID": entity, "ENTITY_TYPE": kind}))
    return sorted(rows, key=lambda row: int(row["SORT"]))


@hook("task.stages", "check")
def check_stage(call: Call, values: Row, old: Row | None) -> None:
    """A new or a moved stage stands after another, or first."""
    rows = _of(call, (old or values).get("ENTITY_ID") or 0)
    if old is None or "AFTER_ID" in values:
        sort = next((row["SORT"] for row in rows if row["id"] == values.get("AFTER_ID")), 0)
        values["SORT"] = sort + 50
    if old is None:
        values["ENTITY_TYPE"] = rows[0]["ENTITY_TYPE"]


@hook("task.stages", "deleting")
def check_deleted(call: Call, row: Row) -> None:
    """The first stage stays, and so do those of the beginning."""
    if _of(call, row["ENTITY_ID"])[0] is row:
        text = "Cannot delete the first stage. Move the stage to delete it."
        raise RestError("CANT_DELETE_FIRST", text)
    if row.get("SYSTEM_TYPE"):
        raise RestError("IS_SYSTEM", "The default stage cannot be deleted")


@method("task.stages.get", "task")
def get_stages(call: Call) -> Any:
    """Stages by their numbers."""
    return {str(row["id"]): show(_STAGE, row) for row in _of(call, call.number("entityid"))}


@method("task.stages.canmovetask", "task")
def can_move(call: Call) -> Any:
    """Whether the caller may move tasks: in his own plan, and in groups."""
    own = str(call.get("entitytype", default="U")) == "U"
    return not own or call.number("entityid") in {0, call.user}


@method("task.stages.movetask", "task")
def move_task(call: Call) -> Any:
    """Put a task into a stage."""
    refusal = RestError("TASK_NOT_FOUND", "Task not found or access to it is denied")
    task = find_task(call, call.number("id"), refusal)
    stage = table_of(call, _STAGE).get(int_or_none(call.get("stageid")) or 0)
    if stage is None:
        raise _STAGE.error("update", "missing")
    change_task(call.portal, task, {"stageId": str(stage["id"])}, call.actor)
    return True

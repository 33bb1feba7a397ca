"""The REST commands of tracking: how items of each kind are read, confirmed and listed.

Methods and shapes of answers: rest-protocol sections 6, 9.3, 9.5 and 15.
"""

from typing import Any

from relay.kinds import TASK, kind_of

PAGE = 50  # items of a list command; relay.portal.pages has it too, and would import requests

# A task's fields are chosen, not left out: what a task shows depends on who asks and when.
TASK_FIELDS = {
    "ID": "id",
    "PARENT_ID": "parentId",
    "TITLE": "title",
    "DESCRIPTION": "description",
    "MARK": "mark",
    "PRIORITY": "priority",
    "STATUS": "status",
    "MULTITASK": "multitask",
    "REPLICATE": "replicate",
    "GROUP_ID": "groupId",
    "STAGE_ID": "stageId",
    "FLOW_ID": "flowId",
    "CREATED_BY": "createdBy",
    "CREATED_DATE": "createdDate",
    "RESPONSIBLE_ID": "responsibleId",
    "ACCOMPLICES": "accomplices",
    "AUDITORS": "auditors",
    "CHANGED_BY": "changedBy",
    "CHANGED_DATE": "changedDate",
    "STATUS_CHANGED_BY": "statusChangedBy",
    "STATUS_CHANGED_DATE": "statusChangedDate",
    "CLOSED_BY": "closedBy",
    "CLOSED_DATE": "closedDate",
    "ACTIVITY_DATE": "activityDate",
    "DATE_START": "dateStart",
    "DEADLINE": "deadline",
    "START_DATE_PLAN": "startDatePlan",
    "END_DATE_PLAN": "endDatePlan",
    "XML_ID": "xmlId",
    "ALLOW_CHANGE_DEADLINE": "allowChangeDeadline",
    "ALLOW_TIME_TRACKING": "allowTimeTracking",
    "TASK_CONTROL": "taskControl",
    "ADD_IN_REPORT": "addInReport",
    "TIME_ESTIMATE": "timeEstimate",
    "MATCH_WORK_TIME": "matchWorkTime",
    "TAGS": "tags",
    "UF_CRM_TASK": "ufCrmTask",
    "UF_TASK_WEBDAV_FILES": "ufTaskWebdavFiles",
}


def read_command(entity: str, ids: list[int]) -> tuple[str, dict[str, Any]]:
    """Return method and parameters that read whole items by their ids."""
    if entity == TASK:
        return "tasks.task.list", {
            "filter": {"ID": ids},
            "order": {"ID": "asc"},
            "select": list(TASK_FIELDS),
            "start": -1,
        }
    return "crm.item.list", {
        "entityTypeId": kind_of(entity).entity_type_id,
        "filter": {"@id": ids},
        "order": {"id": "ASC"},
        "select": ["*"],  # without it phones and e-mails (`fm`) are left out
        "useOriginalUfNames": "Y",
        "start": -1,
    }


def get_command(entity: str, item_id: int) -> tuple[str, dict[str, Any]]:
    """Return method and parameters that tell a deleted item from one that may not be read."""
    if entity == TASK:
        return "tasks.task.get", {"taskId": item_id, "select": list(TASK_FIELDS)}
    return "crm.item.get", {
        "entityTypeId": kind_of(entity).entity_type_id,
        "id": item_id,
        "useOriginalUfNames": "Y",
    }


def list_command(
    entity: str, *, after: int | str = 0, since: str | None = None, ids: list[int] | None = None
) -> tuple[str, dict[str, Any]]:
    """Return method and parameters that list ids and times, a page, by id.

    `after` may be a reference to an earlier command of the same batch.
    """
    task = entity == TASK
    by_id = {("ID" if task else "@id"): ids} if ids is not None else {}
    by_time = {(">=CHANGED_DATE" if task else ">=updatedTime"): since} if since else {}
    if task:
        return "tasks.task.list", {
            "filter": {">ID": after, **by_id, **by_time},
            "order": {"ID": "asc"},
            "select": ["ID", "CHANGED_DATE"],
            "start": -1,
        }
    return "crm.item.list", {
        "entityTypeId": kind_of(entity).entity_type_id,
        "filter": {">id": after, **by_id, **by_time},
        "order": {"id": "ASC"},
        "select": ["id", "updatedTime", "isRecurring"],  # unknown names are ignored
        "start": -1,
    }


def reference(entity: str, command: str) -> str:
    """Return the batch reference to the last id of a full page."""
    where = f"[{'tasks' if entity == TASK else 'items'}][{PAGE - 1}][id]"
    return f"$result[{command}]{where}"


def items_of(entity: str, result: Any) -> list[dict[str, Any]]:
    """Return the items in the result of a list."""
    items: list[dict[str, Any]] = result["tasks" if entity == TASK else "items"]
    return items


def item_of(entity: str, result: Any) -> dict[str, Any] | None:
    """Return the item in the result of a get; None where there is none."""
    item = result.get("task" if entity == TASK else "item") if isinstance(result, dict) else None
    return item or None

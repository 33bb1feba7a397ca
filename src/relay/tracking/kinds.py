"""The kinds of items that are mirrored, and how each is asked for.

Names and shapes of the methods: rest-protocol sections 6, 9.3, 9.5 and 15.
"""

from typing import Any

TASK = "task"
ENTITY_TYPE_IDS = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7, "invoice": 31}
_NAMES = {number: name for name, number in ENTITY_TYPE_IDS.items()}
_DYNAMIC = "dynamic_"
FIRST_DYNAMIC = 128  # smart processes begin here (rest-protocol 9.3)
PAGE = 50  # items that a list command returns

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


def entity_of(entity_type_id: int) -> str | None:
    """Return an item type's name here; None for those that no item method serves."""
    if entity_type_id >= FIRST_DYNAMIC:
        return f"{_DYNAMIC}{entity_type_id}"
    return _NAMES.get(entity_type_id)


def entity_type_id(entity: str) -> int | None:
    """Return the portal's number of a kind; None for a task, which has none.

    Raises KeyError for a kind that is not mirrored.
    """
    if entity == TASK:
        return None
    if entity.startswith(_DYNAMIC) and entity.removeprefix(_DYNAMIC).isdecimal():
        return int(entity.removeprefix(_DYNAMIC))
    return ENTITY_TYPE_IDS[entity]


def updated_field(entity: str) -> str:
    """Return the name of the field that says when an item was last changed."""
    return "changedDate" if entity == TASK else "updatedTime"


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
        "entityTypeId": entity_type_id(entity),
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
        "entityTypeId": entity_type_id(entity),
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
        "entityTypeId": entity_type_id(entity),
        "filter": {">id": after, **by_id, **by_time},
        "order": {"id": "ASC"},
        "select": ["id", "updatedTime", "isRecurring"],  # unknown names are ignored
        "start": -1,
    }


def reference(entity: str, command: str) -> str:
    """Return the batch reference to the last id of a full page."""
    where = "[tasks][49][id]" if entity == TASK else "[items][49][id]"
    return f"$result[{command}]{where}"


def items_of(entity: str, result: Any) -> list[dict[str, Any]]:
    """Return the items in the result of a list."""
    items: list[dict[str, Any]] = result["tasks" if entity == TASK else "items"]
    return items


def item_of(entity: str, result: Any) -> dict[str, Any] | None:
    """Return the item in the result of a get; None where there is none."""
    item = result.get("task" if entity == TASK else "item") if isinstance(result, dict) else None
    return item or None

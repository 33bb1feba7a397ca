"""The REST commands of tracking: how items of each kind are read, confirmed and listed.

Methods and shapes of answers: rest-protocol sections 6, 9.3, 9.5 and 15.
"""

from collections.abc import Mapping

from relay.field_names import camel_case
from relay.kinds import ACTIVITY, TASK, kind_of
from relay.portal.api import Result

PAGE = 50  # items that a list command returns

# The portal's codes for an item or a kind that does not exist, and for one that may not be read.
NOT_FOUND = {"NOT_FOUND", "ERROR_NOT_FOUND", "ENTITY_TYPE_NOT_SUPPORTED"}
FORBIDDEN = {"ACCESS_DENIED", "ERROR_ACCESS_DENIED"}

type Item = Mapping[str, Result]  # an item as the portal answers it
type Command = tuple[str, dict[str, object]]  # a method and its parameters

# A task's fields are chosen, not left out: the others depend on who asks and when. A command names
# them in capitals, an answer in camel case.
_TASK_FIELDS = """
ID PARENT_ID TITLE DESCRIPTION MARK PRIORITY STATUS MULTITASK REPLICATE GROUP_ID STAGE_ID
FLOW_ID CREATED_BY CREATED_DATE RESPONSIBLE_ID ACCOMPLICES AUDITORS CHANGED_BY CHANGED_DATE
STATUS_CHANGED_BY STATUS_CHANGED_DATE CLOSED_BY CLOSED_DATE ACTIVITY_DATE DATE_START DEADLINE
START_DATE_PLAN END_DATE_PLAN XML_ID ALLOW_CHANGE_DEADLINE ALLOW_TIME_TRACKING TASK_CONTROL
ADD_IN_REPORT TIME_ESTIMATE MATCH_WORK_TIME TAGS UF_CRM_TASK UF_TASK_WEBDAV_FILES
"""
TASK_FIELDS = _TASK_FIELDS.split()
# `*` brings the fields that people made, as `UF_…` names are beside it; `UF_*` alone is dropped
# (`prepareSelect` in the core's tasks/lib/rest/controllers/task.php).
_TASK_SELECT = [*TASK_FIELDS, "*"]
# Whether a task has a result: beside the fields of its list only. No list has the result's text or
# a checklist (pages of tasks.task.list and tasks.task.result.list).
RESULT_FIELDS = {"taskHasResult", "taskHasOpenResult", "taskRequireResult"}
# An activity's fields are named in capitals everywhere; here they get the names of other items.
_ACTIVITY_FIELDS = """
ID OWNER_ID OWNER_TYPE_ID TYPE_ID PROVIDER_ID PROVIDER_TYPE_ID ASSOCIATED_ENTITY_ID SUBJECT
DESCRIPTION RESPONSIBLE_ID AUTHOR_ID EDITOR_ID CREATED LAST_UPDATED START_TIME END_TIME DEADLINE
COMPLETED STATUS PRIORITY DIRECTION LOCATION ORIGINATOR_ID ORIGIN_ID
"""
ACTIVITY_FIELDS = _ACTIVITY_FIELDS.split()

# The portal changes them without an event, and without the item's time, where it merges contacts.
LINKS = ("contactId", "companyId")


def read_command(entity: str, ids: list[int]) -> Command:
    """Return the command that reads up to 50 whole items by their ids."""
    if entity == TASK:
        return "tasks.task.list", {
            "filter": {"ID": ids},
            "order": {"ID": "asc"},
            "select": _TASK_SELECT,
            "params": {"WITH_RESULT_INFO": True},
            "start": -1,
        }
    if entity == ACTIVITY:
        return "crm.activity.list", {
            "filter": {"@ID": ids},
            "order": {"ID": "ASC"},
            "select": ACTIVITY_FIELDS,
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


def get_command(entity: str, item_id: int) -> Command:
    """Return the command whose error tells a deleted item from one that may not be read."""
    if entity == TASK:
        return "tasks.task.get", {"taskId": item_id, "select": _TASK_SELECT}
    if entity == ACTIVITY:
        return "crm.activity.get", {"id": item_id}
    return "crm.item.get", {
        "entityTypeId": kind_of(entity).entity_type_id,
        "id": item_id,
        "useOriginalUfNames": "Y",
    }


def list_command(
    entity: str, *, after: int = 0, since: str = "", ids: list[int] | None = None
) -> Command:
    """Return the command that lists ids and times of items by id.

    `after` is an id, `since` a time of change, `ids` a set of ids; each narrows the list.
    """
    names = {TASK: ("ID", "ID", "CHANGED_DATE"), ACTIVITY: ("ID", "@ID", "LAST_UPDATED")}
    id_name, ids_name, updated = names.get(entity, ("id", "@id", "updatedTime"))
    narrowed: dict[str, object] = {f">{id_name}": after}
    if ids is not None:
        narrowed[ids_name] = ids
    if since:
        narrowed[f">={updated}"] = since
    rest = {"filter": narrowed, "select": [id_name, updated], "start": -1}
    if entity == TASK:
        return "tasks.task.list", {**rest, "order": {"ID": "asc"}}
    if entity == ACTIVITY:
        return "crm.activity.list", {**rest, "order": {"ID": "ASC"}}
    return "crm.item.list", {
        "entityTypeId": kind_of(entity).entity_type_id,
        **rest,
        "order": {"id": "ASC"},
        "select": ["id", "updatedTime", "isRecurring", *LINKS],  # unknown names are ignored
    }


def items_of(entity: str, result: Result) -> list[Item]:
    """Return the items in the result of a list."""
    if entity == ACTIVITY:
        return [named(entity, row) for row in result]
    items: list[Item] = result["tasks" if entity == TASK else "items"]
    return items


def named(entity: str, item: Item) -> Item:
    """Return an item of a list under the names of its kind; an activity's are camel case here."""
    if entity != ACTIVITY:
        return item
    return {camel_case(name): value for name, value in item.items()}


def item_of(entity: str, result: Result) -> Item | None:
    """Return the item in the result of a get; None where there is none."""
    if entity == ACTIVITY:
        return named(entity, result) if isinstance(result, dict) and result else None
    item = result.get("task" if entity == TASK else "item") if isinstance(result, dict) else None
    return item or None

"""Tasks as `tasks.task.*` show them: camelCase, every scalar a string or null."""

import json
import re
from typing import Any

from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.schema import DATA
from local.portal.table import Row
from local.portal.task_fields import own_values

TEMPLATE: dict[str, Row] = json.loads((DATA / "task.json").read_text(encoding="utf-8"))
NAMES = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", key).upper(): key
    for key in (
        *("id", "createdBy", "createdDate", "changedBy", "changedDate", "title", "deadline"),
        *("responsibleId", "activityDate", "statusChangedDate", "ufCrmTask", "ufTaskWebdavFiles"),
        *TEMPLATE["fields"],
    )
}


def person(portal: Portal, number: Any) -> Row:
    """Show somebody as tasks do."""
    user = portal.users.get(int_or_none(number) or 0, {})
    return {
        "id": str(number),
        "name": f"{user.get('name', '')} {user.get('lastName', '')}".strip(),
        "link": f"/company/personal/user/{number}/",
        "icon": "/bitrix/images/tasks/default_avatar.png",
        "workPosition": user.get("position", ""),
    }


def plain(portal: Portal, row: Row) -> Row:
    """Show a task without what only its own page has."""
    hidden = {"tags", "favoriteOf", "mutedBy", "pinnedBy", "dependsOn"}
    hidden |= {key for key in row if key[:2] == "uf"}
    view = TEMPLATE["fields"] | {key: value for key, value in row.items() if key not in hidden}
    view["id"] = str(row["id"])
    view["favorite"] = "Y" if row.get("favoriteOf") else "N"
    view["isPinned"] = "Y" if row.get("pinnedBy") else "N"
    view["isMuted"] = "Y" if row.get("mutedBy") else "N"
    view["creator"] = person(portal, row["createdBy"])
    view["responsible"] = person(portal, row["responsibleId"])
    for key in ("auditors", "accomplices"):
        people = {str(one): person(portal, one) for one in row.get(key, [])}
        view[f"{key}Data"] = people or []
    return view


def detail(portal: Portal, row: Row) -> Row:
    """Show all of a task."""
    return plain(portal, row) | TEMPLATE["detail"]


def list_view(portal: Portal, row: Row, select: set[str]) -> Row:
    """Show a task as a list does; `select` holds names of fields and of `params` that are on."""
    view = plain(portal, row) | TEMPLATE["list"]
    view["parsedDescription"] = view["description"]
    view["subStatus"] = view["status"]
    if "UF_CRM_TASK" in select:
        view["ufCrmTask"] = row.get("ufCrmTask", [])
    if select and "*" not in select:
        keep = {NAMES.get(name, "") for name in select} | {"id", "group", "descriptionInBbcode"}
        keep |= {"subStatus"}
        for name in select & TEMPLATE["beside"].keys():
            keep |= set(TEMPLATE["beside"][name])
        view = {key: value for key, value in view.items() if key in keep}
    return view | own_values(portal, row, select)

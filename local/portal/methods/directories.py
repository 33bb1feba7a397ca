"""Entries of directories, stages among them [crm/status/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic
from local.portal.rows import hook
from local.portal.stages import stage_prefix
from local.portal.table import Row

_GROUPS = {"S": "success", "F": "failure"}
_NAMES = {
    "STATUS": ("Lead stages", 1),
    "SOURCE": ("Sources", None),
    "CONTACT_TYPE": ("Contact type", None),
    "COMPANY_TYPE": ("Company type", None),
    "EMPLOYEES": ("Number of employees", None),
    "INDUSTRY": ("Industry", None),
    "DEAL_TYPE": ("Deal type", None),
    "QUOTE_STATUS": ("Estimate stages", 7),
    "HONORIFIC": ("Salutations", None),
}


@hook("crm.status", "check")
def check_status(call: Call, values: Row, old: Row | None) -> None:
    """Refuse what a directory can't hold, and put a funnel's prefix before its stages' codes."""
    if old is not None:
        return
    statuses = list(call.portal.directories.statuses.walk())
    rows = [row for row in statuses if row["ENTITY_ID"] == values["ENTITY_ID"]]
    if not rows:
        raise classic("Specified entity type is not supported.")
    prefix = stage_prefix(values["ENTITY_ID"])
    if not values["STATUS_ID"].startswith(prefix):
        values["STATUS_ID"] = prefix + values["STATUS_ID"]
    if any(row["STATUS_ID"] == values["STATUS_ID"] for row in rows):
        raise RestError("ERROR_CORE", "The specified status ID already exists.")
    values |= {"NAME_INIT": "", "SYSTEM": "N", "CATEGORY_ID": rows[0]["CATEGORY_ID"]}


@hook("crm.status", "add")
def added_status(call: Call, row: Row) -> None:
    """Let items be in a new stage."""
    call.portal.directories.index(row)


@hook("crm.status", "deleting")
def deleting_status(call: Call, row: Row) -> None:
    """Keep what the system made, and stages that items are in."""
    if row["SYSTEM"] == "Y" and not call.flag("forced"):
        params = call.get("params")
        if not isinstance(params, dict) or str(params.get("FORCED")).upper() != "Y":
            raise classic(
                "CRM System Status can be deleted only if parameter FORCED is specified "
                'and equal to "Y".'
            )
    tables = call.portal.items.values()
    if any(item.get("stageId") == row["STATUS_ID"] for t in tables for item in t.walk()):
        raise classic("There are active items in this status.")
    call.portal.directories.forget(row)


@hook("crm.status", "show")
def show_status(_family: Any, row: Row, view: Row, operation: str) -> None:
    """Add what a list says beside: the group of a stage."""
    if operation == "list":
        group = _GROUPS.get(row.get("SEMANTICS") or "", "process")
        view["EXTRA"] = {"SEMANTICS": group, "COLOR": row.get("COLOR", "")}
    else:
        view.pop("EXTRA", None)


@method("crm.status.entity.items", "crm")
def entity_items(call: Call) -> Any:
    """Entries of one directory, in short."""
    return [
        {"NAME": row["NAME"], "SORT": int(row["SORT"]), "STATUS_ID": row["STATUS_ID"]}
        for row in call.portal.directories.statuses.walk()
        if row["ENTITY_ID"] == str(call.get("entityid"))
    ]


@method("crm.status.entity.types", "crm")
def entity_types(call: Call) -> Any:
    """Directories there are; those of stages say which ones are final."""
    directories = call.portal.directories
    shown: list[Row] = [{"ID": name, "NAME": title} for name, (title, _) in _NAMES.items()]
    for view in shown:
        if (of := _NAMES[view["ID"]][1]) is not None:
            view |= {"SEMANTIC_INFO": _semantic_info(call, view["ID"]), "ENTITY_TYPE_ID": of}
    for number, rows in directories.categories.items():
        for row in rows:
            name = directories.directory(number, row["id"])
            prefix = stage_prefix(name)
            shown.append(
                {"ID": name, "NAME": f"{call.portal.types[number].title} stages"}
                | {"SEMANTIC_INFO": _semantic_info(call, name), "ENTITY_TYPE_ID": number}
                | ({"PREFIX": prefix.rstrip(":")} if prefix else {})
                | {"FIELD_ATTRIBUTE_SCOPE": f"category_{row['id']}", "IS_ENABLED": True}
                | {"CATEGORY_ID": row["id"]}
            )
    return shown


def _semantic_info(call: Call, name: str) -> Row:
    rows = [row for row in call.portal.directories.statuses.walk() if row["ENTITY_ID"] == name]
    groups = {
        group: [r for r in rows if (r.get("SEMANTICS") or "") == group] for group in ("", "S", "F")
    }
    return {
        "START_FIELD": groups[""][0]["STATUS_ID"] if groups[""] else "",
        "FINAL_SUCCESS_FIELD": groups["S"][0]["STATUS_ID"] if groups["S"] else "",
        "FINAL_UNSUCCESS_FIELD": groups["F"][0]["STATUS_ID"] if groups["F"] else "",
        "FINAL_SORT": int(groups["S"][0]["SORT"]) if groups["S"] else 0,
    }

"""Stages of items: which one fits the funnel, what follows from it, which ones there were."""

from typing import Any

from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.schema import EntityType
from local.portal.table import Row

_MADE, _MOVED, _FINAL, _FUNNEL = 1, 2, 3, 5  # types of records of the stage history


def with_stage(portal: Portal, entity: EntityType, values: Row, old: Row | None) -> Row:
    """Let the stage fit the funnel, and what follows from it follow."""
    if not entity.has_stages:
        return values
    directories, values = portal.directories, dict(values)
    has_funnels = "categoryId" in entity.fields
    default = directories.default_category(entity.number)
    before = old.get("categoryId", default) if old else default
    category: Any = values.get("categoryId", before) if has_funnels else 0
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


def remember_stage(portal: Portal, entity: EntityType, row: Row) -> None:
    """Keep a record for crm.stagehistory.list, if the stage or the funnel is another one.

    Its type is 1 where the item was made, 2 for a stage on the way, 3 for a final one (an item that
    is made in one has no 1), 5 for another funnel [CORE].
    """
    found = portal.history.setdefault((entity.number, row["id"]), [])
    category, semantic = row.get("categoryId", 0), row.get("stageSemanticId", "P")
    last = found[-1] if found else None
    if last and (last["category"], last["stage"]) == (category, row["stageId"]):
        return
    kind = _MADE if last is None else _MOVED
    if semantic != "P":
        kind = _FINAL
    if last and last["category"] != category:
        kind = _FUNNEL
    portal.last_history_id += 1
    found.append(
        {
            "id": portal.last_history_id,
            "kind": kind,
            "owner": row["id"],
            "time": row["updatedTime"],
            "category": category,
            "stage": row["stageId"],
            "semantic": semantic,
        }
    )

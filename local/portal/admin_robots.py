"""What the admin API can do to robots on stages."""

from typing import Any

from local.portal.admin_actions import action
from local.portal.portal import Portal
from local.portal.table import Row


@action("GET", "robots")
def robots(portal: Portal, given: Row) -> Any:
    """The robots of a stage (entityTypeId, stage) or all, the address that a new one is offered.

    Beside all robots stand the stages that one can be put on, in words.
    """
    if "stage" in given:
        found = portal.robots.of(int(given.get("entityTypeId", 2)), str(given["stage"]))
        return {"address": portal.robots.address, "robots": [one.to_dict() for one in found]}
    stages = _stages(portal)
    where = {(one["entityTypeId"], one["id"]): one["where"] for one in stages}
    rows = [
        one.to_dict() | {"where": where.get((one.type_number, one.stage), one.stage)}
        for one in portal.robots.all()
    ]
    return {"address": portal.robots.address, "robots": rows, "stages": stages}


def _stages(portal: Portal) -> list[Row]:
    names = {
        (row["ENTITY_ID"], row["STATUS_ID"]): row["NAME"]
        for row in portal.directories.statuses.walk()
    }
    found: list[Row] = []
    for entity in portal.types.values():
        if not entity.has_stages:
            continue
        for category in portal.directories.categories.get(entity.number) or [{"id": 0, "name": ""}]:
            directory = portal.directories.directory(entity.number, category["id"])
            for stage in portal.directories.stages(entity.number, category["id"]):
                parts = (entity.title, category["name"], names.get((directory, stage), stage))
                where = ", ".join(part for part in parts if part)
                found.append({"entityTypeId": entity.number, "id": stage, "where": where})
    return sorted(found, key=lambda one: one["entityTypeId"] != 2)  # noqa: PLR2004  deals first


@action("POST", "robots")
def add_robot(portal: Portal, given: Row) -> Any:
    """Put a robot on a stage: stage, handler, entityTypeId (2)."""
    number, handler = int(given.get("entityTypeId", 2)), str(given["handler"]).strip()
    if number not in portal.types:
        raise ValueError(f"there is no type {number}")
    if not handler.startswith(("http://", "https://")):
        raise ValueError("handler must begin with http:// or https://")
    portal.revision += 1
    return portal.robots.add(number, str(given["stage"]), handler).to_dict()


@action("DELETE", "robots")
def delete_robot(portal: Portal, given: Row) -> Any:
    """Take a robot away: id."""
    portal.robots.remove(int(given["id"]))
    portal.revision += 1
    return {"deleted": True}


@action("POST", "robots/address")
def offer_address(portal: Portal, given: Row) -> Any:
    """Say which address the page offers for a new robot: url."""
    portal.robots.address = str(given["url"])
    return {"offered": True}

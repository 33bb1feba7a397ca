"""What the admin API can do to robots on stages."""

from typing import Any

from local.portal.admin_actions import action
from local.portal.portal import Portal
from local.portal.table import Row


@action("GET", "robots")
def robots(portal: Portal, given: Row) -> Any:
    """The robots of a stage (entityTypeId, stage), and the address that a new one is offered."""
    found = portal.robots.of(int(given.get("entityTypeId", 2)), str(given.get("stage", "")))
    return {"address": portal.robots.address, "robots": [one.to_dict() for one in found]}


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

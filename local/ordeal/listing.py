"""All deals, items and tasks of a portal, in pages by id."""

from typing import Any

from local.demo import DemoPortal
from local.ordeal.guest import DEAL


def deals(portal: DemoPortal) -> list[dict[str, Any]]:
    """Return all deals of a portal, ordered by id."""
    return listed(portal, DEAL)


def listed(portal: DemoPortal, kind: int) -> list[dict[str, Any]]:
    """Return all items of an entityTypeId, ordered by id."""
    found: list[dict[str, Any]] = []
    while True:
        page = portal.call(
            "crm.item.list",
            entityTypeId=kind,
            order={"id": "ASC"},
            select=["*"],
            filter={">id": found[-1]["id"] if found else 0},
            start=-1,
        )["items"]
        found += page
        if not page:
            return found


def tasks(portal: DemoPortal) -> list[dict[str, Any]]:
    """Return all tasks of a portal, ordered by id."""
    found: list[dict[str, Any]] = []
    while True:
        page = portal.call(
            "tasks.task.list",
            order={"ID": "ASC"},
            select=["ID", "TITLE", "UF_CRM_TASK"],
            filter={">ID": found[-1]["id"] if found else 0},
            start=-1,
        )["tasks"]
        found += page
        if not page:
            return found

"""A portal that begins with a small file of people, fields, items and calls."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import local.portal.methods  # noqa: F401  importing registers them
from local.portal import admin_items  # noqa: F401  importing registers actions
from local.portal.admin_actions import ACTIONS
from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.table import Row

_SECTIONS = ("users", "fields", "categories", "items", "calls")


def seed_from(portal: Portal, path: Path) -> None:
    """Add what a TOML or JSON file lists; raises ValueError that names the entry which is wrong.

    `users`, `fields` and `categories` take what the admin API takes; an entry of `items` is an
    item with its `entityTypeId`, keys as in crm.item.*; one of `calls` has `method` and `params`.
    """
    text = path.read_text(encoding="utf-8")
    try:
        given = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if unknown := sorted(set(given) - set(_SECTIONS)):
        raise ValueError(f"{path.name}: there is no {unknown[0]}; there are {', '.join(_SECTIONS)}")
    for section in _SECTIONS:
        for number, entry in enumerate(given.get(section, []), 1):
            _add(f"{path.name}: {section} {number}", lambda: _entry(portal, section, entry))  # noqa: B023


def _entry(portal: Portal, section: str, entry: Row) -> Any:
    if section == "calls":
        return ACTIONS["POST", "call"](portal, entry)
    if section == "items":
        kind = entry.get("entityTypeId", 2)
        rest = {key: value for key, value in entry.items() if key != "entityTypeId"}
        return ACTIONS["POST", "import"](portal, {"entityTypeId": kind, "items": [rest]})
    return ACTIONS["POST", section](portal, entry)


def _add(where: str, action: Callable[[], Any]) -> None:
    try:
        action()
    except KeyError as error:
        raise ValueError(f"{where}: there is no {error.args[0]}") from None
    except RestError as error:
        raise ValueError(f"{where}: {error.text or error.code}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: {error}") from None

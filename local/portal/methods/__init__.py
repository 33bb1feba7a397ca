"""REST methods by section; importing them registers them."""

from local.portal.methods import (
    around,
    classic,
    directories,
    items,
    messages,
    people,
    system,
    tasks,
    timeline,
    types,
)

__all__ = [
    "around",
    "classic",
    "directories",
    "items",
    "messages",
    "people",
    "system",
    "tasks",
    "timeline",
    "types",
]

"""REST methods by section; importing them registers them."""

from local.portal.engine import register_families
from local.portal.methods import (
    activities,
    around,
    classic,
    directories,
    imports,
    items,
    messages,
    people,
    system,
    tasks,
    timeline,
    types,
)

__all__ = [
    "activities",
    "around",
    "classic",
    "directories",
    "imports",
    "items",
    "messages",
    "people",
    "system",
    "tasks",
    "timeline",
    "types",
]

register_families()

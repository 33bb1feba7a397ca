"""REST methods by section; importing them registers them."""

from local.portal.engine import register_families
from local.portal.methods import (
    activities,
    around,
    cards,
    chats,
    classic,
    currencies,
    dialogues,
    directories,
    imports,
    items,
    messages,
    messenger_people,
    notices,
    people,
    product_rows,
    relations,
    stage_history,
    system,
    task_items,
    task_states,
    tasks,
    timeline,
    timeline_notes,
    types,
    user_fields,
)
from local.portal.static import register_answers

__all__ = [
    "activities",
    "around",
    "cards",
    "chats",
    "classic",
    "currencies",
    "dialogues",
    "directories",
    "imports",
    "items",
    "messages",
    "messenger_people",
    "notices",
    "people",
    "product_rows",
    "relations",
    "stage_history",
    "system",
    "task_items",
    "task_states",
    "tasks",
    "timeline",
    "timeline_notes",
    "types",
    "user_fields",
]

register_answers()
register_families()

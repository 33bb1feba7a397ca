"""Fields of tasks that people made [api-reference/tasks/user-field/]."""

import re
from typing import Any

from local.portal.errors import RestError
from local.portal.family import camel_case
from local.portal.portal import Portal
from local.portal.table import Row


def snake(name: Any) -> str:
    """Return the name that requests have for a field, which may come as answers name it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).upper()


def _made(portal: Portal) -> list[Row]:
    rows = portal.tables["user_fields"].walk() if "user_fields" in portal.tables else ()
    return [row for row in rows if row["ENTITY_ID"] == "TASKS_TASK"]


def own_names(portal: Portal) -> dict[str, str]:
    """Return the names of these fields, and the key that each is stored and shown under."""
    return {row["FIELD_NAME"]: camel_case(row["FIELD_NAME"]) for row in _made(portal)}


def own_value(value: Any) -> Any:
    """Return a value as it is stored: texts, or lists of them."""
    if isinstance(value, list):
        return [str(one) for one in value]
    return None if value is None else str(value)


def own_values(portal: Portal, row: Row, select: set[str]) -> Row:
    """Return what a task has in the fields that are selected, by name or as `UF_*`.

    `*` stands for them too where a name that begins with `UF_` is beside it [CORE
    tasks/lib/rest/controllers/task.php, prepareSelect].
    """
    names = own_names(portal).items()
    every = "UF_*" in select or ("*" in select and any(one.startswith("UF_") for one in select))
    return {key: row.get(key) for name, key in names if every or name in select}


def check_own(portal: Portal, values: Row) -> None:
    """Refuse a new task without a field that must be filled."""
    for row in _made(portal):
        if row["MANDATORY"] == "Y" and not values.get(camel_case(row["FIELD_NAME"])):
            text = f"Required field {row['FIELD_NAME']} value not entered<br>"
            raise RestError("ERROR_CORE", text)


def described(portal: Portal) -> Row:
    """Return what `tasks.task.getFields` tells of them."""
    return {
        row["FIELD_NAME"]: {"title": row["FIELD_NAME"], "type": row["USER_TYPE_ID"]}
        for row in _made(portal)
    }

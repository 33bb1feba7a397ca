"""The methods that REST 3.0 has here: those of tasks, and what says which there are [rest-v3.md].

Each of them runs the older API's method as well, so that rights, faults, limits and events are
the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.table import Row
from local.portal.v3_errors import V3Error, check_type, denied, invalid, missing
from local.portal.v3_fields import field_methods
from local.portal.v3_query import read_list, read_select
from local.portal.v3_view import TASK, stored, view
from local.portal.webhooks import IncomingWebhook

# Words in what the older API says no with, and the field that is meant
_FAULTS = {"Responsible": "responsibleId", "Parent": "parentId", "node": "parentId"}
_FAULTS |= {"cyclic": "parentId", "date": "endPlan", "duration": "endPlan", "title": "title"}


@dataclass(frozen=True, slots=True)
class V3Call:
    """One call: whose it is, what it asks."""

    portal: Portal
    webhook: IncomingWebhook
    params: Row

    def old(self, method: str, **params: Any) -> Any:
        """Run a method of the older API."""
        return run_method(self.portal, self.webhook, method, params)["result"]

    def write(self, method: str, **params: Any) -> Any:
        """Run a method of the older API; what is wrong with its fields is wrong here as well."""
        try:
            return self.old(method, **params)
        except RestError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            text = error.text.removesuffix("<br>")
            name = next((name for word, name in _FAULTS.items() if word in text), "fields")
            raise invalid((name, text)) from error

    def admin(self) -> bool:
        """Whether the owner of the webhook is an administrator."""
        return bool(self.portal.users.get(self.webhook.user, {}).get("admin"))

    def allow(self) -> None:
        """Refuse who may see no tasks."""
        if self.portal.denied(self.webhook.user):
            raise denied()

    def show(self, row: Row, select: list[str] | None) -> Row:
        """Show a task to the webhook's user."""
        return view(self.portal, self.webhook.user, row, select)

    def number(self) -> int:
        """Read the id, a number and not a string of one."""
        value = self.params.get("id")
        if value is None:
            raise missing("id")
        check_type("id", "int", value)
        return int(value)

    def existing(self) -> int:
        """Read the id of a task that is there; to others nobody has access."""
        number = self.number()
        row = self.portal.tasks.get(number)
        if row is None or not self.portal.may_read(self.webhook.user, 0, row):
            raise denied()
        return number


def _get(call: V3Call) -> Any:
    number, select = call.number(), read_select(call.params)
    row = call.portal.tasks.get(number)
    if row is None:
        raise V3Error("ENTITYNOTFOUNDEXCEPTION", f"Record with ID = `{number}` not found")
    call.old("tasks.task.get", taskId=number, select=["ID"])
    return {"item": call.show(row, select)}


def _add(call: V3Call) -> Any:
    select = read_select(call.params)
    fields = stored(call.portal, call.params.get("fields"), new=True)
    made = call.write("tasks.task.add", fields=fields)
    return {"item": call.show(call.portal.tasks.rows[int(made["task"]["id"])], select)}


def _update(call: V3Call) -> Any:
    number = call.number()
    fields = stored(call.portal, call.params.get("fields"), new=False)
    call.existing()
    call.write("tasks.task.update", taskId=number, fields=fields)
    return {"result": True}


def _delete(call: V3Call) -> Any:
    call.old("tasks.task.delete", taskId=call.existing())
    return {"result": True}


def _list(call: V3Call) -> Any:
    call.allow()
    select = read_select(call.params) or ["id"]
    call.old("tasks.task.list", select=["ID"], start=-1)
    rows = read_list(TASK, call.params, call.portal.tasks.walk())
    return {"items": [call.show(row, select) for row in rows]}


def _scopes(_call: V3Call) -> Any:
    names = [name for name in METHODS if "." in name]
    return {"items": [{"method": name, "scope": name.partition(".")[0]} for name in names]}


def _openapi(_call: V3Call) -> Any:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Bitrix24 REST V3 API", "version": "1.0.0"},
        "tags": [{"name": "tasks", "description": "tasks module methods"}],
        "paths": {f"/{name}": {} for name in METHODS},
        "components": {"schemas": {"TaskDto": {"properties": {name: {} for name in TASK.keys}}}},
    }


METHODS: dict[str, Callable[[V3Call], Any]] = {
    "tasks.task.get": _get,
    "tasks.task.add": _add,
    "tasks.task.update": _update,
    "tasks.task.delete": _delete,
    "tasks.task.list": _list,
    "rest.scope.list": _scopes,
    "rest.documentation.openapi": _openapi,
    "documentation": _openapi,
} | field_methods("tasks.task", TASK.described())

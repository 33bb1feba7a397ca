"""What a REST call writes to or makes, as far as the mirror has such items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeIs

from relay.field_names import plain
from relay.kinds import KINDS, TASK, name_of
from relay.portal.api import Params

PREFIX = "relay-"  # of a stamp's text (relay.echo.stamps)
_NAMES = {kind.name for kind in KINDS.values() if kind.has_own_methods}
_OWNERS = {kind.owner_code: kind.name for kind in KINDS.values() if kind.owner_code}
# What a task's own methods set.
_TASK_STATUS = {"complete": 5, "start": 3, "pause": 2, "defer": 6, "renew": 2, "approve": 5}


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """The item that a call writes to, and the fields that it sets there, by plain names."""

    entity: str
    id: str
    fields: Params
    deleted: bool = False

    @property
    def item(self) -> str:
        """Return the item as `<entity>/<id>`."""
        return f"{self.entity}/{self.id}"


@dataclass(frozen=True, slots=True)
class CreatedItem:
    """The kind of item that a call makes, and the fields that it sets, by plain names."""

    entity: str
    fields: Params

    @property
    def stamp(self) -> str:
        """Return the text of the stamp among the fields, empty without one."""
        texts = (str(self.fields.get(name, "")) for name in ("originid", "xmlid"))
        return next((text for text in texts if text.startswith(PREFIX)), "")

    def author(self, user_id: int) -> str:
        """Return the id of the item's author; `user_id` is the webhook's user."""
        return str(self.fields.get("createdby") or user_id)


def written_item(method: str, params: Params) -> WrittenItem | None:
    """Return what a call writes to; None where that is no item of the mirror."""
    words = method.lower().split(".")
    given, fields = _given(params)
    entity = ""
    number: object = given.get("id")
    match words:
        case ["crm", "item", "update" | "delete"]:
            entity = _entity(given.get("entitytypeid"))
        case ["crm", name, "update" | "delete"] if name in _NAMES:
            entity = name
        case ["crm", "item", "productrow", "set"]:
            entity, number = owner_of(given.get("ownertype")), given.get("ownerid")
        case ["crm", "item", "productrow", "add"]:
            entity, number = owner_of(fields.get("ownertype")), fields.get("ownerid")
            fields = {}
        case ["tasks", "task", action] if "taskid" in given and action != "add":
            entity, number = TASK, given["taskid"]
            if action in _TASK_STATUS:
                fields = {"status": _TASK_STATUS[action]}
        case ["crm", "timeline", "comment", "add"]:
            entity, number = str(fields.get("entitytype", "")), fields.get("entityid")
            fields = {}
        case ["crm", name, *rest] if name in _NAMES and rest != ["add"]:
            entity, fields = name, {}  # `crm.deal.contact.items.set` and the like
        case _:
            return None
    if not str(number).isdecimal():
        return None  # a reference to another result of its batch, or nothing that a portal takes
    return WrittenItem(entity, str(int(str(number))), fields, deleted=words[2:] == ["delete"])


def created_item(method: str, params: Params) -> CreatedItem | None:
    """Return what a call makes; None where that is not mirrored."""
    words = method.lower().split(".")
    given, fields = _given(params)
    match words:
        case ["tasks", "task", "add"]:
            # Whether a portal keeps the stamp of a task is written nowhere.
            return CreatedItem(TASK, {n: fields[n] for n in fields if n != "xmlid"})
        case ["crm", "item", "add"]:
            return CreatedItem(_entity(given.get("entitytypeid")), fields)
        case ["crm", name, "add"] if name in _NAMES:
            return CreatedItem(name, fields)
        case _:
            return None


def created_id(result: object) -> str | None:
    """Return the id of what was made: `{"item": {"id": 7}}`, `{"task": {"id": "7"}}` or `7`."""
    if is_map(result):
        inner = result.get("item", result.get("task"))
        result = inner.get("id") if is_map(inner) else None
    text = str(result)
    return text if text.isdecimal() else None


def saved_by(result: object) -> str:
    """Return the id of who saved the item in a result; empty where it names nobody."""
    item = result.get("item", result.get("task")) if is_map(result) else None
    if not is_map(item):
        return ""
    return str(item.get("updatedBy") or item.get("changedBy") or "")


def is_map(value: object) -> TypeIs[Mapping[str, object]]:
    """Return whether a value of JSON is an object."""
    return isinstance(value, Mapping)


def _given(params: Params) -> tuple[Params, Params]:
    """Return the parameters by their names in lower case, and their fields by plain names."""
    given = {name.lower(): value for name, value in params.items()}
    fields = given.get("fields")
    return given, {plain(n): v for n, v in fields.items()} if is_map(fields) else {}


def _entity(type_id: object) -> str:
    return name_of(int(str(type_id))) if str(type_id).isdecimal() else f"dynamic_{type_id}"


def owner_of(abbreviation: object) -> str:
    """Return the kind of an owner of product rows."""
    text = str(abbreviation).upper()
    if text in _OWNERS:
        return _OWNERS[text]
    try:
        return name_of(int(text.removeprefix("T"), 16))
    except ValueError:
        return text.lower()

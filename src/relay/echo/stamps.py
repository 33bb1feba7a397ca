"""The stamp that a create bears: fields by which the item is found again, and told as ours.

| method | stamp | because |
|---|---|---|
| `crm.item.add` of 1-4 | `originatorId`, `originId` | made for external keys |
| `crm.item.add` of 31, 128… | `xmlId` | they have no origin |
| `crm.deal.add`, lead, contact, company | `ORIGINATOR_ID`, `ORIGIN_ID` | the same |
| `tasks.task.add` | `XML_ID` | tasks have no origin |
| where the reaction has set these itself | none | a key of its own may be on other items |
| quotes (7) | none | neither origin nor `xmlId` |
| comments, to-dos, messages, workflows | none | no field holds a key |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.echo.same_value import plain

ORIGINATOR = "bitrix24-relay"
PREFIX = "relay-"
_CLASSIC = {f"crm.{name}.add" for name in ("lead", "deal", "contact", "company")}
_ORIGIN_TYPES = {1, 2, 3, 4}
_INVOICE, _FIRST_DYNAMIC = 31, 128


@dataclass(frozen=True, slots=True)
class Stamp:
    """The fields that are added to a create."""

    fields: Mapping[str, str]

    def put_on(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters with the mark in their fields."""
        name, fields = fields_of(params)
        return {**params, name: {**fields, **self.fields}}


def stamp_of(method: str, params: Mapping[str, Any], key: str) -> Stamp | None:
    """Return what a create is to be found by; None where nothing can be looked for."""
    method = method.lower()
    _, fields = fields_of(params)
    if not isinstance(fields, Mapping):
        return None
    value = PREFIX + key
    if method == "tasks.task.add":
        mark = {"XML_ID": value}
    elif method in _CLASSIC:
        mark = {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": value}
    elif method == "crm.item.add":
        number = _type_number(params)
        if number in _ORIGIN_TYPES:
            mark = {"originatorId": ORIGINATOR, "originId": value}
        elif number == _INVOICE or number >= _FIRST_DYNAMIC:
            mark = {"xmlId": value}
        else:
            return None
    else:
        return None
    taken = {plain(name) for name, given in fields.items() if given}
    return None if taken & {plain(name) for name in mark} else Stamp(mark)


def fields_of(params: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the name and the value of the parameter that holds a call's fields."""
    name = next((name for name in params if name.lower() == "fields"), "fields")
    return name, params.get(name, {})


def _type_number(params: Mapping[str, Any]) -> int:
    number = str(params.get("entityTypeId", ""))
    return int(number) if number.isdecimal() else 0

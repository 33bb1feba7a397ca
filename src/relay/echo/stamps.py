"""The stamp of a create: fields by which the item is found again, and recognised as a reaction's.

| method | stamp | because |
|---|---|---|
| `crm.item.add` of 1-4 | `originatorId`, `originId` | they are made for external keys |
| `crm.item.add` of 31, 128… | `xmlId` | these kinds have no origin |
| `crm.deal.add`, lead, contact, company | `ORIGINATOR_ID`, `ORIGIN_ID` | the same |
| `tasks.task.add` | `XML_ID` | tasks have no origin |
| where the reaction has set these itself | none | a key of its own may be on other items |
| quotes (7) | none | they have neither origin nor `xmlId` |
| comments, to-dos, messages, workflows | none | no field holds a key |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.echo.same_value import plain
from relay.kinds import KINDS, TASK, kind_of, name_of
from relay.portal.api import Params

ORIGINATOR = "bitrix24-relay"
PREFIX = "relay-"
_KEY_FIELDS = {
    f"crm.{kind.name}.add": kind.key_fields for kind in KINDS.values() if kind.has_own_methods
} | {"tasks.task.add": KINDS[TASK].key_fields}


@dataclass(frozen=True, slots=True)
class Stamp:
    """The fields that are added to a create, with their values."""

    fields: Mapping[str, str]

    def put_on(self, params: Params) -> Params:
        """Return a copy of the parameters with the stamp among the fields."""
        name, fields = fields_of(params)
        return {**params, name: {**(fields or {}), **self.fields}}


def stamp_of(method: str, params: Params, key: str) -> Stamp | None:
    """Return the stamp with a key for a call; None where no field can hold one."""
    names = _key_fields(method.lower(), params)
    _, fields = fields_of(params)
    if not names or fields is None:
        return None
    text = PREFIX + key
    stamp = {name: ORIGINATOR if plain(name) == "originatorid" else text for name in names}
    used = {plain(name) for name, value in fields.items() if value}
    return None if used & {plain(name) for name in stamp} else Stamp(stamp)


def fields_of(params: Params) -> tuple[str, Params | None]:
    """Return the name of the parameter with a call's fields, and these; None for no object."""
    name = next((name for name in params if name.lower() == "fields"), "fields")
    fields = params.get(name, {})
    return name, fields if isinstance(fields, Mapping) else None


def _key_fields(method: str, params: Params) -> Sequence[str]:
    """Return the fields that may hold a create's key, spelled as its method takes them."""
    if method != "crm.item.add":
        return [re.sub("([A-Z])", r"_\1", name).upper() for name in _KEY_FIELDS.get(method, ())]
    number = str(params.get("entityTypeId", ""))
    try:
        return kind_of(name_of(int(number) if number.isdecimal() else 0)).key_fields
    except KeyError:
        return ()

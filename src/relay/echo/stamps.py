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
from collections.abc import Mapping

from relay.echo.effects import PREFIX, created_item
from relay.field_names import plain
from relay.kinds import kind_of
from relay.portal.api import Params

ORIGINATOR = "bitrix24-relay"


type Stamp = Mapping[str, str]  # the fields that are added to a create, with their values


def put_on(params: Params, stamp: Stamp) -> Params:
    """Return a copy of a create's parameters with the stamp among the fields."""
    name, fields = fields_of(params)
    return {**params, name: {**(fields or {}), **stamp}}


def stamp_of(method: str, params: Params, key: str) -> Stamp | None:
    """Return the stamp with a key for a call; None where no field can hold one."""
    created = created_item(method, params)
    _, fields = fields_of(params)
    if not created or fields is None:
        return None
    try:
        names = kind_of(created.entity).key_fields
    except KeyError:
        return None
    stamp = {name: ORIGINATOR if name == "originatorId" else PREFIX + key for name in names}
    if method.lower() != "crm.item.add":  # whose methods spell fields in capitals
        stamp = {re.sub("([A-Z])", r"_\1", name).upper(): text for name, text in stamp.items()}
    used = {plain(name) for name, value in fields.items() if value}
    free = not used & {plain(name) for name in stamp}
    return stamp if stamp and free else None


def fields_of(params: Params) -> tuple[str, Params | None]:
    """Return the name of the parameter with a call's fields, and these; None for no object."""
    name = next((name for name in params if name.lower() == "fields"), "fields")
    fields = params.get(name, {})
    return name, fields if isinstance(fields, Mapping) else None

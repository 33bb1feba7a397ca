"""Creates whose answer was lost: what each leaves in the portal, and where it is looked for.

| method | stamp | looked for | because |
|---|---|---|---|
| `crm.item.add` of 1-4 | `originatorId`, `originId` | `crm.item.list` | made for external keys |
| `crm.item.add` of 31, 128… | `xmlId` | `crm.item.list` | they have no origin |
| `crm.deal.add`, lead, contact, company | `ORIGINATOR_ID`, `ORIGIN_ID` | `crm.*.list` | the same |
| `tasks.task.add` | `XML_ID` | `tasks.task.list` by person | no filter takes it (below) |
| where the reaction has set these itself | | nowhere | a key of its own may be on other items |
| quotes (7) | | nowhere | neither origin nor `xmlId` |
| comments, to-dos, messages, workflows | | nowhere | no field of theirs holds a key, and two |
|  | | | changes may want the same text |
| everything else | | nowhere | unknown |

Unknown fields vanish silently in a portal, and that tasks keep `XML_ID` is written nowhere: a task
of the same title and person without it, made since, proves nothing either way; a person decides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.errors import MayHaveRunError
from relay.portal import PortalApi

ORIGINATOR = "bitrix24-relay"
PREFIX = "relay-"
_CLASSIC = {f"crm.{name}.add" for name in ("lead", "deal", "contact", "company")}
_ORIGIN_TYPES = {1, 2, 3, 4}
_INVOICE, _FIRST_DYNAMIC = 31, 128
# A title that no portal trims, escapes or takes for a pattern other than itself.
_PLAIN_TITLE = re.compile(r"(?=\S)[^&<>\"'\\]{1,200}(?<=\S)")
CLOCK = timedelta(minutes=5)  # how far the portal's clock may be from ours
SHIFT = timedelta(hours=14)  # filters by time are read in another zone (rest-protocol section 15)


@dataclass(frozen=True, slots=True)
class Mark:
    """The fields that are added to a create."""

    fields: Mapping[str, str]

    def put_on(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters with the mark in their fields."""
        name, fields = _fields(params)
        return {**params, name: {**fields, **self.fields}}


def mark_of(method: str, params: Mapping[str, Any], key: str) -> Mark | None:
    """Return what a create is to be found by; None where nothing can be looked for."""
    method = method.lower()
    _, fields = _fields(params)
    if not isinstance(fields, Mapping):
        return None
    value = PREFIX + key
    if method == "tasks.task.add":
        mark = {"XML_ID": value}
    elif method in _CLASSIC:
        mark = {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": value}
    elif method == "crm.item.add":
        number = _type(params)
        if number in _ORIGIN_TYPES:
            mark = {"originatorId": ORIGINATOR, "originId": value}
        elif number == _INVOICE or number >= _FIRST_DYNAMIC:
            mark = {"xmlId": value}
        else:
            return None
    else:
        return None
    taken = {_plain(name) for name, given in fields.items() if given}
    return None if taken & {_plain(name) for name in mark} else Mark(mark)


async def find(
    portal: PortalApi, method: str, params: Mapping[str, Any], mark: Mark, since: float
) -> Any | None:
    """Return the result of a create that did run, None if it did not.

    Raises MayHaveRunError where that can't be told.
    """
    by = {f"={name}": value for name, value in mark.fields.items()}
    if method.lower() == "crm.item.add":
        more = {name: value for name, value in params.items() if name != _fields(params)[0]}
        async for item in portal.list("crm.item.list", **more, filter=by, select=["*"]):
            return {"item": item}
    elif method.lower() == "tasks.task.add":
        return await _find_task(portal, params, mark, since)
    else:
        listed = method.lower().removesuffix("add") + "list"
        async for row in portal.list(listed, filter=by, select=["ID"]):
            return int(row["ID"])
    return None


async def _find_task(
    portal: PortalApi, params: Mapping[str, Any], mark: Mark, since: float
) -> Any | None:
    fields = _fields(params)[1]
    given = {_plain(name): value for name, value in fields.items()}
    begin = datetime.fromtimestamp(since, UTC) - CLOCK
    by = {
        "RESPONSIBLE_ID": given.get("responsibleid"),
        ">=CREATED_DATE": (begin - SHIFT).isoformat(timespec="seconds"),
    }
    title = str(given.get("title"))
    if _PLAIN_TITLE.fullmatch(title):
        by["TITLE"] = title
    unclear = False
    select = ["ID", "TITLE", "XML_ID", "CREATED_DATE", "RESPONSIBLE_ID", "DEADLINE", "UF_CRM_TASK"]
    async for task in portal.list("tasks.task.list", filter=by, select=select):
        if task.get("xmlId") == mark.fields["XML_ID"]:
            return {"task": task}
        same = str(task.get("title")) == title and not task.get("xmlId")
        unclear |= same and datetime.fromisoformat(task["createdDate"]) >= begin
    if unclear:
        said = "a task of this title without a mark was made since; is it this one?"
        raise MayHaveRunError("tasks.task.add", "UNCLEAR", said)
    return None


def _fields(params: Mapping[str, Any]) -> tuple[str, Any]:
    name = next((name for name in params if name.lower() == "fields"), "fields")
    return name, params.get(name, {})


def _type(params: Mapping[str, Any]) -> int:
    number = str(params.get("entityTypeId", ""))
    return int(number) if number.isdecimal() else 0


def _plain(name: str) -> str:
    return name.replace("_", "").lower()

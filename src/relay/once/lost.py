"""Creates whose answer was lost: what each leaves in the portal, and where it is looked for.

| method | stamp | looked for | because |
|---|---|---|---|
| `crm.item.add` of 1-4 | `originatorId`, `originId` | `crm.item.list` | made for external keys |
| `crm.item.add` of 31, 128… | `xmlId` | `crm.item.list` | they have no origin |
| `crm.deal.add`, lead, contact, company | `ORIGINATOR_ID`, `ORIGIN_ID` | `crm.*.list` | the same |
| `tasks.task.add` | `XML_ID` | `tasks.task.list` by time | no filter takes it (below) |
| where the reaction has set these itself | | nowhere | a key of its own may be on other items |
| quotes (7) | | nowhere | neither origin nor `xmlId` |
| comments, to-dos, messages, workflows | | nowhere | no field of theirs holds a key, and two |
|  | | | changes may want the same text |
| everything else | | nowhere | unknown |

Unknown fields vanish silently in a portal, and that tasks keep `XML_ID` is written nowhere: a task
of the same title without it, made since, proves nothing either way; a person decides. Tasks are not
filtered by title or person, as somebody may have changed both since.

What is not found was not made only if the webhook's user may read it: an item that was made for
somebody else is hidden from a user with the right to read "own". So the user must be an
administrator, or a person decides.
"""

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
_UNSEEN = (
    "it was not found, but the webhook's user is no administrator and may not see it (give the "
    "writing webhook a user who may read everything)"
)
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
    found = await _search(portal, method, params, mark, since)
    if found is None:
        profile = await portal.call("profile")
        if not isinstance(profile, Mapping) or profile.get("ADMIN") is not True:
            raise MayHaveRunError(method, "UNSEEN", _UNSEEN)
    return found


async def _search(
    portal: PortalApi, method: str, params: Mapping[str, Any], mark: Mark, since: float
) -> Any | None:
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
    given = {_plain(name): value for name, value in _fields(params)[1].items()}
    title = str(given.get("title"))
    begin = datetime.fromtimestamp(since, UTC) - CLOCK
    by = {">=CREATED_DATE": (begin - SHIFT).isoformat(timespec="seconds")}
    unclear = False
    select = ["ID", "TITLE", "XML_ID", "CREATED_DATE"]
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

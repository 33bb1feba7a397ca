"""Looks up whether an interrupted create has reached the portal.

| method | looked up in | because |
|---|---|---|
| `crm.item.add`, `crm.*.add` with a stamp | `crm.item.list`, `crm.*.list` | they filter by it |
| `tasks.task.add` with a stamp | `tasks.task.list` by time | no filter takes `XML_ID` (below) |
| any other write (relay.echo.stamps) | nowhere | two changes may want the same text |

Unknown fields vanish silently in a portal, and no document says that tasks keep `XML_ID`: a task of
the same title without it, made since, proves nothing either way, so an operator decides. Tasks are
not filtered by title or person, as somebody may have changed both since.

An item that is not found was not made only if the webhook's user may read it: an item made for
somebody else is hidden from a user with the right to read "own". So the user must be an
administrator, or an operator decides.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from relay.echo.calls import Params
from relay.echo.same_value import plain
from relay.echo.stamps import Stamp, fields_of
from relay.errors import MayHaveRunError
from relay.portal import PortalApi

_MAYBE_HIDDEN = (
    "it was not found, but the webhook's user is no administrator and may not see it (give the "
    "writing webhook a user who may read everything)"
)
CLOCK = timedelta(minutes=5)  # how far the portal's clock may be from ours
SHIFT = timedelta(hours=14)  # filters by time are read in another zone (rest-protocol section 15)


async def find(
    portal: PortalApi, method: str, params: Params, stamp: Stamp, since: float
) -> object:
    """Return the result of a create that has run since a time (epoch s); None if it has not.

    Raises MayHaveRunError where the portal's answers can't decide.
    """
    found = await _search(portal, method, params, stamp, since)
    if found is None:
        profile = await portal.call("profile")
        if not isinstance(profile, Mapping) or profile.get("ADMIN") is not True:
            raise MayHaveRunError(method, "UNSEEN", _MAYBE_HIDDEN)
    return found


async def _search(
    portal: PortalApi, method: str, params: Params, stamp: Stamp, since: float
) -> object:
    by_stamp = {f"={name}": value for name, value in stamp.fields.items()}
    if method.lower() == "crm.item.add":
        others = {name: value for name, value in params.items() if name != fields_of(params)[0]}
        async for item in portal.list("crm.item.list", **others, filter=by_stamp, select=["*"]):
            return {"item": item}
    elif method.lower() == "tasks.task.add":
        return await _find_task(portal, params, stamp, since)
    else:
        list_method = method.lower().removesuffix("add") + "list"
        async for row in portal.list(list_method, filter=by_stamp, select=["ID"]):
            return int(row["ID"])
    return None


async def _find_task(portal: PortalApi, params: Params, stamp: Stamp, since: float) -> object:
    given = {plain(name): value for name, value in (fields_of(params)[1] or {}).items()}
    title = str(given.get("title"))
    begin = datetime.fromtimestamp(since, UTC) - CLOCK
    by_time = {">=CREATED_DATE": (begin - SHIFT).isoformat(timespec="seconds")}
    is_unclear = False
    select = ["ID", "TITLE", "XML_ID", "CREATED_DATE"]
    async for task in portal.list("tasks.task.list", filter=by_time, select=select):
        if task.get("xmlId") == stamp.fields["XML_ID"]:
            return {"task": task}
        same = str(task.get("title")) == title and not task.get("xmlId")
        is_unclear |= same and datetime.fromisoformat(task["createdDate"]) >= begin
    if is_unclear:
        text = "a task of this title without a stamp was made since; is it this one?"
        raise MayHaveRunError("tasks.task.add", "UNCLEAR", text)
    return None

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

from relay.echo.stamps import Stamp, fields_of
from relay.errors import MayHaveRunError
from relay.portal import PortalApi
from relay.portal.api import Params
from relay.reaction.task_lookup import TaskLookup

_MAYBE_HIDDEN = (
    "it was not found, but the webhook's user is no administrator and may not see it (give the "
    "writing webhook a user who may read everything)"
)


class Lookup:
    """The lookups in one portal during one batch of records."""

    def __init__(self, portal: PortalApi) -> None:
        self._portal = portal
        self._tasks = TaskLookup(portal)

    async def find(self, method: str, params: Params, stamp: Stamp, since: float) -> object:
        """Return the result of a create that has run since a time (epoch s); None if it has not.

        The caller must know that the create is not running any more.

        Raises MayHaveRunError where the portal's answers can't decide.
        """
        found = await self._search(method, params, stamp, since)
        if found is None:
            profile = await self._portal.call("profile")
            if not isinstance(profile, Mapping) or profile.get("ADMIN") is not True:
                raise MayHaveRunError(method, "UNSEEN", _MAYBE_HIDDEN)
        return found

    async def _search(self, method: str, params: Params, stamp: Stamp, since: float) -> object:
        name, fields = fields_of(params)
        by_stamp = {f"={field}": value for field, value in stamp.items()}
        if method.lower() == "tasks.task.add":
            return await self._tasks.find(fields or {}, stamp, since)
        if method.lower() == "crm.item.add":
            others = {key: value for key, value in params.items() if key != name}
            items = self._portal.list("crm.item.list", **others, filter=by_stamp, select=["*"])
            async for item in items:
                return {"item": item}
        else:
            list_method = method.lower().removesuffix("add") + "list"
            async for row in self._portal.list(list_method, filter=by_stamp, select=["ID"]):
                return int(row["ID"])
        return None

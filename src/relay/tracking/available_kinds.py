"""Which kinds of items a portal offers to this webhook: not each has leads, rights, processes."""

import asyncio
from collections.abc import Collection

from relay.errors import CallError, PermanentError
from relay.kinds import FIRST_DYNAMIC, KINDS, name_of
from relay.portal import PortalApi
from relay.tracking.commands import PAGE
from relay.tracking.sweep_lists import first_page

# The portal's answers for a kind that is off or gone, and for one that the owner may not see.
_REFUSALS = {
    "ACCESS_DENIED",
    "ERROR_ACCESS_DENIED",
    "ENTITY_TYPE_NOT_SUPPORTED",
    "ERROR_METHOD_NOT_FOUND",
    "ERROR_NOT_FOUND",
    "NOT_FOUND",
}


async def offered(client: PortalApi, known: Collection[str] = ()) -> set[str]:
    """Return the kinds of items that this webhook may list.

    `known` are those of before: where the portal answers otherwise than yes or no, smart processes
    stay as they are, and a kind counts as offered, so that its own list shows what is wrong.
    """
    names = set(KINDS)
    names |= await _smart_processes(client, known)
    ordered = sorted(names)
    allowed = await asyncio.gather(*(_may_list(client, name) for name in ordered))
    return {name for name, may in zip(ordered, allowed, strict=True) if may}


async def _smart_processes(client: PortalApi, known: Collection[str]) -> set[str]:
    numbers: set[int] = set()
    while True:
        start = len(numbers)
        try:
            answer = await client.call("crm.type.list", order={"id": "ASC"}, start=start)
        except CallError as error:
            if is_refusal(error):
                return set()
            if isinstance(error, PermanentError):
                return set(known) - set(KINDS)
            raise
        page = [int(one["entityTypeId"]) for one in answer["types"]]
        numbers.update(page)
        if len(page) < PAGE or len(numbers) == start:
            return {name_of(number) for number in numbers if number >= FIRST_DYNAMIC}


async def _may_list(client: PortalApi, entity: str) -> bool:
    try:
        await first_page(client, entity, 10**9, None)
    except CallError as error:
        if not isinstance(error, PermanentError) and not is_refusal(error):
            raise
        return not is_refusal(error)
    return True


def is_refusal(error: CallError) -> bool:
    """Say whether the portal does not offer a kind of items to this webhook.

    Any other answer is the whole portal's trouble or a mistake of ours.
    """
    if not isinstance(error, PermanentError):
        return error.code.lower() == "insufficient_scope"
    # Some methods have no code for it (rest-protocol section 3).
    return error.code.upper() in _REFUSALS or "access denied" in error.description.lower()

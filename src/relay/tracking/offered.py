"""Which kinds of items a portal offers to this webhook: not each has leads, rights, processes."""

import asyncio

from relay.errors import PermanentError, PortalError
from relay.portal import PortalApi
from relay.tracking.kinds import ENTITY_TYPE_IDS, FIRST_DYNAMIC, PAGE, TASK, entity_of
from relay.tracking.listing import first_page


async def offered(client: PortalApi) -> set[str]:
    """Return the kinds of items that this webhook may list."""
    names = {*ENTITY_TYPE_IDS, TASK}
    names |= await _smart_processes(client)
    ordered = sorted(names)
    allowed = await asyncio.gather(*(_may_list(client, name) for name in ordered))
    return {name for name, may in zip(ordered, allowed, strict=True) if may}


async def _smart_processes(client: PortalApi) -> set[str]:
    numbers: set[int] = set()
    while True:
        start = len(numbers)
        try:
            answer = await client.call("crm.type.list", order={"id": "ASC"}, start=start)
        except PortalError as error:
            if is_refusal(error):
                return set()
            raise
        page = [int(one["entityTypeId"]) for one in answer["types"]]
        numbers.update(page)
        if len(page) < PAGE or len(numbers) == start:
            return {str(entity_of(number)) for number in numbers if number >= FIRST_DYNAMIC}


async def _may_list(client: PortalApi, entity: str) -> bool:
    try:
        await first_page(client, entity, 10**9, None)
    except PortalError as error:
        if is_refusal(error):
            return False  # leads are off, a plan without it, a scope or right that lacks
        raise
    return True


def is_refusal(error: PortalError) -> bool:
    """Say whether a kind of items is refused by itself, rather than the whole portal."""
    return isinstance(error, PermanentError) or error.code.lower() == "insufficient_scope"

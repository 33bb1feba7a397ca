"""The requests of a sweep: which kinds a portal offers, and ids and times of their items."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from relay.errors import CallError, PermanentError
from relay.kinds import FIRST_DYNAMIC, KINDS, kind_of, name_of
from relay.portal import PortalApi
from relay.tracking.commands import FORBIDDEN, NOT_FOUND, PAGE, Item, list_command, named
from relay.tracking.mirror import Mirror
from relay.tracking.projection import is_template, links, project
from relay.tracking.row import Key, RowHead
from relay.tracking.sweep_state import CHANGED, ListJob

SEGMENT_ITEMS = 2500  # one request holds so many
# The portal's codes for a kind that is off or gone, and for one that the owner may not see.
_REFUSALS = NOT_FOUND | FORBIDDEN | {"ERROR_METHOD_NOT_FOUND"}
_REFUSING = ("access denied", "is not supported")


class Listed(NamedTuple):
    """An item of a list; `updated` as the mirror spells it, empty without a time of change."""

    id: int
    updated: str
    links: str = ""


class Segment(NamedTuple):
    """A segment of a list; `last` is the id after which the list goes on, None at its end."""

    items: list[Listed]
    last: int | None


async def list_segments(
    portal: PortalApi, entity: str, after: int, since: str
) -> AsyncIterator[Segment]:
    """Yield the items after an id, changed since a time; raises a CallError after what was read."""
    method, params = list_command(entity, after=after, since=since)
    items: list[Item] = []
    try:
        async for item in portal.list(method, **params):
            items.append(named(entity, item))
            if len(items) == SEGMENT_ITEMS:
                yield Segment(_listed(entity, items), int(items[-1]["id"]))
                items = []
    except CallError:
        if items:
            yield Segment(_listed(entity, items), int(items[-1]["id"]))
        raise
    yield Segment(_listed(entity, items), None)


def _listed(entity: str, items: Sequence[Item]) -> list[Listed]:
    name = kind_of(entity).updated_field
    return [
        Listed(
            int(item["id"]),
            str(project(entity, {name: item.get(name)}).get(name, "")),
            links(item),
        )
        for item in items
        if not is_template(item)
    ]


async def beside_rows(
    mirror: Mirror, portal: str, job: ListJob, segment: Segment
) -> AsyncIterator[tuple[Mapping[Key, Listed], Mapping[Key, RowHead]]]:
    """Yield the items of a segment beside the rows of the same ids, in bounded slices."""
    # A list that ends early, as an owner's who lost rights, has a million rows behind it.
    items = {Key(portal, job.entity, item.id): item for item in segment.items}
    if job.mode == CHANGED:
        # Above it the list of new ids hints in any case.
        items = {key: item for key, item in items.items() if key.id <= job.up_to_id}
        yield items, await mirror.heads(list(items))
        return
    async for rows in mirror.range(portal, job.entity, job.after, segment.last):
        last = max(rows)
        yield {key: item for key, item in items.items() if key <= last}, rows
        items = {key: item for key, item in items.items() if key > last}
    yield items, {}


def epoch(updated: str) -> float:
    """Return a time as the mirror spells it in seconds since 1970; 0 for none."""
    try:
        return datetime.fromisoformat(updated).astimezone(UTC).timestamp()
    except ValueError:
        return 0


async def available_kinds(
    portal: PortalApi, before: Collection[str] = (), optional: Collection[str] = ()
) -> set[str]:
    """Return the names of the kinds that this webhook may list.

    `optional` are kinds that are only listed where they are asked for. `before` are the kinds of
    the last answer: if the portal answers neither yes nor no, its smart processes stay, and a kind
    counts as available, so that its own list shows the error.
    """
    names = sorted(set(KINDS) | set(optional) | await _smart_processes(portal, before))
    available = await asyncio.gather(*(_is_available(portal, name) for name in names))
    return {name for name, yes in zip(names, available, strict=True) if yes}


async def _smart_processes(portal: PortalApi, before: Collection[str]) -> set[str]:
    """Return the names of the portal's smart processes; those of before if it does not say."""
    for numbers in (_listed_types, _owner_types):  # only an administrator of the CRM may list types
        try:
            return {name_of(n) for n in await numbers(portal) if n >= FIRST_DYNAMIC}
        except CallError as error:
            if is_refusal(error):
                continue
            if isinstance(error, PermanentError):
                break
            raise
    return set(before) - set(KINDS)


async def _listed_types(portal: PortalApi) -> set[int]:
    numbers: set[int] = set()
    while True:
        start = len(numbers)
        answer = await portal.call("crm.type.list", order={"id": "ASC"}, start=start)
        page = [int(one["entityTypeId"]) for one in answer["types"]]
        numbers.update(page)
        if len(page) < PAGE or len(numbers) == start:
            return numbers


async def _owner_types(portal: PortalApi) -> set[int]:
    return {int(one["ID"]) for one in await portal.call("crm.enum.ownertype")}


async def _is_available(portal: PortalApi, entity: str) -> bool:
    method, params = list_command(entity, after=10**9)
    try:
        await portal.call(method, **params)
    except CallError as error:
        if not isinstance(error, PermanentError) and not is_refusal(error):
            raise
        return not is_refusal(error)
    return True


def is_refusal(error: CallError) -> bool:
    """Say whether an error means that the portal does not offer a kind to this webhook."""
    # Any other error is a trouble of the whole portal, or a mistake in our command.
    if not isinstance(error, PermanentError):
        return error.code.lower() == "insufficient_scope"
    # Some methods have no code for it (rest-protocol section 3), nor had the stage history before
    # spring 2025: "SMART_INVOICE entity is not supported".
    text = error.description.lower()
    return error.code.upper() in _REFUSALS or any(words in text for words in _REFUSING)

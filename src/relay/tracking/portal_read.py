"""Keys of items -> the portal's view of each: an item, a deletion, unreadable, or an error.

An item that a list leaves out is not deleted: a list also leaves out the items that the webhook's
owner may not read. So a missing item is asked for by itself (`crm.item.get`), and then its kind is
listed once more.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection
from itertools import batched
from typing import NamedTuple

from relay.errors import (
    GoneTypeError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.kinds import ACTIVITY, TASK
from relay.portal import PortalApi
from relay.portal.retry import NOT_RUN
from relay.tracking.commands import (
    FORBIDDEN,
    NOT_FOUND,
    PAGE,
    Item,
    get_command,
    item_of,
    items_of,
    list_command,
    read_command,
)
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Key


class PortalView(NamedTuple):
    """The portal's view of one item."""

    kind: str
    item: Item | None  # None unless `kind` is ITEM
    read_at: float  # seconds since 1970
    confirmed: bool = True  # False for a deletion that no event reported


type Views = dict[Key, PortalView | Exception]


async def fetch_items(portal: PortalApi, keys: Collection[Key], absent: Views) -> Views:
    """Return the portal's view of each item, or the error of the command that asked for it.

    `absent` has the views of items that need no confirmation where their list leaves them out. A
    kind that is gone gives GoneTypeError.
    """
    by_entity: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        by_entity[key.entity].append(key)
    pages = await asyncio.gather(
        *(
            _fetch_apart(portal, entity, list(page), absent)
            for entity, of_entity in by_entity.items()
            for page in batched(sorted(of_entity), PAGE, strict=False)
        )
    )
    return {key: view for page in pages for key, view in page.items()}


async def _fetch_apart(portal: PortalApi, entity: str, keys: list[Key], absent: Views) -> Views:
    """Read a page of items; if one of them may be why that fails, they are read apart."""
    views = await _fetch_page(portal, entity, keys, absent)
    return await _in_halves(portal, entity, absent, views)


async def _in_halves(portal: PortalApi, entity: str, absent: Views, views: Views) -> Views:
    if not _is_lost(views):
        return views
    keys, middle = list(views), len(views) // 2
    halves = await asyncio.gather(
        *(_fetch_page(portal, entity, half, absent) for half in (keys[:middle], keys[middle:]))
    )
    # A portal that is in trouble fails at both, and is not asked for each item.
    is_final = isinstance(views[keys[0]], PermanentError)
    if is_final or not all(map(_is_lost, halves)):
        halves = await asyncio.gather(
            *(_in_halves(portal, entity, absent, half) for half in halves)
        )
    return halves[0] | halves[1]


def _is_lost(views: Views) -> bool:
    """Say whether all of several items have the same error, of a call that ran."""
    first, *others = views.values()
    if isinstance(first, TransientError) and first.code.upper() in NOT_RUN:
        return False
    ran = isinstance(first, (TransientError, PermanentError, MayHaveRunError))
    return ran and bool(others) and all(view is first for view in others)


async def _fetch_page(portal: PortalApi, entity: str, keys: list[Key], absent: Views) -> Views:
    read_at = time.time()
    method, params = read_command(entity, [key.id for key in keys])
    try:
        items = items_of(entity, await portal.call(method, **params))
    except Exception as error:  # noqa: BLE001  only the hints of this command come back
        if _refusal(error) in NOT_FOUND:
            # Nobody can say what became of items whose deletion was not reported.
            gone = GoneTypeError(f"{entity} is no longer there")
            deleted = {key: view for key, view in absent.items() if isinstance(view, PortalView)}
            return {key: deleted.get(key, gone) for key in keys}
        if _refusal(error) in FORBIDDEN:
            reason = f"the webhook's owner may not read any {entity}; give the right back"
            error = OperatorError(method, _refusal(error), reason)
        return dict.fromkeys(keys, error)
    by_id = {int(item["id"]): item for item in items}
    views: Views = {}
    missing = []
    for key in keys:
        if key.id in by_id:
            views[key] = PortalView(ITEM, by_id[key.id], read_at)
        elif key in absent:
            views[key] = absent[key]
        else:
            missing.append(key)
    return views | await _confirm(portal, entity, missing) if missing else views


async def _confirm(portal: PortalApi, entity: str, missing: list[Key]) -> Views:
    """Ask for each item that its list left out."""
    answers = await asyncio.gather(*(_get(portal, key) for key in missing))
    views: Views = dict(zip(missing, answers, strict=True))
    not_found = [
        key
        for key, view in views.items()
        if isinstance(view, PortalView) and view.kind == TOMBSTONE
    ]
    if not_found:
        # NOT_FOUND may mean the item or its kind. The kind must be listed afterwards, or a smart
        # process that is deleted meanwhile would delete all of its items here.
        method, params = list_command(entity, ids=[key.id for key in not_found])
        try:
            items = items_of(entity, await portal.call(method, **params))
        except Exception as error:  # noqa: BLE001  these hints come back
            return views | dict.fromkeys(not_found, error)
        listed = {int(item["id"]) for item in items}
        appeared = TransientError("track", "APPEARED", "appeared while it was read")
        views |= {key: appeared for key in not_found if key.id in listed}
    return views


async def _get(portal: PortalApi, key: Key) -> PortalView | Exception:
    read_at = time.time()
    method, params = get_command(key.entity, key.id)
    try:
        item = item_of(key.entity, await portal.call(method, **params))
    except Exception as error:  # noqa: BLE001  only this hint comes back
        if _refusal(error) in NOT_FOUND:
            return PortalView(TOMBSTONE, None, read_at, confirmed=False)
        # Their errors are the same for what is deleted and what is hidden, so it is no deletion.
        hidden = key.entity in {TASK, ACTIVITY} and isinstance(error, PermanentError)
        if hidden or _refusal(error) in FORBIDDEN:
            return PortalView(UNREADABLE, None, read_at)
        return error
    return PortalView(UNREADABLE if item is None else ITEM, item, read_at)


def _refusal(error: Exception) -> str:
    """Return the portal's code for a command that can never work; empty for any other error."""
    return error.code.upper() if isinstance(error, PermanentError) else ""

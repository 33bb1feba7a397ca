"""Items asked for -> what the portal says of each: there, deleted, unreadable, or an error.

Absence from a list is no deletion: the list leaves out what the webhook's owner may not read.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import batched
from typing import Any, NamedTuple

from relay.errors import AbsentError, GoneTypeError, OperatorError, PermanentError, TransientError
from relay.kinds import TASK
from relay.portal import PortalApi
from relay.tracking.commands import (
    PAGE,
    get_command,
    item_of,
    items_of,
    list_command,
    read_command,
)
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Key

# The portal's answers for an item or type that is not there, and for one that may not be read.
_NOT_THERE = {"NOT_FOUND", "ERROR_NOT_FOUND", "ENTITY_TYPE_NOT_SUPPORTED"}
_FORBIDDEN = {"ACCESS_DENIED", "ERROR_ACCESS_DENIED"}


class PortalView(NamedTuple):
    """What a reading saw of one item; `item` is None unless it is there."""

    kind: str
    item: Mapping[str, Any] | None
    read_at: float
    confirmed: bool = True  # a deletion: by its event, not only by the item's absence


async def read(
    portal: PortalApi, keys: Collection[Key], deleted: Collection[Key], early: Collection[Key] = ()
) -> dict[Key, PortalView | Exception]:
    """Return what the portal says of these items.

    `deleted` are those with a deletion event; `early` those of which absence is not judged yet.
    """
    by_entity: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        by_entity[key.entity].append(key)
    found = await asyncio.gather(
        *(
            _read_page(portal, entity, list(page), deleted, early)
            for entity, of_entity in by_entity.items()
            for page in batched(sorted(of_entity), PAGE, strict=False)
        )
    )
    return {key: seen for page in found for key, seen in page.items()}


async def _read_page(
    portal: PortalApi,
    entity: str,
    keys: list[Key],
    deleted: Collection[Key],
    early: Collection[Key],
) -> dict[Key, PortalView | Exception]:
    read_at = time.time()
    method, params = read_command(entity, [key.id for key in keys])
    try:
        items = items_of(entity, await portal.call(method, **params))
    except Exception as error:  # noqa: BLE001  the hints of this command come back, no others
        if isinstance(error, PermanentError) and error.code.upper() in _NOT_THERE:
            # The type went with its items: an item whose deletion was told is deleted, and what
            # becomes of the others nobody can say.
            gone = GoneTypeError(f"{entity} is no longer there")
            told = PortalView(TOMBSTONE, None, read_at)
            return {key: told if key in deleted else gone for key in keys}
        if isinstance(error, PermanentError) and error.code.upper() in _FORBIDDEN:
            said = f"the webhook's owner may not read any {entity}; give the right back"
            error = OperatorError(method, error.code, said)
        return dict.fromkeys(keys, error)
    by_id = {int(item["id"]): item for item in items}
    seen: dict[Key, PortalView | Exception] = {
        key: PortalView(ITEM, by_id[key.id], read_at) for key in keys if key.id in by_id
    }
    seen |= {key: PortalView(TOMBSTONE, None, read_at) for key in keys if key in deleted} | seen
    wait = AbsentError("no longer listed; its event may be on the way")
    seen |= {key: wait for key in keys if key in early and key not in seen}
    absent = [key for key in keys if key not in seen]
    if absent:
        seen |= await _confirm(portal, entity, absent)
    return seen


async def _confirm(
    portal: PortalApi, entity: str, absent: list[Key]
) -> dict[Key, PortalView | Exception]:
    seen = dict(
        zip(absent, await asyncio.gather(*(_get(portal, key) for key in absent)), strict=True)
    )
    missing = [
        key for key, one in seen.items() if isinstance(one, PortalView) and one.kind == TOMBSTONE
    ]
    if missing:
        # NOT_FOUND is said of an item and of its type. That the type is there must be seen
        # after it, or a smart process deleted meanwhile would take all of its items along.
        method, params = list_command(entity, ids=[key.id for key in missing])
        try:
            back = {
                int(item["id"]) for item in items_of(entity, await portal.call(method, **params))
            }
        except Exception as error:  # noqa: BLE001  not known, so they come back
            return seen | dict.fromkeys(missing, error)
        again = TransientError("track", "APPEARED", "appeared while it was read")
        seen |= {key: again for key in missing if key.id in back}
    return seen


async def _get(portal: PortalApi, key: Key) -> PortalView | Exception:
    read_at = time.time()
    method, params = get_command(key.entity, key.id)
    try:
        item = item_of(key.entity, await portal.call(method, **params))
    except PermanentError as error:
        code = error.code.upper()
        if code in _NOT_THERE:
            return PortalView(TOMBSTONE, None, read_at, confirmed=False)
        # A task's error is the same for one that is gone and one that may not be seen, so it
        # is never taken for a deletion.
        if code in _FORBIDDEN or key.entity == TASK:
            return PortalView(UNREADABLE, None, read_at)
        return error
    except Exception as error:  # noqa: BLE001  this hint comes back, no others
        return error
    if item is None:
        return PortalView(UNREADABLE, None, read_at)
    return PortalView(ITEM, item, read_at)

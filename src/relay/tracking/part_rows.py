"""The rows of parts that are fields: product rows, requisites, contacts, of one chunk of items.

`crm.item.productrow.list` takes an array of owners, but its core then checks the right to item 1
alone (more-methods section 2): a webhook that is refused so asks for one item a command, and for an
hour does not try arrays again.
"""

import time
from collections import defaultdict
from functools import partial
from itertools import batched

from relay.errors import PermanentError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.tracking.commands import PAGE, Item
from relay.tracking.part_chunks import Chunk, Found, by_item, fetch_together
from relay.tracking.part_projection import project_contacts, project_requisite, project_rows
from relay.tracking.parts import CONTACTS, REQUISITES
from relay.tracking.row import Key, RowHead

ROWS_METHOD = "crm.item.productrow.list"
ROW_ROOM = 1.25  # rows that an item may have got since it was read
SINGLE_SECONDS = 3600
_REFUSED_ARRAY = {"ACCESS_DENIED", "OWNER_NOT_FOUND"}

# By kind: until when one owner a command is asked for, in seconds of the monotonic clock.
type Singles = dict[str, float]


def weigh(part: str, key: Key, base: RowHead, singles: Singles) -> float:
    """Return how many rows of a part an item probably has; a page for one that is asked alone."""
    if part == REQUISITES:
        return ROW_ROOM
    if part == CONTACTS or singles.get(key.entity, 0) > time.monotonic():
        return PAGE
    return base.row_count + ROW_ROOM if base.row_count else 0


async def fetch_products(portal: PortalApi, singles: Singles, chunk: Chunk) -> Found:
    """Return the product rows of each item."""
    ids = [key.id for key in chunk]
    owners = {
        "=ownerType": kind_of(chunk[0].entity).owner_code,
        "=ownerId": ids if len(ids) > 1 else ids[0],
    }
    try:
        rows = [row async for row in portal.list(ROWS_METHOD, filter=owners)]
    except PermanentError as error:
        if len(chunk) == 1 and error.code.upper() == "OWNER_NOT_FOUND":
            return {chunk[0]: []}
        if len(chunk) == 1 or error.code.upper() not in _REFUSED_ARRAY:
            raise
        if error.code.upper() == "ACCESS_DENIED":
            singles[chunk[0].entity] = time.monotonic() + SINGLE_SECONDS
        fetch = partial(fetch_products, portal, singles)
        return await fetch_together(fetch, ([key] for key in chunk))
    of_items = by_item(chunk, rows, "ownerId")
    return {key: project_rows(of_item) for key, of_item in of_items.items()}


async def fetch_requisites(portal: PortalApi, chunk: Chunk) -> Found:
    """Return the requisites of each company or contact, each with its bank details."""
    owners = {
        "ENTITY_TYPE_ID": kind_of(chunk[0].entity).entity_type_id,
        "@ENTITY_ID": [key.id for key in chunk],
    }
    found = portal.list("crm.requisite.list", select=["*", "UF_*"], filter=owners)
    requisites = [row async for row in found]
    accounts: dict[int, list[Item]] = defaultdict(list)
    for ids in batched((int(row["ID"]) for row in requisites), PAGE, strict=False):
        named = {"@ENTITY_ID": list(ids)}
        async for row in portal.list("crm.requisite.bankdetail.list", filter=named):
            accounts[int(row["ENTITY_ID"])].append(row)
    return {
        key: [project_requisite(row, accounts[int(row["ID"])]) for row in rows]
        for key, rows in by_item(chunk, requisites, "ENTITY_ID").items()
    }


async def fetch_contacts(portal: PortalApi, chunk: Chunk) -> Found:
    """Return the contacts of an item; the method takes one item a command."""
    (key,) = chunk
    method = f"crm.{key.entity}.contact.items.get"
    return {key: project_contacts(await portal.call(method, id=key.id))}

"""Keys of items in chunks, each for one command of a part; all chunks are fetched together.

A command holds as many items as probably fill one page with their rows. Items that probably have
none share the commands that the requests have room for in any case.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import batched

from relay.errors import OperatorError, PermanentError
from relay.portal.api import Result
from relay.portal.batch import MAX_COMMANDS
from relay.tracking.commands import PAGE, Item
from relay.tracking.row import Key

LEAST_OWNERS, MOST_OWNERS = 25, 200  # in a command for items that probably have no rows

type Chunk = list[Key]  # of one kind

# An item's rows of a part, the error for which its hint comes back, or None where it is refused.
type Outcome = list[Result] | Exception | None
type Found = dict[Key, Outcome]


async def fetch_together(
    fetch: Callable[[Chunk], Awaitable[Found]], chunks: Iterable[Chunk]
) -> Found:
    """Fetch all chunks at the same time; a chunk that is refused is None for each of its keys."""

    async def guard(chunk: Chunk) -> Found:
        try:
            return await fetch(chunk)
        except Exception as error:  # noqa: BLE001  only the hints of this command come back
            return dict.fromkeys(chunk, None if is_refused(error) else error)

    found = await asyncio.gather(*(guard(chunk) for chunk in chunks))
    return {key: value for of_chunk in found for key, value in of_chunk.items()}


def by_item(chunk: Chunk, rows: Iterable[Item], owner: str) -> dict[Key, list[Item]]:
    """Return the rows of each item, whose id is in their member `owner`."""
    found: dict[int, list[Item]] = defaultdict(list)
    for row in rows:
        found[int(row[owner])].append(row)
    return {key: found[key.id] for key in chunk}


def is_refused(error: Exception) -> bool:
    """Say whether the portal does not give a part to this webhook; it gave the items."""
    scope = isinstance(error, OperatorError) and error.code.lower() == "insufficient_scope"
    return scope or isinstance(error, PermanentError)


def chunks_of(weights: Mapping[str, Mapping[Key, float]], commands: int) -> dict[str, list[Chunk]]:
    """Return the chunks of each part; `weights` has the rows that each item probably has of it.

    `commands` is the number of other commands that are sent with them.
    """
    chunks = {part: list(_pages(of_part)) for part, of_part in weights.items()}
    empty: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for part, of_part in weights.items():
        for key, rows in of_part.items():
            if not rows:
                empty[part, key.entity].append(key)
    room = -(commands + sum(map(len, chunks.values()))) % MAX_COMMANDS
    if room < sum(-(-len(keys) // MOST_OWNERS) for keys in empty.values()):
        room += MAX_COMMANDS
    # One command of each kind may hold less than the others.
    size = -(-sum(map(len, empty.values())) // max(room - len(empty), 1))
    size = min(max(size, LEAST_OWNERS), MOST_OWNERS)
    for (part, _), keys in empty.items():
        chunks[part] += map(list, batched(keys, size, strict=False))
    return chunks


def _pages(weights: Mapping[Key, float]) -> Iterator[Chunk]:
    """Yield keys of one kind that together probably fill at most one page."""
    chunk: Chunk = []
    room: float = PAGE
    for key, rows in weights.items():
        if chunk and rows and (rows > room or key.entity != chunk[0].entity):
            yield chunk
            chunk, room = [], PAGE
        if rows:
            chunk.append(key)
            room -= rows
    if chunk:
        yield chunk

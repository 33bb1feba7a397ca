"""Keys of items in chunks, each for one command of a part; all chunks are fetched together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

from relay.errors import OperatorError, PermanentError
from relay.tracking.commands import PAGE
from relay.tracking.row import Key

# By item: its rows of a part, the error for which its hint comes back, or None where it is refused.
type Found[T] = dict[Key, list[T] | Exception | None]


async def fetch_together[T](
    fetch: Callable[[list[Key]], Awaitable[Found[T]]], chunks: Iterable[list[Key]]
) -> Found[T]:
    """Fetch all chunks at the same time; a chunk that is refused is None for each of its keys."""

    async def guard(chunk: list[Key]) -> Found[T]:
        try:
            return await fetch(chunk)
        except Exception as error:  # noqa: BLE001  only the hints of this command come back
            return dict.fromkeys(chunk, None if _is_refused(error) else error)

    found = await asyncio.gather(*(guard(chunk) for chunk in chunks))
    return {key: value for part in found for key, value in part.items()}


def _is_refused(error: Exception) -> bool:
    """Say whether the portal does not give a part to this webhook; it gave the items."""
    scope = isinstance(error, OperatorError) and error.code.lower() == "insufficient_scope"
    return scope or isinstance(error, PermanentError)


def chunks_of(keys: Iterable[Key], weight: Callable[[Key], float]) -> Iterator[list[Key]]:
    """Yield keys of one kind that together probably fill at most one page."""
    chunk: list[Key] = []
    room: float = PAGE
    for key in keys:
        need = weight(key)
        if chunk and (need > room or key.entity != chunk[0].entity):
            yield chunk
            chunk, room = [], PAGE
        chunk.append(key)
        room -= need
    if chunk:
        yield chunk

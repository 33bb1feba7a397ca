"""Groups of messages that fit into one request to SNS or EventBridge."""

from collections.abc import Callable, Iterable, Iterator, Sequence


def groups[T](
    messages: Iterable[T],
    bytes_of: Callable[[T], int],
    most: int,
    most_bytes: int,
    is_apart: Callable[[T, Sequence[T]], bool] = lambda _message, _group: False,
) -> Iterator[list[T]]:
    """Yield messages in their order, in groups of at most so many and so many bytes.

    `is_apart` says whether a message can't be in a group. One that is too large stands alone.
    """
    group: list[T] = []
    size = 0
    for message in messages:
        more = bytes_of(message)
        full = len(group) == most or size + more > most_bytes
        if group and (full or is_apart(message, group)):
            yield group
            group, size = [], 0
        group.append(message)
        size += more
    if group:
        yield group

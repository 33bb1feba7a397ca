"""Rows of the mirror by their keys: an invalid key, or a failing request, costs its own rows."""

import time
from collections.abc import Mapping

from botocore.exceptions import ClientError

from relay.aws_types import Client, Item
from relay.errors import RowError, StateError
from relay.tracking.row import Key

ROUNDS = 8  # of keys that DynamoDB had no capacity for, at most 0.05 * 2**6 s apart
_INVALID = "ValidationException"


def read_rows(
    client: Client, table: str, keys: list[Key], ask: Mapping[str, object]
) -> dict[Key, Item | Exception]:
    """Return the rows of up to 100 keys, and an error for each key whose row can't be read."""
    try:
        return {Key.of(row): row for row in _ask(client, table, keys, ask)}
    except Exception as error:  # noqa: BLE001  other pages go on
        if len(keys) == 1 or not isinstance(error_of(keys[0], error), RowError):
            return {key: error_of(key, error) for key in keys}
    # DynamoDB names neither the invalid key nor its place: halving finds one of 100 in 7 steps.
    half = len(keys) // 2
    return read_rows(client, table, keys[:half], ask) | read_rows(client, table, keys[half:], ask)


def _ask(client: Client, table: str, keys: list[Key], ask: Mapping[str, object]) -> list[Item]:
    rows: list[Item] = []
    wanted: Mapping[str, object] = {table: {**ask, "Keys": [key.to_item() for key in keys]}}
    for attempt in range(ROUNDS):
        if attempt:
            time.sleep(0.05 * 2 ** (attempt - 1))
        answer = client.batch_get_item(RequestItems=wanted)
        rows += answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys") or {}
        if not wanted:
            return rows
    raise StateError(f"{table} had no capacity for {len(keys)} rows")


def error_of(key: Key, error: Exception) -> Exception:
    """Return RowError for a row that DynamoDB will never take, any other error as it is."""
    if isinstance(error, ClientError) and error.response["Error"]["Code"] == _INVALID:
        return RowError(f"{key.portal}/{key.entity}/{key.id}: {error}")
    return error

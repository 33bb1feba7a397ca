"""The history: what each change took away, a small row each. Announce writes it, nobody changes it.

pk `<portal>/<entity>/<id>`, sk `<born>.<version, ten digits>`, at (the reading's time, epoch s),
change (JSON; compressed where that saves a write unit), expires (only with HistoryDays)

A state of the past is the mirror's row with the later rows laid over it, the newest first. `state`
is a checksum of the item after the change: whoever lays rows over each other sees whether one is
missing.
"""

import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import Client, Item, Value
from relay.cloudevent import Parsed
from relay.errors import NotOursError, RowError, StateError

PACKED_BYTES = 800  # a longer text is compressed: a row of up to 1 KB costs one write unit
BATCH = 25  # BatchWriteItem's limit
ATTEMPTS = 4
FORGOTTEN = "forgotten"  # the action of the row without content that `make forget` leaves
DAY_SECONDS = 24 * 3600
_INVALID = "ValidationException"
_DIGITS = 10  # of a version in a key, so that keys sort as versions do

# The fields of a change that are members of `change`; empty ones are left out.
_MEMBERS = {
    name: name
    for name in ("action", "origin", "via", "reaction", "format", "state", "before", "steps")
} | {"saved_by": "by"}

type Keys = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChange:
    """A change as the history has it."""

    change_id: str
    at: float  # when the item was read, epoch s
    action: str
    origin: str
    via: str
    # The fields that the change replaced, None for those that were empty. None: there was no item.
    before: Mapping[str, Parsed] | None
    # The moves from stage to stage that the change announced, as a Change has them.
    steps: Sequence[Mapping[str, Parsed]] = ()
    saved_by: str = ""  # the id of the user who saved the item last
    reaction: str = ""  # the reaction that wrote it, where the ledger knows it
    format: int = 1  # of the mirror's row
    state: str = ""  # checksum of the item after the change; empty where none can be given

    @property
    def passed(self) -> tuple[str, ...]:
        """The stages of `steps`, each once."""
        return tuple(dict.fromkeys(step["stageId"] for step in self.steps))

    @property
    def version(self) -> int:
        """The version of the item."""
        return int(self.change_id.rpartition(".")[2])

    def to_item(self, days: int) -> Item:
        """Return the row, to be kept for `days`, for ever if that is 0."""
        pk, sk = keys_of(self.change_id)
        values = {member: getattr(self, name) for name, member in _MEMBERS.items()}
        filled = {member: value for member, value in values.items() if value not in ("", ())}
        text = json.dumps(filled, ensure_ascii=False, separators=(",", ":"))
        data = text.encode()
        item: dict[str, Value] = {
            "pk": {"S": pk},
            "sk": {"S": sk},
            "at": {"N": f"{self.at:.3f}"},
            "change": {"S": text} if len(data) <= PACKED_BYTES else {"B": zlib.compress(data)},
        }
        if days:
            item["expires"] = {"N": str(int(self.at) + days * DAY_SECONDS)}
        return item

    @classmethod
    def of(cls, row: Item) -> "PastChange":
        """Return the change in a stored row."""
        packed = row["change"]
        text = packed["S"] if "S" in packed else zlib.decompress(bytes(packed["B"])).decode()
        content = json.loads(text)
        stored = {name: content[member] for name, member in _MEMBERS.items() if member in content}
        stored["steps"] = tuple(stored.get("steps", ()))
        return cls(
            change_id=change_id_of(row["pk"]["S"], row["sk"]["S"]),
            at=float(row["at"]["N"]),
            **stored,
        )


def keys_of(change_id: str) -> Keys:
    """Return the keys of a change's row; raises NotOursError for an id that no change has."""
    match change_id.split("."):
        case [portal, entity, number, born, version] if version.isdecimal():
            return f"{portal}/{entity}/{number}", f"{born}.{version:0>{_DIGITS}}"
    raise NotOursError(
        f"{change_id!r} is no change's id; one is main.deal.662.19a0c4e2b7f3c1.7, as "
        "`make history` shows it"
    )


def change_id_of(pk: str, sk: str) -> str:
    """Return the id of the change in a row with these keys."""
    born, _, version = sk.partition(".")
    return f"{pk.replace('/', '.')}.{born}.{int(version)}"


def state_before(state: Mapping[str, Parsed], past: PastChange) -> dict[str, Parsed] | None:
    """Return an item as it was before a change, given as it was after it; None: there was none."""
    if past.before is None:
        return None
    filled = {**state, **past.before}
    return {name: value for name, value in filled.items() if value is not None}


class History:
    """The table. All methods block, and raise StateError where it does not answer."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, rows: Sequence[Item]) -> list[Exception | None]:
        """Store rows; return for each None, StateError (not now) or RowError (never)."""
        unique = {_keys(row): row for row in rows}
        errors: dict[Keys, Exception] = {}
        for part in batched(unique.values(), BATCH, strict=False):
            errors |= self._keep(list(part))
        return [errors.get(_keys(row)) for row in rows]

    def _keep(self, rows: list[Item]) -> dict[Keys, Exception]:
        left = [{"PutRequest": {"Item": row}} for row in rows]
        error: Exception = StateError("the history is throttled")
        try:
            for attempt in range(ATTEMPTS):
                if attempt:
                    time.sleep(0.05 * 2**attempt)
                answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    return {}
        except (BotoCoreError, ClientError) as trouble:
            error = StateError(f"the history: {trouble}")
            if isinstance(trouble, ClientError) and trouble.response["Error"]["Code"] == _INVALID:
                if len(rows) > 1:
                    middle = len(rows) // 2
                    return self._keep(rows[:middle]) | self._keep(rows[middle:])
                error = RowError(str(error))
        return {_keys(put["PutRequest"]["Item"]): error for put in left}

    def of_item(
        self, portal: str, item: str, *, until: str = "~", limit: int | None = None
    ) -> Iterator[PastChange]:
        """Yield the changes of an item (`deal/662`), the newest first, at most `limit`.

        `until` is the first sk that is too late.
        """
        ask = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk < :until",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"{portal}/{item}"},
                ":until": {"S": until},
            },
            "ScanIndexForward": False,
            "ConsistentRead": True,
            **({"Limit": limit} if limit else {}),
        }
        while True:
            try:
                answer = self._client.query(**ask)
            except (BotoCoreError, ClientError) as trouble:
                raise StateError(f"the history: {trouble}") from trouble
            yield from map(PastChange.of, answer["Items"])
            if limit or "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _keys(row: Item) -> Keys:
    return row["pk"]["S"], row["sk"]["S"]

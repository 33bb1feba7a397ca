"""The shapes of AWS: a client, a row, and what Lambda hands to a function and takes back."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypedDict

type Client = Any  # boto3 ships no types


class Value(TypedDict, total=False):
    """A value in DynamoDB's spelling; one of these is set."""

    S: str
    N: str
    B: bytes
    SS: list[str]


type Item = Mapping[str, Value]


class SqsBatch(TypedDict):
    """The records of an SQS batch."""

    Records: list[dict[str, object]]


class Images(TypedDict, total=False):
    """A put of a row: the row before and after, and the put's time and place in the stream."""

    OldImage: Item
    NewImage: Item
    ApproximateCreationDateTime: float
    SequenceNumber: str


class StreamRecord(TypedDict):
    """A record of a table's stream."""

    dynamodb: Images


class StreamBatch(TypedDict):
    """The records of a table's stream, in their order."""

    Records: list[StreamRecord]


class Context(Protocol):
    """The context of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that the function has left."""


class BatchResponse(TypedDict):
    """The records of a batch that must come back; all others are done."""

    batchItemFailures: list[dict[str, str]]


def response(record_ids: Iterable[str]) -> BatchResponse:
    """Return the response that lets the records with these ids come back."""
    return {"batchItemFailures": [{"itemIdentifier": one} for one in record_ids]}

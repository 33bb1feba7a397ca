"""What Lambda hands to the functions, and what it takes back of a batch."""

from collections.abc import Iterable
from typing import Protocol, TypedDict


class SqsBatch(TypedDict):
    """The records of an SQS batch."""

    Records: list[dict[str, object]]


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

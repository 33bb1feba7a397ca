"""The records of one SQS batch as a reaction meets them: parsed, in chains, with what is known."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay.change import Change
from relay.errors import NotOursError
from relay.event import Event
from relay.reaction.checkpoint import KEEP_SECONDS, Row
from relay.reaction.run import UNDECIDED, Run


@dataclass(slots=True, eq=False)
class Newest:
    """The latest change of an item that a reaction has handled; `born` is the mirror row's."""

    key: str
    born: str = ""
    version: int = -1

    @property
    def name(self) -> str:
        """Return what is written."""
        return self.key

    @property
    def conditional(self) -> bool:
        """Say no: a condition costs more than the rare older version that two copies leave."""
        return False

    def is_after(self, change: Change) -> bool:
        """Say whether it is later than a change."""
        return self.born == _born(change) and self.version > change.version

    def note(self, change: Change) -> bool:
        """Take in a handled change; says whether that is news."""
        if self.born == _born(change) and self.version >= change.version:
            return False
        self.born, self.version = _born(change), change.version
        return True

    def merge(self, other: Any) -> None:
        """Take in nothing: it is written as it is when the request leaves."""

    def make(self, table: str) -> dict[str, Any]:  # noqa: ARG002  every request is told
        """Return the row's item."""
        return {
            "pk": {"S": self.key},
            "born": {"S": self.born},
            "version": {"N": str(self.version)},
            "expires": {"N": str(int(time.time() + KEEP_SECONDS))},
        }


@dataclass(slots=True, eq=False)
class Record:
    """One record: what it holds, or why that can't be read, and what became of it."""

    message: SQSRecord
    subject: Any = None
    error: Exception | None = None
    handled: bool = False
    begun: float = 0.0
    row: Row | None = None
    newest: Newest | None = None
    run: Run | None = None
    user: int = 0  # of the webhook that it writes through
    storing: asyncio.Task[None] | None = None

    @property
    def record_id(self) -> str:
        """The id of its change or event: the same however often it is delivered."""
        its = self.subject
        return str(its.change_id if isinstance(its, Change) else its.event_id)

    @property
    def chain(self) -> str:
        """What it has in common with the records that it must not overtake."""
        its = self.subject
        return _item(its) if isinstance(its, Change) else self.record_id

    @property
    def redriven(self) -> bool:
        """Whether a person has sent it back: it bears the reason for which it was put aside."""
        return "reason" in self.message.raw_event.get("messageAttributes", {})

    @property
    def decided(self) -> float:
        """When a person has looked for what is not known to have run, and sent it back; else 0."""
        its = self.message.raw_event
        code = its.get("messageAttributes", {}).get("code", {}).get("stringValue")
        return float(its["attributes"]["SentTimestamp"]) / 1000 if code == UNDECIDED else 0.0

    def about(self) -> dict[str, Any]:
        """Return what a log line says of it."""
        about: dict[str, Any] = {"message_id": self.message.message_id}
        its = self.subject
        if isinstance(its, Change):
            about |= {"change_id": its.change_id, "subject": f"{its.entity}/{its.id}"}
        elif its is not None:
            about |= {"event_id": its.event_id, "subject": its.subject}
        return about if its is None else about | {"portal": its.portal}

    def know(self, reaction: str, stored: Mapping[str, Any], known: dict[str, Any]) -> None:
        """Take what is stored; records of one id, or one item, share what is `known`."""
        now = time.time()
        for key in self.keys(reaction):
            row = stored.get(key)
            if key.startswith("newest#"):
                value = (
                    {"born": row["born"]["S"], "version": int(row["version"]["N"])} if row else {}
                )
                self.newest = known.setdefault(key, Newest(key, **value))
            else:
                self.row = known.setdefault(key, Row.of(key, row, now))

    def keys(self, reaction: str) -> list[str]:
        """Return the keys of what is stored of it."""
        keys = [f"done#{reaction}#{self.record_id}"]
        if isinstance(self.subject, Change):
            keys.append(f"newest#{reaction}#{_item(self.subject)}")
        return keys


def parse(message: Mapping[str, Any], record_type: type[Change] | type[Event]) -> Record:
    """Return a record with its change or event, or with the error that it is neither."""
    record = Record(SQSRecord(dict(message)))
    try:
        record.subject = record_type.from_cloudevent(json.loads(record.message.body))
    except (NotOursError, ValueError, RecursionError) as error:
        said = "if newer code wrote it, deploy that, then `make redrive`"
        record.error = NotOursError(f"{error}; {said}")
    return record


def chains(records: Iterable[Record]) -> list[list[Record]]:
    """Return what is to run one after the other: an item's changes by version, an id's doubles."""
    by: dict[str, list[Record]] = {}
    for record in records:
        by.setdefault(record.chain, []).append(record)
    for chain in by.values():
        if isinstance(chain[0].subject, Change):
            chain.sort(key=lambda record: (_born(record.subject), record.subject.version))
    return list(by.values())


def _item(change: Change) -> str:
    return f"{change.portal}#{change.entity}/{change.id}"


def _born(change: Change) -> str:
    return change.change_id.rpartition(".")[0].rpartition(".")[2]

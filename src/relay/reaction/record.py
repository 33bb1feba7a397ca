"""A record of an SQS batch: its change or event, its identity, and the order of changes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay.change import Change
from relay.errors import NotOursError
from relay.event import Event
from relay.reaction.run import NEEDS_OPERATOR, Operator
from relay.retry_policy import Delivery


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A record whose body is a change or an event."""

    message: SQSRecord
    payload: Change | Event

    @property
    def id(self) -> str:
        """The id of the change or event: the same however often it is delivered."""
        payload = self.payload
        return payload.change_id if isinstance(payload, Change) else payload.event_id

    @property
    def order_key(self) -> str:
        """Records with the same key run one after the other: changes of an item, or doubles.

        Equal calls of a robot may be doubles of each other.
        """
        payload = self.payload
        if isinstance(payload, Change):
            return f"{payload.portal}#{payload.subject}"
        return self.id.rpartition(".")[0] if payload.adjacent_ids else self.id

    @property
    def operator(self) -> Operator:
        """What an operator has decided: a record that was sent back bears the reason."""
        attributes = self.message.raw_event.get("messageAttributes", {})
        code = attributes.get("code", {}).get("stringValue")
        sent_at = self.message.raw_event.get("attributes", {}).get("SentTimestamp", "0")
        confirmed_at = float(sent_at) / 1000 if code == NEEDS_OPERATOR else 0.0
        return Operator(sent_back="reason" in attributes, confirmed_at=confirmed_at)

    @property
    def is_new(self) -> bool:
        """Whether SQS delivers it for the first time, and no operator has sent it back."""
        return Delivery.of(self.message, 0).receives == 1 and not self.operator.sent_back

    def log_fields(self) -> dict[str, object]:
        """Return the fields that name the record in a log line."""
        payload = self.payload
        id_name = "change_id" if isinstance(payload, Change) else "event_id"
        return {
            id_name: self.id,
            "subject": payload.subject,
            "portal": payload.portal,
        }


def parse(message: SQSRecord, record_type: type[Change] | type[Event]) -> Record:
    """Return a record with its change or event; raises NotOursError where it holds none."""
    try:
        return Record(message, record_type.from_cloudevent(json.loads(message.body)))
    except (NotOursError, ValueError, RecursionError) as error:
        topic = f"does its Topic in template.yaml send {record_type.__name__}s?"
        remedy = "if newer code wrote it, deploy that, then `make redrive`"
        raise NotOursError(f"{error}; {topic} {remedy}") from error


def chains(records: Iterable[Record]) -> list[list[Record]]:
    """Return the records in chains, to be run one after the other: changes by version, doubles."""
    by_key: dict[str, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.order_key, []).append(record)
    return [sorted(chain, key=_order) for chain in by_key.values()]


def _order(record: Record) -> tuple[str, int]:
    payload = record.payload
    return (born(payload), payload.version) if isinstance(payload, Change) else ("", 0)


def born(change: Change) -> str:
    """Return the mark of the mirror row's birth in a change's id; versions count from there."""
    return change.change_id.rpartition(".")[0].rpartition(".")[2]

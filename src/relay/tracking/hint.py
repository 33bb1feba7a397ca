"""A message of track's queue (an event, or a hint of sweep) -> hints: reasons to read an item."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from relay.errors import NotOursError
from relay.event import ROBOT_ACTION, TYPE_PREFIXES, Event
from relay.kinds import kind_of, name_of
from relay.portal.api import Result
from relay.tracking.parts import BANK_DETAIL, REQUISITE
from relay.tracking.row import MOST_ID, Key

_HINT = "com.bitrix24.relay.hint"
EVENT, SWEEP = "event", "sweep"
ACTIONS = ("add", "update", "delete", "move_to_category", ROBOT_ACTION)


@dataclass(slots=True)
class Hint:
    """All reasons in one batch to read one item."""

    key: Key
    via: str = SWEEP  # EVENT if an event is among the reasons
    by_webhook: bool = False  # an event of the outgoing webhook is among them, not only a robot
    added: bool = False  # an ADD event is among them
    deleted: bool = False  # a DELETE event is among them
    baseline: bool = False  # the mirror is filled for the first time
    received_before: bool = False  # one of the messages was
    messages: set[str] = field(default_factory=set)  # ids: done, or returned, together
    events: set[str] = field(default_factory=set)  # ids, for the log

    def add(self, other: "Hint") -> None:
        """Add the reasons of another hint for the same item."""
        self.via = EVENT if EVENT in {self.via, other.via} else SWEEP
        self.by_webhook |= other.by_webhook
        self.added |= other.added
        self.deleted |= other.deleted
        self.baseline |= other.baseline
        self.received_before |= other.received_before
        self.messages |= other.messages
        self.events |= other.events


def parse(message_id: str, body: str) -> list[Hint]:
    """Return the hints in a message; none in an event about something that is not mirrored.

    Raises NotOursError for a message that is neither event nor hint, or names an invalid item.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotOursError(f"not a message of this relay: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise NotOursError("not a message of this relay: it has no type")
    if message["type"] == _HINT:
        return _of_sweep(message_id, message)
    if message["type"].startswith(TYPE_PREFIXES):
        return _of_event(message_id, Event.from_cloudevent(message))
    raise NotOursError(f"neither an event nor a hint: {message['type']}")


def to_message(portal: str, entity: str, ids: Iterable[int], *, baseline: bool) -> str:
    """Return the message with which a sweep makes track read these items."""
    data = {"portal": portal, "entity": entity, "ids": list(ids), "baseline": baseline}
    return json.dumps({"type": _HINT} | data, separators=(",", ":"))


def _of_sweep(message_id: str, message: Mapping[str, Result]) -> list[Hint]:
    try:
        portal, entity, numbers = str(message["portal"]), str(message["entity"]), message["ids"]
        kind_of(entity)
        return [
            Hint(
                Key(portal, entity, _item_id(number)),
                baseline=message["baseline"] is True,
                messages={message_id},
            )
            for number in numbers
        ]
    except (KeyError, TypeError) as error:
        raise NotOursError(f"not a hint of this relay: {error!r}") from error


def _of_event(message_id: str, event: Event) -> list[Hint]:
    entity = str(event.entity)
    of_owner = entity in {REQUISITE, BANK_DETAIL}
    if not event.id or event.action not in ACTIONS or (of_owner and event.action == "delete"):
        return []  # what is deleted names no owner any more
    try:
        if event.entity_type_id is not None:  # of two kinds called invoice only 31 is mirrored
            entity = name_of(int(event.entity_type_id))
        if not of_owner:
            kind_of(entity)
    except KeyError:
        return []
    except (ValueError, TypeError) as error:
        raise NotOursError(f"not an event of this relay: {error!r}") from error
    return [
        Hint(
            Key(str(event.portal), entity, _item_id(event.id)),
            via=EVENT,
            # The silence of a kind is judged by its own events.
            by_webhook=event.action != ROBOT_ACTION and not of_owner,
            added=event.action == "add",
            deleted=event.action == "delete",
            messages={message_id},
            events={event.event_id},
        )
    ]


def _item_id(value: object) -> int:
    """Return an item's number; raises NotOursError for one that no portal or table takes."""
    text = str(value)
    if text.isdecimal() and len(text) <= len(str(MOST_ID)) and 0 < int(text) <= MOST_ID:
        return int(text)
    raise NotOursError(f"no item has the id {text[:50]!r}")


def merge(hints: Iterable[Hint]) -> dict[Key, Hint]:
    """Return one hint an item."""
    merged: dict[Key, Hint] = {}
    for hint in hints:
        first = merged.setdefault(hint.key, hint)
        if first is not hint:
            first.add(hint)
    return merged

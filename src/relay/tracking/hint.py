"""A reason to look at items: what the messages of track's queue mean."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.event import TYPE_PREFIX, Event
from relay.tracking.kinds import ENTITY_TYPE_IDS, TASK, entity_of, entity_type_id
from relay.tracking.row import Key

_HINT = "com.bitrix24.relay.hint"
EVENT, SWEEP = "event", "sweep"


@dataclass(slots=True)
class Hint:
    """All reasons of one batch to look at one item; `messages` are answered together.

    `again`: one of them has been there before.
    """

    key: Key
    via: str = SWEEP
    added: bool = False
    deleted: bool = False
    baseline: bool = False
    again: bool = False
    messages: set[str] = field(default_factory=set)

    def add(self, other: "Hint") -> None:
        """Take in another reason: an event outweighs a sweep, a deletion or addition is kept."""
        self.via = EVENT if EVENT in {self.via, other.via} else SWEEP
        self.added |= other.added
        self.deleted |= other.deleted
        self.baseline |= other.baseline
        self.again |= other.again
        self.messages |= other.messages


def parse(message_id: str, body: str) -> list[Hint]:
    """Return the hints in a message; none in an event of a kind that is not mirrored.

    Raises ValueError for a message of nobody's.
    """
    message = json.loads(body)
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError("not a message of this relay: it has no type")  # noqa: TRY004  its body
    if message["type"] == _HINT:
        return _of_sweep(message_id, message)
    if message["type"].startswith(TYPE_PREFIX):
        return _of_event(message_id, Event.from_cloudevent(message))
    raise ValueError(f"neither an event nor a hint: {message['type']}")


def to_message(portal: str, entity: str, ids: Iterable[int], *, baseline: bool) -> str:
    """Return the message with which a sweep makes track look at these items."""
    data = {"portal": portal, "entity": entity, "ids": list(ids), "baseline": baseline}
    return json.dumps({"type": _HINT} | data, separators=(",", ":"))


def _of_sweep(message_id: str, message: Mapping[str, Any]) -> list[Hint]:
    try:
        portal, entity = message["portal"], message["entity"]
        entity_type_id(entity)
        return [
            Hint(
                Key(portal, entity, int(number)),
                baseline=message["baseline"],
                messages={message_id},
            )
            for number in message["ids"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a hint of this relay: {error!r}") from error


def _of_event(message_id: str, event: Event) -> list[Hint]:
    entity = event.entity
    if event.entity_type_id is not None and entity not in ENTITY_TYPE_IDS:
        entity = entity_of(event.entity_type_id)
    mirrored = entity == TASK or entity in ENTITY_TYPE_IDS or (entity or "").startswith("dynamic_")
    # 5 is the old invoice: the item methods do not serve it, and its ids are others.
    if not mirrored or event.entity_type_id == 5 or not (event.id or "").isdecimal():  # noqa: PLR2004
        return []
    if event.action not in {"add", "update", "delete", "move_to_category"}:
        return []
    return [
        Hint(
            Key(event.portal, str(entity), int(str(event.id))),
            via=EVENT,
            added=event.action == "add",
            deleted=event.action == "delete",
            messages={message_id},
        )
    ]


def merge(hints: Iterable[Hint]) -> dict[Key, Hint]:
    """Return one hint an item."""
    merged: dict[Key, Hint] = {}
    for hint in hints:
        if hint.key in merged:
            merged[hint.key].add(hint)
        else:
            merged[hint.key] = hint
    return merged

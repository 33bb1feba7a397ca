"""An event: something happened in a portal. Ingress publishes it on the Events topic."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from relay.cloudevent import Envelope, Parsed
from relay.errors import NotOursError

TYPE_PREFIX = "com.bitrix24.event."

# Of an event that a robot or a business process caused: name, type and action.
ROBOT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
ROBOT_PREFIX = "robot."
ROBOT_TYPE_PREFIX = f"com.bitrix24.{ROBOT_PREFIX}"
ROBOT_ACTION = "robot"
ROBOT_WINDOW_SECONDS = 10  # equal calls within it are one: administrators click twice
# Of an event that the relay makes itself: what became of a portal's fields and stages.
SCHEMA_NAME = "schema.changed"
SCHEMA_TYPE = f"com.bitrix24.{SCHEMA_NAME}"
TYPE_PREFIXES = (TYPE_PREFIX, ROBOT_TYPE_PREFIX, SCHEMA_TYPE)
# The fields of an event that are members of `data` in its CloudEvent.
_MEMBERS = {
    "name": "event",
    "entity": "entity",
    "action": "action",
    "entity_type_id": "entityTypeId",
    "id": "id",
    "sent_at": "sentAt",
    "domain": "domain",
    "member_id": "memberId",
    "handler_id": "handlerId",
    "payload": "payload",
}


def robot_call_id(call: str, at: float) -> str:
    """Return the id of the event of a robot's call at a time (seconds since 1970).

    `call` names what equal calls have in common; they share the id within a window on the clock.
    """
    return f"{call}.{int(at // ROBOT_WINDOW_SECONDS)}"


class Document(NamedTuple):
    """The item of an event: `kind` as in Changes (`deal`, `dynamic_128`, `task`), `id` as text."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened in a portal; the item's present state has to be read."""

    # Adding and deleting happen to an item only once, so the id is made of portal, entity, item and
    # action: a doubled event is recognised.
    event_id: str
    portal: str
    # The portal's code, `ONCRMDEALUPDATE`; `robot.send_contract` of a robot, SCHEMA_NAME.
    name: str
    time: str  # ISO 8601
    # None where the catalogue does not know the event, or the event names no item.
    entity: str | None = None
    action: str | None = None
    entity_type_id: int | None = None
    id: str | None = None
    sent_at: str | None = None  # the portal's own time, None where it sent none
    domain: str | None = None
    member_id: str | None = None
    handler_id: str | None = None
    payload: Parsed  # the portal's `data`, or the parameters of a robot; all scalars are strings

    @property
    def subject(self) -> str | None:
        """The item, `deal/662`; None where entity or id is None."""
        return None if self.entity is None or self.id is None else f"{self.entity}/{self.id}"

    @property
    def document(self) -> Document | None:
        """The item; None where entity or id is None."""
        return None if self.entity is None or self.id is None else Document(self.entity, self.id)

    @property
    def params(self) -> Mapping[str, Parsed]:
        """What an administrator typed into the address of a robot; empty for other events."""
        return self.payload if self.action == ROBOT_ACTION else {}

    @property
    def adjacent_ids(self) -> tuple[str, ...]:
        """The ids of equal calls of a robot in the windows before and after; () for other events.

        Such a call is the same one if it came less than ROBOT_WINDOW_SECONDS before or after.
        """
        call, _, window = self.event_id.rpartition(".")
        if self.action != ROBOT_ACTION or not window.isdecimal():
            return ()
        return f"{call}.{int(window) - 1}", f"{call}.{int(window) + 1}"

    def to_json(self) -> str:
        """Return the event as a CloudEvent."""
        data = {member: getattr(self, name) for name, member in _MEMBERS.items()}
        prefix = ROBOT_TYPE_PREFIX if self.action == ROBOT_ACTION else TYPE_PREFIX
        type_name = prefix + self.name.removeprefix(ROBOT_PREFIX).lower()
        if self.name == SCHEMA_NAME:
            type_name = SCHEMA_TYPE
        return Envelope(
            self.event_id, self.portal, type_name, self.time, data, self.subject
        ).to_json()

    @classmethod
    def from_cloudevent(cls, cloudevent: Mapping[str, Parsed]) -> Self:
        """Return the event that `to_json` wrote; raises NotOursError for another document."""
        envelope = Envelope.of(cloudevent, *TYPE_PREFIXES)
        try:
            members = {name: envelope.data[member] for name, member in _MEMBERS.items()}
        except KeyError as error:
            raise NotOursError(f"not an event of this relay: no {error} in its data") from error
        return cls(
            event_id=envelope.unique_id, portal=envelope.portal, time=envelope.time, **members
        )

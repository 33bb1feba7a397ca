"""An event as it travels from ingress to whoever subscribes: CloudEvents 1.0, structured JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from relay.errors import NotOursError
from relay.unsendable import IN_JSON

TYPE_PREFIX = "com.bitrix24.event."
SOURCE_PREFIX = "urn:bitrix24:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened in a portal; what it is now must be asked for.

    `id` is the item's (a string, None where the event names none), `event_id` the event's own:
    made of portal, entity, id and action for what happens to an item only once, so that a doubled
    event is recognised. `payload` is what the portal sent as `data`: all scalars are strings.
    `entity`, `action` and `id` are None for events that the catalogue does not know.
    """

    event_id: str
    portal: str
    name: str
    time: str
    entity: str | None
    action: str | None
    entity_type_id: int | None
    id: str | None
    sent_at: str | None
    domain: str | None
    member_id: str | None
    handler_id: str | None
    payload: Any

    @property
    def subject(self) -> str | None:
        """What the event is about, `deal/662`; None where the catalogue does not say."""
        return None if self.entity is None or self.id is None else f"{self.entity}/{self.id}"

    def to_json(self) -> str:
        """Return the event as a structured CloudEvent, fit for SNS and SQS."""
        cloudevent: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.event_id,
            "source": SOURCE_PREFIX + self.portal,
            "type": TYPE_PREFIX + self.name.lower(),
            "time": self.time,
            "datacontenttype": "application/json",
            "data": {
                "event": self.name,
                "entity": self.entity,
                "action": self.action,
                "entityTypeId": self.entity_type_id,
                "id": self.id,
                "sentAt": self.sent_at,
                "domain": self.domain,
                "memberId": self.member_id,
                "handlerId": self.handler_id,
                "payload": self.payload,
            },
        }
        if self.subject:
            cloudevent["subject"] = self.subject
        text = json.dumps(cloudevent, ensure_ascii=False, separators=(",", ":"))
        return IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    @classmethod
    def from_cloudevent(cls, cloudevent: Mapping[str, Any]) -> Self:
        """Return the event that `to_json` wrote; raises NotOursError for another document."""
        try:
            data = cloudevent["data"]
            if not cloudevent["specversion"].startswith("1."):
                raise NotOursError(f"specversion is {cloudevent['specversion']}, not 1.x")
            if not cloudevent["type"].startswith(TYPE_PREFIX):
                raise NotOursError(f"type is {cloudevent['type']!r}, not {TYPE_PREFIX}*")
            return cls(
                event_id=cloudevent["id"],
                portal=cloudevent["source"].removeprefix(SOURCE_PREFIX),
                name=data["event"],
                time=cloudevent["time"],
                entity=data["entity"],
                action=data["action"],
                entity_type_id=data["entityTypeId"],
                id=data["id"],
                sent_at=data["sentAt"],
                domain=data["domain"],
                member_id=data["memberId"],
                handler_id=data["handlerId"],
                payload=data["payload"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise NotOursError(f"not an event of this relay: {error!r}") from error

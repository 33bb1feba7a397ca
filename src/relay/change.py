"""A change as it travels from announce to reactions: CloudEvents 1.0, structured JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from relay.errors import NotOursError
from relay.kinds import kind_of

TYPE_PREFIX = "com.bitrix24."
SOURCE_PREFIX = "urn:bitrix24:"
ACTIONS = ("added", "updated", "deleted")


class Fields(dict[str, Any]):
    """An item's fields; what is empty is not stored, so what is not here reads as None."""

    def __missing__(self, name: str) -> None:
        """Read an empty field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An item was added, updated or deleted, with the fields that changed.

    `id` is the item's (a string), `change_id` the change's own: however often AWS delivers it, the
    same. `version` counts the readings of the item: a higher one is later. `changed` names the
    fields that differ; in `added` all fields that are set, as a state that an item is born with
    is a change of that field. `before` holds the changed fields only (`added`: none, `deleted`:
    all), `after` all of them (`deleted`: none); a field of `truncated` did not fit and is in
    neither. `*` at the end of either list stands for names that did not fit either.
    `superseded`: this reaction has already handled a later change of the item.
    `origin` is `relay` where a reaction wrote it, `via` is what made us look: `event` or `sweep`.
    """

    change_id: str
    portal: str
    entity: str
    entity_type_id: int | None
    id: str
    action: str
    version: int
    time: str
    origin: str = "portal"
    via: str = "event"
    changed: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=Fields)
    after: Mapping[str, Any] = field(default_factory=Fields)
    truncated: tuple[str, ...] = ()
    # Known to whoever runs a reaction; they do not travel.
    portal_host: str = field(default="", compare=False)
    superseded: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        """Let the plain dicts of a test read empty fields as None, as in production."""
        object.__setattr__(self, "before", Fields(self.before))
        object.__setattr__(self, "after", Fields(self.after))

    @property
    def portal_url(self) -> str:
        """The item's page in the portal; empty where its host is not known."""
        if not self.portal_host:
            return ""
        return f"https://{self.portal_host}{kind_of(self.entity).page}".format(self.id)

    def moved(self, name: str, *, to: Any = ..., from_: Any = ...) -> bool:
        """Say whether this field changed - to that value, from that value, where they are given.

        A new item's fields changed from None.
        """
        return (
            name in self.changed
            and (to is ... or self.after.get(name) == to)
            and (from_ is ... or self.before.get(name) == from_)
        )

    def to_json(self) -> str:
        """Return the change as a structured CloudEvent."""
        data: dict[str, Any] = {
            "entity": self.entity,
            "entityTypeId": self.entity_type_id,
            "id": self.id,
            "action": self.action,
            "version": self.version,
            "origin": self.origin,
            "via": self.via,
            "changed": self.changed,
            "before": self.before,
            "after": self.after,
        }
        if self.truncated:
            data["truncated"] = self.truncated
        cloudevent = {
            "specversion": "1.0",
            "id": self.change_id,
            "source": SOURCE_PREFIX + self.portal,
            "type": f"{TYPE_PREFIX}{self.entity}.{self.action}",
            "subject": f"{self.entity}/{self.id}",
            "time": self.time,
            "datacontenttype": "application/json",
            "data": data,
        }
        return json.dumps(cloudevent, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_cloudevent(cls, cloudevent: Mapping[str, Any]) -> Self:
        """Return the change that `to_json` wrote; raises NotOursError for another document."""
        try:
            data = cloudevent["data"]
            if not cloudevent["specversion"].startswith("1."):
                raise NotOursError(f"specversion is {cloudevent['specversion']}, not 1.x")
            if type(data["version"]) is not int or not isinstance(cloudevent["id"], str):
                raise NotOursError("version is no number, or id no text")  # they order changes
            if data["action"] not in ACTIONS:
                raise NotOursError(f"action is {data['action']!r}, not one of {', '.join(ACTIONS)}")
            return cls(
                change_id=cloudevent["id"],
                portal=cloudevent["source"].removeprefix(SOURCE_PREFIX),
                entity=data["entity"],
                entity_type_id=data["entityTypeId"],
                id=data["id"],
                action=data["action"],
                version=data["version"],
                time=cloudevent["time"],
                origin=data["origin"],
                via=data["via"],
                changed=tuple(data["changed"]),
                before=data["before"],
                after=data["after"],
                truncated=tuple(data.get("truncated", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise NotOursError(f"not a change of this relay: {error!r}") from error

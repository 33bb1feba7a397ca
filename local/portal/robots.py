"""Robots on stages: "Outgoing webhook", which calls a handler when an item enters the stage.

[CORE bizproc WebHookActivity, rest queue] What an administrator typed is filled in as raw text, and
only then read as an address: its query by PHP's parse_str, its fragment dropped.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

from local.portal.php import build_query, parse_query
from local.portal.schema import EntityType
from local.portal.table import Row
from local.portal.webhooks import OutgoingWebhook

if TYPE_CHECKING:
    from local.portal.portal import Portal

_CLASSES = {
    **{name: f"CCrmDocument{name.capitalize()}" for name in ("lead", "deal", "contact", "company")},
    "quote": r"Bitrix\Crm\Integration\BizProc\Document\Quote",
    "invoice": r"Bitrix\Crm\Integration\BizProc\Document\SmartInvoice",
}
_DYNAMIC = r"Bitrix\Crm\Integration\BizProc\Document\Dynamic"
_PLACEHOLDER = re.compile(
    r"\{\{=urlencode\(\{=Document:(\w+)\}\)\}\}|\{=Document:(\w+)\}|\{\{([^{}=]+)\}\}"
)


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot of a stage; `handler` holds placeholders as they were typed or picked."""

    id: int
    type_number: int
    stage: str
    handler: str

    @property
    def name(self) -> str:
        """The last part of the handler's path, which is no secret."""
        return self.handler.partition("?")[0].rstrip("/").rpartition("/")[2]

    def to_dict(self) -> Row:
        """As the page shows it, without its address."""
        return {"id": self.id, "stage": self.stage, "name": self.name}


@dataclass(slots=True)
class Robots:
    """The robots of a portal; `address` is what the page offers as a handler."""

    address: str = ""
    _robots: dict[int, Robot] = field(default_factory=dict)
    _last: int = 0

    def add(self, type_number: int, stage: str, handler: str) -> Robot:
        """Put a robot on a stage."""
        self._last += 1
        self._robots[self._last] = Robot(self._last, type_number, stage, handler)
        return self._robots[self._last]

    def remove(self, number: int) -> None:
        """Take a robot away; KeyError where there is none."""
        del self._robots[number]

    def all(self) -> list[Robot]:
        """All robots, in their order."""
        return list(self._robots.values())

    def of(self, type_number: int, stage: str) -> list[Robot]:
        """The robots of a stage, in their order."""
        return [
            one
            for one in self._robots.values()
            if (one.type_number, one.stage) == (type_number, stage)
        ]

    def enter(self, portal: "Portal", entity: EntityType, row: Row) -> None:
        """Let the robots of an item's stage call; what has no proper host is never called."""
        for robot in self.of(entity.number, row.get("stageId", "")):
            url = target(fill(robot.handler, entity, row))
            if url:
                webhook = OutgoingWebhook(id=0, url=url, token="", events=set())
                fields = partial(_fields, portal, document_of(entity, row["id"]))
                subject = f"{entity.code}/{row['id']}"
                portal.queue(webhook, f"robot.{robot.name}", subject, fields)


def document_of(entity: EntityType, number: int) -> list[str]:
    """The three parts of `document_id`."""
    if entity.code in _CLASSES:
        prefix = "SMART_INVOICE" if entity.code == "invoice" else entity.code.upper()
        return ["crm", _CLASSES[entity.code], f"{prefix}_{number}"]
    return ["crm", _DYNAMIC, f"DYNAMIC_{entity.number}_{number}"]


def _fields(portal: "Portal", document: list[str]) -> Row:
    return {
        "document_id": document,
        "auth": {
            "domain": portal.domain,
            "client_endpoint": f"https://{portal.domain}/rest/",
            "server_endpoint": "https://oauth.bitrix24.tech/rest/",
            "member_id": portal.member_id,
        },
    }


def fill(handler: str, entity: EntityType, row: Row) -> str:
    """The handler with an item's values in it, raw; a placeholder that is not known stays."""
    names = {one.name: one.key for one in entity.fields.values()}
    titles = {one.title or one.name: one.key for one in entity.fields.values()}

    def value(found: re.Match[str]) -> str:
        encoded, plain, shown = found.groups()
        key = names.get(encoded or plain) or titles.get(shown) or names.get(shown)
        if key is None:
            return found[0] if shown else ""
        text = as_text(entity.fields[key].type, row.get(key), str(row.get("currencyId", "")))
        return quote_plus(text) if encoded else text

    return _PLACEHOLDER.sub(value, handler)


def as_text(kind: str, value: Any, currency: str) -> str:
    """A value as a robot writes it: `user_23`, `123.45|RUB`, dates of the site, `a, b`."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(as_text(kind, one, currency) for one in value)
    if kind == "user":
        return f"user_{value}"
    if kind == "money" or (kind == "double" and currency):
        return f"{value}|{currency}"
    if kind in {"date", "datetime"} and value:
        moment = datetime.fromisoformat(value)
        return moment.strftime("%d.%m.%Y" + " %H:%M:%S" * (kind == "datetime"))
    return {True: "Y", False: "N"}[value] if isinstance(value, bool) else str(value)


def target(text: str) -> str:
    """The address that is called for a filled-in handler; empty where none is."""
    if "\n" in text or "\r" in text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or "." not in (parts.hostname or ""):
        return ""
    query = {re.sub(r"[ .]", "_", name.lstrip()): v for name, v in parse_query(parts.query).items()}
    path = quote(parts.path, safe="/")
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{build_query(query)}" if query else "")

"""A portal: its people, items and webhooks, held in memory, and what it tells of itself."""

import random
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from local.portal.activity import Activity
from local.portal.clock import Clock
from local.portal.limits import Bucket, Operating
from local.portal.outbox import Delivery, Outbox
from local.portal.replays import Replays
from local.portal.robots import Robots
from local.portal.schema import EntityType, standard_types
from local.portal.settings import Settings
from local.portal.stages import Directories
from local.portal.strip import Strip
from local.portal.table import Row, Table
from local.portal.webhooks import IncomingWebhook, OutgoingWebhook, make_secret

if TYPE_CHECKING:
    from collections import deque


@dataclass(frozen=True, slots=True)
class Denial:
    """A right that a user hasn't: all of CRM, tasks and lists, one type of CRM, or a funnel."""

    user: int
    type_number: int | None = None
    category: int | None = None


class Portal:
    """Everything one portal knows. Only the methods in `methods/` and the admin API change it."""

    def __init__(self, name: str = "main", domain: str = "demo.bitrix24.example") -> None:
        self.name, self.domain = name, domain
        self.former_domains: dict[str, str] = {}  # renamed: old host to new one
        self.member_id = random.Random(name).randbytes(16).hex()  # survives a new name
        self.clock = Clock()
        self.settings = Settings()
        self.random = random.Random(0)
        self.types: dict[int, EntityType] = standard_types()
        self.items: dict[int, Table] = {number: Table() for number in self.types}
        self.directories = Directories()
        self.users: dict[int, Row] = {}
        self.comments, self.tasks = Table(), Table()
        self.tables = {"crm.status": self.directories.statuses, "crm.type": Table()}  # of families
        self.tables["comments"] = self.comments
        self.links: dict[tuple[str, int], dict[int, int]] = {}  # sorts of what an item is linked to
        self.last_option = 0  # ids of the values of lists
        self.cards: dict[tuple[str, ...], Any] = {}  # forms that people arranged
        self.history: dict[tuple[int, int], list[Row]] = {}  # of stages, by type and item
        self.last_history_id = 0
        self.changes: dict[tuple[str, int], deque[Row]] = {}
        self.recycle_bin: dict[int, tuple[int, Row]] = {}
        self.files: dict[int, Row] = {}
        self.workflow_templates: dict[int, str] = {1: "CCrmDocumentLead"}
        self.denials: set[Denial] = set()
        # Type and id of items whose rights were stored twice, by two savings at the same time
        self.doubled_rights: set[tuple[int, int]] = set()
        self.incoming: dict[str, IncomingWebhook] = {}
        self.outgoing: dict[int, OutgoingWebhook] = {}
        self.bucket, self.operating, self.replays = Bucket(), Operating(), Replays()
        self.faults: list[Any] = []
        self.activity, self.robots, self.strip = Activity(), Robots(), Strip()
        self.outbox = Outbox(self.settings.events, self._delivered, self.random)
        self.revision = 0  # grows with every change, for whoever shows items
        self._multi_field_id = self._file_id = self._webhook_id = self._delivery_id = 0
        phones = {"WORK_PHONE": "+49555000001", "PERSONAL_MOBILE": "+49555000002"}
        self.add_user("Ann", "Lee", admin=True, **phones, UF_PHONE_INNER="101")

    # --- people and their rights ---

    def add_user(self, name: str, last_name: str, *, admin: bool = False, **more: Any) -> int:
        """Hire somebody; raises no event here, `ONUSERADD` is for applications."""
        number = int(more.pop("id", 0)) or 1 + max(self.users, default=0)
        self.users[number] = {
            "id": number,
            "name": name,
            "lastName": last_name,
            "admin": admin,
            "active": True,
            "external": False,
            "email": f"{name.lower()}.{last_name.lower()}@example.com",
            "position": "",
            "registered": self.clock.stamp(),
            "changed": self.clock.stamp(),
            "departments": [1],
        } | more
        return number

    def may_read(self, user: int, type_number: int, row: Row) -> bool:
        """Whether a user may see an item; who may not, doesn't find it in lists either."""
        if not self.denials:
            return True
        narrowest = Denial(user, type_number, row.get("categoryId", 0))
        return self.denials.isdisjoint((Denial(user), Denial(user, type_number), narrowest))

    def denied(self, user: int, type_number: int | None = None) -> bool:
        """Whether a user lacks all of CRM, or all of a type."""
        return Denial(user) in self.denials or Denial(user, type_number) in self.denials

    # --- webhooks ---

    def add_incoming(self, user: int = 1, secret: str = "", **more: Any) -> IncomingWebhook:
        """Make an incoming webhook, as in Developer resources."""
        self._webhook_id += 1
        webhook = IncomingWebhook(
            id=self._webhook_id, user=user, secret=secret or make_secret(), **more
        )
        self.incoming[webhook.secret] = webhook
        return webhook

    def add_outgoing(
        self, url: str, events: list[str] | None = None, **more: Any
    ) -> OutgoingWebhook:
        """Make an outgoing webhook; saving sends no test request [local-webhooks.md]."""
        self._webhook_id += 1
        token = more.pop("token", "") or make_secret(32)
        names = {event.upper() for event in events or ()}
        webhook = OutgoingWebhook(id=self._webhook_id, url=url, token=token, events=names, **more)
        self.outgoing[webhook.id] = webhook
        return webhook

    # --- items ---

    def add_type(self, number: int, title: str, info: Row) -> EntityType:
        """Make a smart process with one funnel."""
        entity = EntityType(number, f"dynamic_{number}", title, "dynamic")
        entity.info = info
        self.types[number], self.items[number] = entity, Table()
        self.tables["crm.type"].put(info.get("id", 0), info)
        self.directories.add_category(number, "General")
        return entity

    def next_multi_field_id(self) -> int:
        """Phones, e-mails and their like are rows of their own."""
        self._multi_field_id += 1
        return self._multi_field_id

    def add_file(self, name: str, content: str) -> int:
        """Keep an uploaded file."""
        self._file_id += 1
        self.files[self._file_id] = {"name": name, "content": content}
        return self._file_id

    def table_of(self, subject: str) -> tuple[EntityType, Table] | None:
        """The table of `deal`, `dynamic_1268`, …."""
        number = re.fullmatch(r"dynamic_(\d+)", subject)
        for entity in self.types.values():
            if entity.code == subject or (number and entity.number == int(number[1])):
                return entity, self.items[entity.number]
        return None

    # --- events ---

    def emit(self, event: str, data: Any, subject: str) -> None:
        """Queue an event for every outgoing webhook that wants it."""
        self.revision += 1
        for webhook in list(self.outgoing.values()):
            if webhook.wants(event):
                fields = partial(self._event_fields, webhook, event, data)
                self.queue(webhook, event, subject, fields)

    def queue(self, hook: OutgoingWebhook, event: str, subject: str, fields: Any) -> None:
        """Send an event, or the call of a robot, on its way."""
        self._delivery_id += 1
        self.strip.queued(self._delivery_id, event, subject, self.clock.now())
        self.outbox.put(Delivery(self._delivery_id, hook, event, subject, fields))

    def _event_fields(self, webhook: OutgoingWebhook, event: str, data: Any) -> Row:
        """Order the keys as in bodies seen on the wire; `ts` is the time of sending."""
        handler = {"event_handler_id": webhook.id} if self.settings.event_handler_id else {}
        endpoints = {
            "client_endpoint": f"https://{self.domain}/rest/",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
        }
        return {
            "event": event,
            **handler,
            "data": data,
            "ts": int(self.clock.now()),
            "auth": {
                "domain": self.domain,
                **({} if self.settings.short_event_auth else endpoints),
                "member_id": self.member_id,
                "application_token": webhook.token,
            },
        }

    def _delivered(self, delivery: Delivery) -> None:
        self.strip.sent(delivery.number, delivery.outcome, delivery.seconds, self.clock.now())

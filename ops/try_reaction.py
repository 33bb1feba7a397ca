"""A reaction's file on this machine, run for a live record: dry, or as Lambda would run it."""

import asyncio
import json
import os
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module, reload
from pathlib import Path
from typing import Any, NamedTuple

from ops.deployed import Deployed
from ops.dry_portal import DryPortal
from ops.printed import Printed
from relay.change import Change
from relay.errors import NotOursError
from relay.event import Event
from relay.portal import Portal
from relay.portal.api import Params
from relay.reaction.runner import Reaction
from relay.reaction.signature import read_signature

TIMEOUT_SECONDS = 60  # a reaction's, in the template
PACE = {
    "PORTAL_RATE": "PortalRate",
    "PORTAL_BURST": "PortalBurst",
    "PORTAL_RESERVE_PERCENT": "PortalReservePercent",
    "ALLOW_HTTP": "AllowHttp",
}


class Tried(NamedTuple):
    """What a reaction did, or would do; `error` is empty where it ended well."""

    writes: list[tuple[str, Params]]
    error: str = ""
    skipped: bool = False  # it is about other records


class LiveReaction:
    """A reaction's file, loaded anew when it was saved; exits where there is none."""

    def __init__(self, name: str) -> None:
        self._printed = Printed(name)
        try:
            with self._printed.taken():
                self._module = import_module(f"relay.reactions.{name}")
        except ModuleNotFoundError:
            folder = "src/relay/reactions"
            raise SystemExit(f"there is no {folder}/{name}.py; `make new NAME={name}`") from None
        self._name = name
        self._saved = self._time()

    def _time(self) -> float:
        return Path(str(self._module.__file__)).stat().st_mtime

    def _load(self) -> Reaction:
        if (saved := self._time()) != self._saved:
            self._module, self._saved = reload(self._module), saved
        found = getattr(self._module, self._name)
        if not isinstance(found, Reaction):
            raise SystemExit(f"{self._name} in its file is no @reaction")
        return found

    def try_dry(self, body: str, portal_of: Callable[[str], Portal]) -> Tried:
        """Run it for a message; it reads the portal and lists what it would write."""
        with self._printed.taken():
            return self._try_dry(body, portal_of)

    def _try_dry(self, body: str, portal_of: Callable[[str], Portal]) -> Tried:
        try:
            reaction = self._load()
            record_type, wants_portal = read_signature(getattr(reaction, "__wrapped__"))  # noqa: B009
            record: Change | Event = record_type.from_cloudevent(json.loads(body))
        except NotOursError:
            return Tried([], skipped=True)
        except Exception as error:  # noqa: BLE001  a file that is being written
            return Tried([], _told(error))
        portal = DryPortal(portal_of(record.portal)) if wants_portal else None
        try:
            asyncio.run(_call(reaction, record, portal))
        except Exception as error:  # noqa: BLE001  the reaction's own
            return Tried(portal.writes if portal else [], _told(error))
        return Tried(portal.writes if portal else [])

    def run(self, message: Mapping[str, Any], queue: str) -> Tried:
        """Run its handler for a message, each write once; what fails comes back into the queue."""
        try:
            with self._printed.taken():
                answer = self._load().handler({"Records": [_lambda_record(message)]}, _Context())
        except Exception as error:  # noqa: BLE001  the reaction's own, or AWS's
            return Tried([], _told(error))
        waits = bool(answer["batchItemFailures"])
        return Tried([], f"it comes back into {queue}" if waits else "")


async def _call(reaction: Reaction, record: Change | Event, portal: DryPortal | None) -> None:
    await reaction(*([record, portal] if portal else [record]))


def _told(error: BaseException) -> str:
    """Return an error with the line of the reaction that it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if "reactions" in Path(one.filename).parts]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


class _Context:
    """The time that Lambda would give."""

    aws_request_id = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole timeout: each record is a batch of its own."""
        return TIMEOUT_SECONDS * 1000


def _lambda_record(message: Mapping[str, Any]) -> dict[str, object]:
    """Return a received message in the shape that Lambda hands over."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def set_environment(stack: Deployed, queue: str) -> None:
    """Give this process the environment of a deployed reaction, with `queue` as its queues."""
    os.environ |= {variable: stack.parameters[name] for variable, name in PACE.items()} | {
        "SECRETS_PREFIX": stack.outputs["SecretsPrefix"],
        "STATE_TABLE": stack.resource("StateTable"),
        "HISTORY_TABLE": stack.resource("History"),
        "MIRROR_TABLE": stack.resource("Mirror"),
        "QUEUE_URL": queue,
        "DEAD_LETTERS_URL": queue,
        "POWERTOOLS_METRICS_DISABLED": "true",
    }

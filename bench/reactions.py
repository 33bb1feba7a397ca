"""What does doing things once cost, and does it hold? 1,000 changes, two dependent writes each.

The reaction makes a task and then something that names it: a comment (nothing of it can be looked
for) or a deal (it can). Portal and table are in memory; time is turned on where records wait. The
processor time is taken with a DynamoDB that answers over HTTP from a process of its own.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote_plus

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "SECRETS_PREFIX": "/relay/bench",
    "STATE_TABLE": "State",
    "QUEUE_URL": "queue",
    "DEAD_LETTERS_URL": "dead",
}

from botocore.exceptions import EndpointConnectionError
from rich.console import Console
from rich.table import Table

from bench.ingress import BARE
from local.aws import credentials
from local.emulator import RUNTIME, Emulator
from ops.build import BUILD, ROOT, build
from relay import portal_clients, settings
from relay.change import Change, Fields
from relay.errors import MayHaveRunError, PermanentError
from relay.portal import Portal, retry, sending, webhook_state
from relay.portal.answers import Answer
from relay.reaction import Reaction
from tests.dynamo import Dynamo

CHANGES, BATCH, ROUNDS = 1000, 100, 60
LEASE_SECONDS = 200
INITS = 5
CREATED = "2030-01-01T00:00:00+00:00"
DUMB = """
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        get = self.headers["x-amz-target"].endswith("BatchGetItem")
        body = b'{"Responses": {"State": []}}' if get else b"{}"
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(server.server_port, flush=True)
server.serve_forever()
"""


async def with_comment(change: Change, portal: Portal) -> None:
    """Make a task, and a comment that names it."""
    fields = {"TITLE": f"Call deal {change.id}", "RESPONSIBLE_ID": 1}
    task = await portal.call("tasks.task.add", fields=fields)
    comment = {
        "ENTITY_TYPE": "deal",
        "ENTITY_ID": change.id,
        "COMMENT": f"Task {task['task']['id']}",
    }
    await portal.call("crm.timeline.comment.add", fields=comment)


async def with_deal(change: Change, portal: Portal) -> None:
    """Make a task, and a deal that names it."""
    fields = {"TITLE": f"Call deal {change.id}", "RESPONSIBLE_ID": 1}
    task = await portal.call("tasks.task.add", fields=fields)
    deal = {"title": f"After {change.id}, {task['task']['id']}"}
    await portal.call("crm.item.add", entityTypeId=2, fields=deal)


class World:
    """The portal, the table and the queues, and what goes wrong."""

    def __init__(self) -> None:
        self.table, self.tasks, self.requests, self.offset = Dynamo(), {}, 0, 0.0
        self.others: dict[tuple[str, str], tuple[int, str]] = {}
        self.made: Counter[str] = Counter()
        self.dead: list[str] = []
        self.killed = False
        self.lose: Callable[[], bool] = lambda: False
        self.kill: Callable[[], bool] = lambda: False

    def exchange(self, _known: Any, method: str, body: bytes, _seconds: float) -> Answer:
        """Answer one request of the client."""
        if self.killed:
            raise PermanentError(method, "KILLED")
        self.requests += 1
        given = json.loads(body)
        if method == "batch":
            results = {}
            for key, text in given["cmd"].items():
                name, _, query = text.partition("?")
                flat = {unquote_plus(k): v for k, v in parse_qsl(query, keep_blank_values=True)}
                results[key] = self._run(name, flat)
            result: Any = {"result": results, "result_error": [], "result_time": {}}
        else:
            flat = {f"fields[{k}]": v for k, v in given.get("fields", {}).items()}
            flat |= {f"filter[{k}]": v for k, v in given.get("filter", {}).items()}
            result = self._run(method, flat)
        if self.kill():
            self.killed = True
            self.table.trouble = dict.fromkeys(
                ("BatchWriteItem", "TransactWriteItems"),
                EndpointConnectionError(endpoint_url="none"),
            )
            raise PermanentError(method, "KILLED")
        if self.lose():
            raise MayHaveRunError(method, "TIMEOUT")
        return Answer(result)

    def _run(self, method: str, given: dict[str, Any]) -> Any:
        if method == "tasks.task.list":
            found = self.tasks.get(given["filter[TITLE]"], [])
            return {
                "tasks": [
                    task for task in found if int(task["id"]) > int(given.get("filter[>ID]", 0))
                ]
            }
        if method == "crm.item.list":
            found = self.others.get(("deal", given["filter[=originId]"]))
            after = int(given.get("filter[>id]", 0))
            return {"items": [{"id": found[0]}] if found and found[0] > after else []}
        number = sum(self.made.values()) + 1
        self.made[method] += 1
        if method == "tasks.task.add":
            title = given["fields[TITLE]"]
            task = {"id": str(number), "title": title, "xmlId": given["fields[XML_ID]"]}
            self.tasks.setdefault(title, []).append(task | {"createdDate": CREATED})
            return {"task": task}
        if method == "crm.item.add":
            self.others["deal", given["fields[originId]"]] = number, given["fields[title]"]
            return {"item": {"id": number}}
        return number

    def send_message(self, *, MessageBody: str, **_: Any) -> None:  # noqa: N803  boto3's name
        """Take a dead letter."""
        if not self.killed:
            self.dead.append(json.loads(MessageBody)["id"])

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        """Let records wait."""
        return {}

    def take(self, _latest: float) -> float:
        """Give a slot at once."""
        return time.time()

    def refused(self) -> None:
        """Take note of nothing."""


@contextmanager
def _joined(world: World, dynamodb: Any = None) -> Iterator[None]:
    real = time.time
    clients = {"sqs": world, "dynamodb": dynamodb or world.table}
    url = "https://bench.bitrix24.com/rest/1/benchsecret/"
    with (
        patch.object(settings, "client", lambda service: clients[service]),
        patch.object(settings, "webhook_url", lambda *_: url),
        patch.object(portal_clients, "_slots", lambda _name: world),
        patch.object(sending, "exchange", world.exchange),
        patch.object(retry, "TRIES", 1),  # its pauses would only take time here
        patch("time.time", lambda: real() + world.offset),
    ):
        webhook_state.forget()
        yield


def _records() -> list[dict[str, Any]]:
    changes = [
        Change(
            change_id=f"main.deal.{number}.b.2",
            portal="main",
            entity="deal",
            entity_type_id=2,
            id=str(number),
            action="updated",
            version=2,
            time="2026-03-01T12:00:00.000+00:00",
            changed=("stageId",),
            before=Fields(stageId="NEW"),
            after=Fields(stageId="WON", title=f"Deal {number}", assignedById=1),
        )
        for number in range(CHANGES)
    ]
    return [
        {
            "messageId": change.change_id,
            "receiptHandle": change.change_id,
            "body": change.to_json(),
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        for change in changes
    ]


def _run(react: Any, world: World, deliveries: int = 1) -> None:
    """Deliver everything, and what comes back until nothing does."""
    subject = Reaction(react)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    waiting = _records()
    rest = deliveries - 1
    for _ in range(ROUNDS):
        left: list[dict[str, Any]] = []
        for at in range(0, len(waiting), BATCH):
            part = waiting[at : at + BATCH]
            answer = subject.handler({"Records": part}, context)
            back = {its["itemIdentifier"] for its in answer["batchItemFailures"]}
            if world.killed:
                back = {record["messageId"] for record in part}
                world.killed, world.table.trouble = False, {}
            left += [record for record in part if record["messageId"] in back]
        if rest:
            left, rest = _records(), rest - 1
        if not left:
            return
        waiting = left
        world.offset += LEASE_SECONDS
    raise RuntimeError(f"{len(waiting)} records still wait")


def _cpu() -> float:
    """Return the milliseconds of processor time of a change, botocore and all."""
    with subprocess.Popen(  # noqa: S603  our own text
        [sys.executable, "-c", DUMB], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout  # noqa: S101  it is piped
            port = int(server.stdout.readline())
            with patch.dict(os.environ, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}):
                table = settings.client("dynamodb")
                spent = []
                for _ in range(5):
                    world = World()
                    with _joined(world, table):
                        begun = time.process_time()
                        _run(with_comment, world)
                        spent.append((time.process_time() - begun) * 1000 / CHANGES)
            return statistics.median(spent)
        finally:
            server.kill()


def _inits() -> tuple[float, float]:
    """Return the milliseconds of a bare function's init with one client, and of a reaction's."""
    build("local", quiet=True)
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        artefact = Path(folder) / "artefact"
        shutil.copytree(BUILD / "GreetContactFunction", artefact)
        (artefact / "bare.py").write_text(BARE)
        for target in (artefact, ROOT / ".venv-lambda" / "lib"):
            compiled = [RUNTIME, "-m", "compileall", "-qq", target]
            subprocess.run(compiled, check=False, capture_output=True)  # noqa: S603  our own files
        variables = {
            **credentials("http://127.0.0.1:9"),
            "SECRETS_PREFIX": "/relay/bench",
            "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
            "STATE_TABLE": "State",
        }
        for _ in range(INITS):
            for handler, event, spent in (
                ("bare.handler", {}, bare),
                ("relay.reactions.greet_contact.handler", {"Records": []}, ours),
            ):
                with Emulator(handler, variables, artefact) as emulator:
                    emulator.invoke(event)
                    spent.append(emulator.init_milliseconds())
    return statistics.median(bare), statistics.median(ours)


def main() -> None:
    """Measure and print the table."""
    table = Table(title=f"{CHANGES} changes, two dependent writes each, batches of {BATCH}")
    for column in ("", "tasks", "second writes", "dead letters", "requests"):
        table.add_column(column, justify="right" if column else "left")
    generator = random.Random(7)
    with Path(os.devnull).open("w") as nothing:
        for second, react in (("comment", with_comment), ("deal", with_deal)):
            for name in ("delivered once", "delivered three times", "killed", "answers lost"):
                world = World()
                if name == "killed":
                    world.kill = lambda: generator.random() < 0.2  # noqa: PLR2004
                if name == "answers lost":
                    world.lose = lambda: generator.random() < 0.2  # noqa: PLR2004
                with _joined(world), patch("sys.stdout", nothing):
                    _run(react, world, 3 if name == "delivered three times" else 1)
                others = sum(world.made.values()) - world.made["tasks.task.add"]
                figures = (world.made["tasks.task.add"], others, len(world.dead), world.requests)
                table.add_row(f"{name}, task and {second}", *map(str, figures))
        with patch("sys.stdout", nothing):
            cpu = _cpu()
    console = Console()
    console.print(table)
    bare, ours = _inits()
    console.print(
        f"init: a bare function with one client {bare:.0f} ms, a reaction {ours:.0f} ms, "
        f"{ours / bare:.2f} x"
    )
    console.print(f"processor time of a change, DynamoDB's client and all: {cpu:.2f} ms")


if __name__ == "__main__":
    main()

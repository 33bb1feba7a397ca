"""What does doing things once cost, and does it hold? 1,000 changes, two dependent writes each.

The reaction makes a task and then something that names it: a comment (nothing of it can be looked
for) or a deal (it can). Portal and table are the simulated ones; the function's clock is turned on
where records wait. The processor time is taken with a DynamoDB of fixed answers.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

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
    "ALLOW_HTTP": "true",
}

from botocore.exceptions import EndpointConnectionError
from rich.console import Console
from rich.table import Table

from bench.cold_starts import cold_start, compiled_copy
from bench.unlucky_requests import UnluckyRequests
from local.aws import LocalAws, credentials
from local.demo import DemoPortal
from local.ordeal import listing
from ops.build import build
from relay import settings
from relay.change import Change, Fields
from relay.portal import PortalApi, retry, sending, webhook_state
from relay.reaction import Reaction, resolver

CHANGES, BATCH, ROUNDS = 1000, 100, 60
LEASE_SECONDS = 200
INITS = 5
UNHAPPY = 0.2  # share of the requests with a create
FIXED_ANSWERS = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
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
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

type React = Callable[[Change, PortalApi], Any]


async def with_comment(change: Change, portal: PortalApi) -> None:
    """Make a task, and a comment that names it."""
    fields = {"TITLE": f"Call deal {change.id}", "RESPONSIBLE_ID": 1}
    task = await portal.call("tasks.task.add", fields=fields)
    comment = {
        "ENTITY_TYPE": "deal",
        "ENTITY_ID": change.id,
        "COMMENT": f"Task {task['task']['id']}",
    }
    await portal.call("crm.timeline.comment.add", fields=comment)


async def with_deal(change: Change, portal: PortalApi) -> None:
    """Make a task, and a deal that names it."""
    fields = {"TITLE": f"Call deal {change.id}", "RESPONSIBLE_ID": 1}
    task = await portal.call("tasks.task.add", fields=fields)
    deal = {"title": f"After {change.id}, {task['task']['id']}"}
    await portal.call("crm.item.add", entityTypeId=2, fields=deal)


@contextmanager
def _joined(webhook_url: str, requests: UnluckyRequests, dynamodb: Any) -> Iterator[None]:
    """Let reactions use this portal and this DynamoDB, with a clock that can be turned on."""
    real = time.time
    clients = {"sqs": requests, "dynamodb": dynamodb}
    with (
        patch.object(settings, "client", lambda service: clients[service]),
        patch.object(settings, "webhook_url", lambda *_: webhook_url),
        patch.object(resolver, "shared_slots", lambda _name: requests),
        patch.object(sending, "exchange", requests.exchange),
        patch.object(retry, "MAX_TRIES", 1),  # its pauses would only take time here
        patch("time.time", lambda: real() + requests.seconds_ahead),
    ):
        webhook_state.forget()
        yield


def _new_table(aws: LocalAws, requests: UnluckyRequests) -> Any:
    """Return a client of an empty State table; a killed function can't write to it."""
    dynamodb = aws.client("dynamodb")
    if dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName="State")
    dynamodb.create_table(
        TableName="State",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def refuse(**_: Any) -> None:
        if requests.is_killed:
            raise EndpointConnectionError(endpoint_url="none")

    for operation in ("BatchWriteItem", "TransactWriteItems"):
        dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", refuse)
    return dynamodb


def _records(ids: list[int], born: str) -> list[dict[str, Any]]:
    changes = [
        Change(
            change_id=f"main.deal.{number}.{born}.2",
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
        for number in ids
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


def _deliver(react: React, ids: list[int], requests: UnluckyRequests, deliveries: int = 1) -> None:
    """Deliver a change of each deal so often, and what comes back until nothing does."""
    subject = Reaction(react)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    # Ids of their own: else a lookup finds what an earlier run has made in the same portal.
    records = _records(ids, str(time.monotonic_ns()))
    waiting = records
    for number in range(1, ROUNDS + 1):
        left: list[dict[str, Any]] = []
        for at in range(0, len(waiting), BATCH):
            part = waiting[at : at + BATCH]
            answer = subject.handler({"Records": part}, context)
            back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            left += [one for one in part if requests.is_killed or one["messageId"] in back]
            requests.is_killed = False
        waiting = records if number < deliveries else left
        if not waiting:
            return
        requests.seconds_ahead += LEASE_SECONDS
    raise RuntimeError(f"{len(waiting)} records still wait")


def _cpu(webhook_url: str, ids: list[int]) -> float:
    """Return the milliseconds of processor time of a change, with AWS's and the portal's client."""
    command = [sys.executable, "-c", FIXED_ANSWERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            assert server.stdout  # noqa: S101  it is piped
            port = int(server.stdout.readline())
            with patch.dict(os.environ, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}):
                table = settings.client("dynamodb")
            spent = []
            for _ in range(5):
                requests = UnluckyRequests()
                with _joined(webhook_url, requests, table):
                    begun = time.process_time()
                    _deliver(with_comment, ids, requests)
                    spent.append((time.process_time() - begun) * 1000 / CHANGES)
            return statistics.median(spent)
        finally:
            server.kill()


def _inits() -> tuple[float, float]:
    """Return the milliseconds of a bare function's init with one client, and of a reaction's."""
    build("local", quiet=True)
    variables = {
        **credentials("http://127.0.0.1:9"),
        "SECRETS_PREFIX": "/relay/bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
        "STATE_TABLE": "State",
    }
    handlers = ("bare.handler", "relay.reactions.greet_contact.handler")
    with compiled_copy("GreetContactFunction") as artefact:
        rounds = [
            [cold_start(handler, {"Records": []}, variables, artefact)[0] for handler in handlers]
            for _ in range(INITS)
        ]
    bare, reaction = zip(*rounds, strict=True)
    return statistics.median(bare), statistics.median(reaction)


def _made(portal: DemoPortal) -> tuple[int, int]:
    """Return the numbers of tasks and deals in the portal, whatever was answered."""
    return len(listing.tasks(portal)), len(listing.deals(portal))


def _chance(generator: random.Random, share: float) -> bool:
    return generator.random() < share


def main() -> None:
    """Measure and print the table."""
    table = Table(title=f"{CHANGES} changes, two dependent writes each, batches of {BATCH}")
    for column in ("", "tasks", "second writes", "dead letters", "requests"):
        table.add_column(column, justify="right" if column else "left")
    generator = random.Random(7)
    with (
        LocalAws() as aws,
        DemoPortal(plan="unlimited") as portal,
        Path(os.devnull).open("w") as nothing,
        redirect_stdout(nothing),
    ):
        url = portal.state["webhook_url"]
        ids: list[int] = portal.admin("seed", deals=CHANGES, events=False)["deals"]
        for second, react in (("comment", with_comment), ("deal", with_deal)):
            for name in ("delivered once", "delivered three times", "killed", "answers lost"):
                requests = UnluckyRequests(
                    loses_answer=partial(_chance, generator, UNHAPPY * (name == "answers lost")),
                    kills_function=partial(_chance, generator, UNHAPPY * (name == "killed")),
                )
                before = _made(portal)
                with _joined(url, requests, _new_table(aws, requests)):
                    _deliver(react, ids, requests, 3 if name == "delivered three times" else 1)
                tasks, deals = (now - then for now, then in zip(_made(portal), before, strict=True))
                comments = requests.ran["crm.timeline.comment.add"]
                figures = (tasks, deals + comments, len(requests.dead_letters), requests.requests)
                table.add_row(f"{name}, task and {second}", *map(str, figures))
        cpu = _cpu(url, ids)
    console = Console()
    console.print(table)
    bare, reaction = _inits()
    console.print(
        f"init: a bare function with one client {bare:.0f} ms, a reaction {reaction:.0f} ms, "
        f"{reaction / bare:.2f} x"
    )
    console.print(f"processor time of a change, both clients and all: {cpu:.2f} ms")


if __name__ == "__main__":
    main()

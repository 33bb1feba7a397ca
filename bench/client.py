"""The portal client beside its peers, on the simulated portal: `python -m bench.client`.

Each line is the same work by one client in processes of its own, started together; every request
takes 100 ms. "lost" is work that a client gave up after its own retries.
"""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from local.aws import LocalAws, client, credentials
from local.demo import DemoPortal
from relay.portal import Webhook
from relay.state_table import key, slots_key

ROOT = Path(__file__).parents[1]
CLIENTS = {"relay": ("relay_client", ".venv"), "requests": ("plain", ".venv-peers")}
CLIENTS |= {"b24pysdk": ("pysdk", ".venv-peers"), "fast-bitrix24": ("fast", ".venv-peers")}
LATENCY_SECONDS = 0.1
LONGEST_SECONDS = 400


@dataclass(frozen=True)
class Work:
    """A piece of work: so many processes do it `count` times each on a portal of this plan.

    `full`: the bucket of requests is full at the start. `wanted`: limits on the relay's figures.
    """

    name: str
    work: str
    processes: int
    count: int
    plan: str = "standard"
    full: bool = False
    deals: int = 0
    wanted: dict[str, float] = field(default_factory=dict)  # at most, of ours


WORKS = [
    Work("50 processes, 200 single reads", "one_by_one", 50, 4, wanted={"503": 0, "lost": 0}),
    Work("the same, bucket full", "one_by_one", 50, 4, full=True, wanted={"503": 0, "lost": 0}),
    Work("200 waiting reads", "together", 1, 200, wanted={"requests": 4}),
    Work("1,000 ids of a list", "by_ids", 1, 1000, deals=2500, wanted={"requests": 1}),
    Work("2,500 ids of a list", "by_ids", 1, 2500, deals=2500, wanted={"requests": 1}),
    Work("a list of 10,000", "everything", 1, 0, "unlimited", deals=10_000, wanted={"requests": 5}),
    Work(
        "1,000 x two dependent writes", "reactions", 10, 100, "unlimited", wanted={"requests": 40}
    ),
]


def prepare(work: Work, at: dict[str, str]) -> dict[str, int]:
    """Fill the portal and its bucket; return the counters at the start of a run."""
    admin = at["portal_url"].rstrip("/") + "/admin/"
    if work.deals:
        requests.post(
            f"{admin}seed", json={"deals": work.deals - 12}, timeout=60
        ).raise_for_status()
    if work.full:
        with requests.Session() as session:
            while session.post(f"{at['webhook_url']}profile", timeout=9).ok:
                pass
    slow = {"kind": "slow", "seconds": LATENCY_SECONDS}
    requests.post(f"{admin}faults", json=slow, timeout=9).raise_for_status()
    return counters(at)


def counters(at: dict[str, str]) -> dict[str, int]:
    """Return the portal's counters of requests."""
    state = requests.get(at["portal_url"].rstrip("/") + "/admin/state", timeout=9).json()
    counted: dict[str, int] = state["counters"]
    return counted


def run(name: str, work: Work, endpoint: str) -> dict[str, Any]:
    """Let one client do one work; return its figures by name."""
    module, folder = CLIENTS[name]
    with DemoPortal(plan=work.plan) as portal:
        at = portal.state
        webhook = Webhook.parse(at["webhook_url"], allow_http=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": "src:.",
            "WEBHOOK": at["webhook_url"],
            "DOMAIN": at["portal_https"].replace("127.0.0.1", "localhost"),
            "TOKEN": f"{webhook.user_id}/{webhook.secret}",
            "REQUESTS_CA_BUNDLE": at["portal_ca"],
        } | credentials(endpoint)
        if name == "relay" and work.processes > 1:
            environment["TABLE"] = new_table(endpoint, empty=not work.full)
        command = [f"{folder}/bin/python", "-m", "bench.workers"]
        command += [module, work.work, str(work.count)]
        workers = [_worker(command, environment) for _ in range(work.processes)]
        stop = threading.Timer(LONGEST_SECONDS, _kill, [workers])
        stop.start()
        try:
            for worker in workers:
                _await_ready(worker)
            before = prepare(work, at)
            began = time.monotonic()
            for worker in workers:
                _let_go(worker)
            outputs = [worker.communicate()[0].strip().splitlines() for worker in workers]
            seconds = time.monotonic() - began
        finally:
            stop.cancel()
            _kill(workers)
        after = counters(at)
    reports = [json.loads(lines[-1]) for lines in outputs if lines]
    expected = work.processes * work.count if work.work != "everything" else work.deals
    for trouble in {one["trouble"] for one in reports if one["trouble"]}:
        print(f"{name}: {trouble}", file=sys.stderr)
    return {
        "requests": after["requests"] - before["requests"],
        "503": after["refused"] - before["refused"],
        "lost": expected - sum(one["done"] for one in reports),
        "seconds": seconds,
        "cpu": sum(one["cpu"] for one in reports),
        "peak": max((one["peak"] for one in reports), default=0),
        "cpu_each": sum(one["cpu"] for one in reports) * 1000 / expected,
    }


def _worker(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  our own command
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _await_ready(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None  # noqa: S101  it is a pipe
    worker.stdout.readline()


def _let_go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None  # noqa: S101  it is a pipe
    worker.stdin.write("go\n")
    worker.stdin.flush()


def _kill(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.kill()


def new_table(endpoint: str, *, empty: bool) -> str:
    """Make a table for the request slots, empty or with an empty bucket; return its name."""
    name = f"slots-{time.monotonic_ns()}"
    dynamodb = client(endpoint, "dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    if empty:
        row = {**key(slots_key("bench")), "empty_at": {"N": "1"}}
        dynamodb.put_item(TableName=name, Item=row)
    return name


def main(chosen: list[str]) -> int:
    """Run all works and clients, or the named ones; return 1 where the relay misses a figure.

    `python -m bench.client 0 6 relay`: works by their numbers, clients by their names.
    """
    numbers = {int(one) for one in chosen if one.isdecimal()} or set(range(len(WORKS)))
    names = [name for name in CLIENTS if name in chosen] or list(CLIENTS)
    table = Table(title="the portal client (100 ms a request; burst 50, 2 requests a second)")
    heads = (
        "work",
        "client",
        "requests",
        "503",
        "lost",
        "seconds",
        "CPU s",
        "ms CPU each",
        "peak MB",
    )
    for head in heads:
        table.add_column(head, justify="left" if head in {"work", "client"} else "right")
    missed: list[str] = []
    with LocalAws() as aws:
        for number, work in enumerate(WORKS):
            if number not in numbers:
                continue
            for name in names:
                figures = run(name, work, aws.endpoint)
                print(f"{work.name}, {name}: {figures['seconds']:.1f} s", file=sys.stderr)
                table.add_row(
                    work.name if name == names[0] else "",
                    name,
                    *(str(figures[head]) for head in ("requests", "503", "lost")),
                    f"{figures['seconds']:.1f}",
                    f"{figures['cpu']:.2f}",
                    f"{figures['cpu_each']:.3f}",
                    f"{figures['peak']:.0f}",
                )
                if name == "relay":
                    missed += [
                        f"{work.name}: {figures[head]} {head}, at most {most} wanted"
                        for head, most in work.wanted.items()
                        if figures[head] > most
                    ]
            table.add_section()
    Console(width=130).print(table)
    print("\n".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Other people's clients, unpatched, are the judges: they do with ours what they always do."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from local.portal.server import PortalServer

ROOT = Path(__file__).parents[3]
PEERS = ROOT / "tests" / "peers"
PYTHON = str(ROOT / ".venv-peers" / "bin" / "python")
DEALS = 130  # three pages
TIGHT = {
    "burst": 6,
    "rate": 8.0,
}  # less than the clients allow themselves: they must wait and repeat


@pytest.fixture
def portal():
    """Start a portal with three pages of deals for each client: they change what they find."""
    with PortalServer(https_port=0, secret="peers1234") as server:
        deals = server.portal.items[2]
        for number in range(len(deals) + 1, DEALS + 1):
            deals.put(number, dict(deals.rows[1], id=number))
        yield server


def judge(server, *command, **environment):
    """Run a client's program and read what it was told."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(  # noqa: S603  our own programs
        command,
        cwd=PEERS,
        env=plain | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    calls = [row for row in server.portal.activity.calls if row["status"] >= 500]
    assert done.returncode == 0, done.stderr[-2000:] + str(calls)
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_b24pysdk(portal):
    """The vendor's Python client: create, get, update, its three lists, batches, errors."""
    report = judge(
        portal,
        PYTHON,
        "pysdk.py",
        DOMAIN=f"localhost:{portal.https_port}",
        TOKEN="1/peers1234",
        REQUESTS_CA_BUNDLE=portal.ca_file,
    )
    assert report == {
        "added": DEALS + 1,
        "got": "5.00",
        "updated": True,
        "item": "changed",
        "list": DEALS + 1,
        "list fast": DEALS + 1,
        "items": DEALS + 1,
        "by ids": 3,
        "batch": "changed",
        "batches": 60,
        "task": "3",
        "task got": "x",
        "deleted": True,
        "missing": "NOT_FOUND",
        "not for webhooks": "AccessException",
        "time": True,
    }


def test_b24pysdk_at_the_limits(portal):
    """429 comes up at once; a 503 is waited for, and the call then works."""
    limits = {"burst": 4, "rate": 2.0, "operating_limit": 1.0, "operating_cost": 0.6}
    portal.portal.settings.change(limits)
    report = judge(
        portal,
        PYTHON,
        "pysdk_limits.py",
        DOMAIN=f"localhost:{portal.https_port}",
        TOKEN="1/peers1234",
        REQUESTS_CA_BUNDLE=portal.ca_file,
    )
    assert report == ["1", "1", "OPERATION_TIME_LIMIT", "1", "1", True, True]
    assert portal.portal.bucket.refused >= 1


@pytest.mark.parametrize("tight", [False, True])
def test_fast_bitrix24(portal, tight):
    """fast-bitrix24 over plain http: calls, lists, batches, errors; all of it behind 503 too."""
    if tight:
        portal.portal.settings.change(TIGHT)
    report = judge(portal, PYTHON, "fast.py", WEBHOOK=portal.webhook_url)
    number = DEALS + 1
    assert report == {
        "added": number,
        "got": "fast & free",
        "updated": True,
        "all": number,
        "items": number,
        "users": 4,
        "tasks": 2,
        "by id": sorted(["1", "2", str(number)]),
        "list and get": number,
        "calls": True,
        "batch": "changed",
        "raw": "deal 1",
        "deleted": True,
        "refused": True,
    }
    assert (portal.portal.bucket.refused > 0) is tight


@pytest.mark.parametrize("tight", [False, True])
def test_b24jssdk(portal, tight):
    """The vendor's JavaScript client: items, lists, batches, errors; all of it behind 503 too."""
    if tight:
        portal.portal.settings.change(TIGHT)
    report = judge(
        portal,
        "node",
        "jssdk.mjs",
        WEBHOOK=f"https://localhost:{portal.https_port}{portal.webhook.path()}".rstrip("/"),
        NODE_EXTRA_CA_CERTS=portal.ca_file,
    )
    assert report == {
        "added": DEALS + 1,
        "got": 5,
        "updated": "changed",
        "callList": DEALS + 1,
        "fetchList": DEALS + 1,
        "batch": "changed",
        "listed": 2,
        "chunks": 60,
        "task": "x",
        "comment": 1,
        "deleted": [],
        "missing": ["NOT_FOUND"],
        "ping": True,
    }
    assert (portal.portal.bucket.refused > 0) is tight

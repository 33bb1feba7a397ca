"""The local stack, started once for all end-to-end tests, on ports of its own."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from local.aws import LocalAws
from local.changes import Changes
from local.demo import DemoPortal
from local.run import connect
from local.stack import Stack, deploy

FORM = "application/x-www-form-urlencoded"
PARAMETERS = {"PortalRate": "20", "PortalBurst": "500", "Forward": "all"}
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
expect.set_options(timeout=20_000)  # a busy machine is no fault of the page


@dataclass(frozen=True)
class Relay:
    """Everything that `make run` starts."""

    aws: LocalAws
    portal: DemoPortal
    stack: Stack
    token: str
    parameters: dict[str, str]

    def post(self, body, content_type=FORM, method="POST"):
        """Return status and JSON of a request to the hook."""
        request = urllib.request.Request(  # noqa: S310
            self.stack.hook_url, data=body, headers={"content-type": content_type}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310  8 at once
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or b"{}")

    def messages(self, queue):
        """Return how many messages a queue of the template holds, waiting and being handled."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.resources[queue], AttributeNames=names
        )
        return sum(int(asked["Attributes"][name]) for name in names)

    def is_announced(self, deal):
        """Return whether the log names a Change of a deal."""
        return (
            re.search(rf'"main\.deal\.{deal}\.\w+\.\d', self.log(f"main.deal.{deal}.")) is not None
        )

    def log(self, text=""):
        """Return what the functions have logged; who waits for a text gets its lines alone.

        ministack gives 10,000 lines at a time. To ask for all of them again and again holds it up.
        """
        logs, group = self.aws.client("logs"), self.stack.outputs["LogGroup"]
        lines, since = {}, 0
        while True:
            asked = {"logGroupName": group, "startTime": since}
            found = logs.filter_log_events(**asked, filterPattern=text and f'"{text}"')["events"]
            new = {(e.get("logStreamName"), e["timestamp"], e["message"]): None for e in found}
            if new.keys() <= lines.keys():
                return "".join(message for _, _, message in lines)
            lines |= new
            since = max(at for _, at, _ in lines)


def signed(relay, name, item_id):
    """Return the body of an event as the portal signs it."""
    return (
        f"event={name}&event_handler_id=1&data%5BFIELDS%5D%5BID%5D={item_id}&ts=1766047124"
        f"&auth%5Bdomain%5D=demo.bitrix24.example&auth%5Bapplication_token%5D={relay.token}"
    ).encode()


def wait_until(condition, seconds=20.0):
    """Return what a condition returns as soon as it is true; fails with its last value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(0.05)
    return found


def wait_for_all(count, whole, seconds=60.0):
    """Wait until a count is whole; fails where it stands still for so long, however slow it is."""
    best, until = None, time.monotonic() + seconds
    while (found := count()) < whole:
        if best is None or found > best:
            best, until = found, time.monotonic() + seconds
        assert time.monotonic() < until, f"still {found} of {whole} after {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def relay():
    """Return the deployed bundle, joined to a simulated portal, under its functions' own rights."""
    with LocalAws(enforce_iam=True) as aws, DemoPortal() as portal:
        try:
            stack = deploy(aws, **PARAMETERS)
        except subprocess.CalledProcessError as failed:
            pytest.fail(f"{failed.stdout}{failed.stderr}")
        portal.admin("settings", "PATCH", burst=0)  # other tests are about its limits
        yield Relay(aws, portal, stack, connect(aws, portal, stack), PARAMETERS)


@pytest.fixture(scope="module")
def browser():
    """Start the system's chromium once a module."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "chromium is not installed; `make judges` installs it or says how"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def changes(relay, request):
    """Return the function that takes what was announced since the last time."""
    name = f"changes-{request.module.__name__.rpartition('.')[2]}"
    announced = Changes(relay.aws, relay.stack, name)
    yield lambda: list(announced.new(wait_seconds=1))
    announced.close()


@pytest.fixture
def await_until() -> Any:
    """Return the function that waits for a condition."""
    return wait_until


@pytest.fixture
def without_topic(relay):
    """Let ingress publish on a missing topic, as if SNS failed."""
    functions = relay.aws.client("lambda")
    name = relay.stack.resources["IngressFunction"]
    right = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wrong = right | {"EVENTS_TOPIC_ARN": right["EVENTS_TOPIC_ARN"] + "-gone"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": wrong})
    yield
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": right})

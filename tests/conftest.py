"""What every suite needs: an environment of its own and the sample events."""

import json
import logging
import os
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# Powertools' Metrics reads it when a module is imported; without it nothing could be counted.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Relay/test"

settings.register_profile("quick", max_examples=20, database=None)  # of `make unit`

TOKEN = "faketoken0faketoken1faketoken200"
EVENTS = Path(__file__).parents[1] / "events"
DATA = Path(__file__).parent / "data"


class FileScheduling(LoadFileScheduling):
    """A worker runs whole files; one worker runs all that share the local stack."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return "tests/e2e" if file.startswith("tests/e2e/test_") else file


def pytest_xdist_make_scheduler(config, log):
    """Hand the files out in their order, so the longest, those of tests/e2e, begin first."""
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


def pytest_xdist_auto_num_workers(config):
    """Return how many workers `-n auto` starts: one more for the local stack, which waits."""
    cores = min(4, max(2, os.process_cpu_count()))
    return cores if all(path.startswith("tests/unit") for path in config.args) else cores + 1


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set what the template sets, and no way to a real AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "SECRETS_PREFIX": "/relay/test",
    }.items():
        monkeypatch.setenv(name, value)


class Stdout:
    """Whatever stands for stdout when something is written."""

    def write(self, text):
        """Write where the running test reads."""
        return sys.stdout.write(text)

    def flush(self):
        """Leave it to stdout."""


@pytest.fixture(autouse=True)
def logs_on_stdout(monkeypatch):
    """Let Powertools' loggers, made when modules were imported, write to where the test reads."""
    for logger in logging.Logger.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", []):
            if isinstance(handler.formatter, LambdaPowertoolsFormatter):
                monkeypatch.setattr(handler, "stream", Stdout())


@pytest.fixture
def load_event():
    """Return the function that reads a sample invocation of `events/` by its name."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def catalogue():
    """Return the 213 documented events with their sample data."""
    return json.loads((DATA / "events.json").read_text("utf-8"))


def flat(value, name):
    """Return the (name, text) pairs with which PHP's http_build_query writes a nested value."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in flat(item, f"{name}[{key}]")]
    if isinstance(value, list):
        return [pair for at, item in enumerate(value) for pair in flat(item, f"{name}[{at}]")]
    return [(name, value)]


@pytest.fixture
def body_of():
    """Return the function that writes a request's body for an event's code and data."""

    def write(event, data, token=TOKEN, **auth):
        pairs = [("event", event), ("event_handler_id", "975"), *flat(data, "data")]
        auth = {"domain": "some-domain.bitrix24.com", **auth, "application_token": token}
        return urlencode([*pairs, ("ts", "1766047124"), *flat(auth, "auth")])

    return write


@pytest.fixture
def request_of():
    """Return the function that wraps a body as API Gateway hands it over."""

    def wrap(body, content_type="application/x-www-form-urlencoded", **changes):
        return {
            "version": "2.0",
            "headers": {"content-type": content_type},
            "requestContext": {
                "requestId": "request-1",
                "timeEpoch": 1766047125000,
                "http": {"method": "POST", "path": "/bitrix24"},
            },
            "body": body,
            "isBase64Encoded": False,
            **changes,
        }

    return wrap

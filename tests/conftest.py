"""What every suite needs: an environment of its own and the sample events."""

import gc
import json
import logging
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from coverage import Coverage
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from tests.surroundings import aws_clients, clock, sleeps, times, written

__all__ = ["aws_clients", "clock", "sleeps", "times", "written"]

# What the template sets, and no way to a real AWS.
ENVIRONMENT = {
    "AWS_ENDPOINT_URL": None,
    "AWS_PROFILE": None,
    "AWS_LAMBDA_FUNCTION_NAME": None,
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "SECRETS_PREFIX": "/relay/test",
}
# Powertools' Metrics reads it when a module is imported; without it nothing could be counted.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Relay/test"

# Of `make unit`; a slow draw is a busy machine's.
settings.register_profile(
    "quick", max_examples=10, database=None, suppress_health_check=[HealthCheck.too_slow]
)

TOKEN = "faketoken0faketoken1faketoken200"
EVENTS = Path(__file__).parents[1] / "events"
DATA = Path(__file__).parent / "data"
# `make test` counts coverage in these alone: the tracer doubles the time of a test.
TRACED = re.compile(r"tests/(unit/(?!local)|integration/(slots/|test_tls\.py))")
LOGGERS = set()  # the names of those that write to Stdout, if they are Powertools'


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


class Stdout:
    """Whatever stands for stdout when something is written."""

    def write(self, text):
        """Write where the running test reads."""
        return sys.stdout.write(text)

    def flush(self):
        """Leave it to stdout."""


gc.set_threshold(50_000, 20, 100)  # collected less often; the suite has memory enough


def pytest_collection_finish():
    """Keep what the imported modules hold out of garbage collections."""
    gc.freeze()


class Tracer:
    """Coverage's tracer of this process, if there is one; it runs from the start."""

    def __init__(self):
        self.coverage, self.runs = None, True

    def turn(self, on):
        """Start or stop it."""
        self.coverage = self.coverage or Coverage.current()  # None also where it is stopped
        if self.coverage and on != self.runs:
            (self.coverage.start if on else self.coverage.stop)()
            self.runs = on


TRACER = Tracer()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Count coverage in TRACED only, unless it is asked for by test (bench.mutants)."""
    by_test = item.config.getoption("--cov-context", None)
    TRACER.turn(bool(by_test or TRACED.match(item.nodeid)))
    return (yield)


def pytest_runtest_setup():
    """Set the environment, and let Powertools' loggers write to where the running test reads."""
    for name, value in ENVIRONMENT.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    loggers = logging.Logger.manager.loggerDict
    if len(loggers) == len(LOGGERS):
        return
    for name in loggers.keys() - LOGGERS:  # of modules imported since the last test
        for handler in getattr(loggers[name], "handlers", []):
            if isinstance(handler.formatter, LambdaPowertoolsFormatter):
                handler.stream = Stdout()
    LOGGERS.update(loggers)


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

"""A command of `./relay` that is killed at random moments, and what it was doing then."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import boto3

from local.aws import LocalAws, credentials
from ops import dead_letters
from ops.build import ROOT
from ops.commands import run

HIDDEN_SECONDS = 20  # a letter that a killed command held; 15 minutes otherwise
MAX_SECONDS = 1800.0  # for a command that is not killed
POLL_SECONDS = 0.01
BEGUN, SEND = "begun", "begun SendMessageBatch"


class Killed(NamedTuple):
    """What a command went through: kills by the request under way, records sent, seconds."""

    kills: Counter[str]
    sent: int
    seconds: float


class KilledCommand:
    """A command that notes its requests to AWS, run again and again."""

    def __init__(self, aws: LocalAws, arguments: Sequence[str]) -> None:
        self._notes = aws.folder / arguments[0]
        self._notes.write_text("")
        self._environment = os.environ | credentials(aws.endpoint)
        self._command = [sys.executable, "-m", "bench.killed", str(self._notes), *arguments]

    def run(self, kills: int, chance: random.Random) -> Killed:
        """Kill it so often, then run it until nothing is left.

        A kill comes after the first request, at any moment of the time that it takes until it sends
        and once more that time.
        """
        times, began, span = Counter[str](), time.monotonic(), 0.0
        while True:
            lines, sent = len(self._lines()), self._sent()
            with self._start() as process:
                if times.total() < kills:
                    self._await(process, "", lines)
                    asked = time.monotonic()
                    if not span:
                        self._await(process, SEND, lines)
                        span = 2 * (time.monotonic() - asked)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(chance.uniform(0.0, span))
                    process.kill()
                process.wait(MAX_SECONDS)
            if process.returncode == -signal.SIGKILL:
                times[_step(self._lines()[lines:])] += 1
            elif not process.returncode and (times.total() == kills or self._sent() == sent):
                return Killed(times, self._sent(), time.monotonic() - began)

    def _await(self, process: subprocess.Popen[bytes], note: str, after: int) -> None:
        """Wait for a line that begins so, after so many lines, or for the end."""
        while process.poll() is None:
            if any(line.startswith(note) for line in self._lines()[after:]):
                return
            time.sleep(POLL_SECONDS)

    def finds_nothing(self) -> bool:
        """Run it once more; return whether it sends nothing, and leaves nothing."""
        before = self._sent()
        with self._start() as process:
            return process.wait(MAX_SECONDS) == 0 and self._sent() == before

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own
            self._command,
            env=self._environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _lines(self) -> list[str]:
        return self._notes.read_text("utf-8").splitlines()

    def _sent(self) -> int:
        return sum(int(line.split()[2]) for line in self._lines() if line.startswith(SEND))


def _step(lines: Sequence[str]) -> str:
    """Return the request that was under way."""
    what, request, _ = lines[-1].split()
    return request if what == BEGUN else "between two"


def main(notes: str, arguments: Sequence[str]) -> None:
    """Run a command; append a line where a request to AWS begins, with its entries, or ends."""
    file, make = os.open(notes, os.O_WRONLY | os.O_APPEND), boto3.client

    def note(what: str, event_name: str, entries: int = 0) -> None:
        os.write(file, f"{what} {event_name.rpartition('.')[2]} {entries}\n".encode())

    def noted(service: str, **more: Any) -> Any:
        client = make(service, **more)
        client.meta.events.register(
            "provide-client-params.*",
            lambda event_name, params, **_: note(BEGUN, event_name, len(params.get("Entries", ()))),
        )
        client.meta.events.register(
            "after-call.*", lambda event_name, **_: note("ended", event_name)
        )
        return client

    boto3.client = noted
    dead_letters.HIDDEN_SECONDS = HIDDEN_SECONDS
    run(arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

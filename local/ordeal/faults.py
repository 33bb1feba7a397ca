"""Faults during an ordeal: of events on their way, of the portal's answers, of AWS.

The outage is short, because waits are real here; tests/integration/test_outages.py moves the clock.

A hard ordeal loses any answer, those of creates too, and kills reactions. A create that may have
run is looked up after more than a minute, so an ordinary ordeal loses no answer of a create.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any, Self

from local.aws import LocalAws
from local.demo import DemoPortal
from local.stack import Stack

EVENTS = {"loss": 0.2, "doubling": 0.25, "reordering": 0.3, "slow_penalty_seconds": 0.2}
QUIET = {"loss": 0.0, "doubling": 0.0, "reordering": 0.0, "slow_penalty_seconds": 1.0}
# Ways to lose an answer, some before the call ran, some after.
LOST: tuple[dict[str, Any], ...] = (
    {"kind": "reset"},
    {"kind": "codeless", "when": "after"},
    {"kind": "html_502"},
    {"kind": "database"},
    {"kind": "truncated", "when": "after"},
    {"kind": "deadlock"},
    {"kind": "timeout", "seconds": 2.0},
    {"kind": "server_error", "when": "after"},
    {"kind": "empty", "when": "after"},
    {"kind": "timeout", "seconds": 2.0, "when": "after"},
    {"kind": "reset", "when": "after"},
    {"kind": "codeless"},
)
# The messages of a killed function are hidden for so long; a slower function gets its own again.
VISIBILITY_SECONDS = {"TrackQueue": 10, "FollowUpQueue": 30}
# The portal has read, and its answer is late: a later reading overtakes an earlier one.
STALE: tuple[dict[str, Any], ...] = (
    {"kind": "slow", "when": "after", "method": "crm.item.*", "seconds": 0.8, "share": 0.4},
    {"kind": "slow", "when": "after", "method": "crm.item.*", "seconds": 0.3, "share": 0.6},
)
FIRST_WIN = 0.15  # share of the time until which no deal is won
OUTAGE_SECONDS = 4.0
DENIED_SECONDS = 30.0  # at most, until announce has handed something back
DENIAL = {"Effect": "Deny", "Action": ["sns:Publish", "sns:PublishBatch"], "Resource": "*"}
# (share of the time, fault): a function to kill, "rate" for a portal that refuses, "denied" for a
# lost right. They are few: the embedded AWS restarts a function in seconds, and the relay waits
# for seconds after a refusal.
TIMED = [
    (0.2, "TrackFunction"),
    (0.3, "denied"),
    (0.35, "AnnounceFunction"),
    (0.5, "AnnounceFunction"),
    (0.6, "rate"),
    (0.7, "denied"),
    (0.65, "AnnounceFunction"),
    (0.8, "AnnounceFunction"),
]
HARD_TIMED = [
    (0.3, "FollowUpFunction"),
    (0.4, "outage"),
    (0.5, "rate"),
    (0.6, "FollowUpFunction"),
]


@contextmanager
def stale_answers(portal: DemoPortal) -> Iterator[None]:
    """Let readings overtake each other, and half of the events come twice."""
    portal.admin("settings", "PATCH", events={"doubling": 0.5})
    for fault in STALE:
        portal.admin("faults", **fault)
    try:
        yield
    finally:
        portal.admin("faults", "DELETE")
        portal.admin("settings", "PATCH", events={"doubling": 0.0})


class Faults:
    """Causes one fault after the other; a context manager that restores everything.

    `done` counts the faults by kind.
    """

    def __init__(
        self, aws: LocalAws, portal: DemoPortal, stack: Stack, dice: random.Random, *, hard: bool
    ) -> None:
        self.done: Counter[str] = Counter()
        self._aws, self._portal, self._stack, self._hard = aws, portal, stack, hard
        self._sqs = aws.client("sqs")
        self._lost = cycle(dice.sample(LOST, len(LOST)))
        self._turns = cycle(
            [
                self._lose_reads,
                self._lose_batches,
                self._sweep_twice,
                self._lose_reads,
                self._lose_batches,
                self._lose_comment,
            ]
        )
        self._timed = sorted(TIMED + HARD_TIMED * hard)
        self._threads: list[threading.Thread] = []
        self._visibility_before: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Let events get lost, doubled and reordered, and messages come back sooner."""
        self._portal.admin("settings", "PATCH", events=EVENTS)
        for name, seconds in VISIBILITY_SECONDS.items():
            self._visibility_before[name] = self._visibility(name, str(seconds))
        return self

    def __exit__(self, *_error: object) -> None:
        """End all faults."""
        self._portal.admin("faults", "DELETE")
        self._portal.admin("settings", "PATCH", events=QUIET)
        for name, seconds in self._visibility_before.items():
            self._visibility(name, seconds)
        for thread in self._threads:
            thread.join()

    def next(self, share: float) -> None:
        """Cause the next fault; `share` is the elapsed share of the time."""
        next(self._turns)(share)
        while self._timed and self._timed[0][0] <= share:
            _, what = self._timed.pop(0)
            if what == "rate":
                self._fault({"kind": what}, times=1)
            elif what == "outage":
                self._fault({"kind": "html_502"}, method="*", for_seconds=OUTAGE_SECONDS)
            elif what == "denied":
                self._start(self._deny)
            else:
                self.done[f"killed: {what}"] += self._aws.kill(self._stack.resources[what])

    def _lose_reads(self, _share: float) -> None:
        method = "*" if self._hard else "crm.item.*"
        self._fault(next(self._lost), method=method, share=0.7, for_seconds=0.4)

    def _lose_batches(self, share: float) -> None:
        if self._hard or share < FIRST_WIN:
            self._fault(next(self._lost), method="batch", share=0.7, for_seconds=0.4)
        else:
            self._lose_reads(share)

    def _lose_comment(self, _share: float) -> None:
        self._fault(next(self._lost), method="crm.timeline.comment.add", times=1)

    def _fault(self, kind: dict[str, Any], **how: Any) -> None:
        self._portal.admin("faults", **kind, **how)
        self.done[f"answers: {kind['kind']}"] += 1

    def _sweep_twice(self, _share: float) -> None:
        def sweep() -> None:
            name = self._stack.resources["SweepFunction"]
            self._aws.client("lambda").invoke(FunctionName=name)["Payload"].read()

        for _ in range(2):
            self._start(sweep)
            self.done["sweep beside the events"] += 1

    def _start(self, fault: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=fault))
        self._threads[-1].start()

    def _deny(self) -> None:
        """Remove the right to publish until announce has handed something back."""
        iam, functions = self._aws.client("iam"), self._aws.client("lambda")
        role = self._stack.resources["AnnounceFunctionRole"]
        name = f"no-publishing-{threading.get_ident()}"  # two of them may overlap
        document = json.dumps({"Version": "2012-10-17", "Statement": [DENIAL]})
        mappings = functions.list_event_source_mappings(
            FunctionName=self._stack.resources["AnnounceFunction"]
        )["EventSourceMappings"]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        deadline, failed = time.monotonic() + DENIED_SECONDS, False
        while not failed and time.monotonic() < deadline:
            asked = functions.get_event_source_mapping(UUID=mappings[0]["UUID"])
            failed = asked["LastProcessingResult"] == "FAILED"
            time.sleep(0.02)
        iam.delete_role_policy(RoleName=role, PolicyName=name)
        self.done["handed back by announce"] += failed

    def _visibility(self, queue: str, seconds: str) -> str:
        """Set a queue's visibility timeout; return the former one."""
        url, name = self._stack.resources[queue], "VisibilityTimeout"
        asked = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={name: seconds})
        return str(asked["Attributes"][name])

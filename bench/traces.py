"""What does `make trace` name after a soak, how quickly? `python -m bench.traces [SECONDS] [N]`.

N random Changes are traced. Held against what the ordeal's judge knows: the Change itself, that it
was announced, the event and the reading that found it, and the reaction's writes in the portal.
It takes SECONDS of edits with faults and two minutes more; PYTHONPATH=src:. is needed.
"""

import os
import random
import sys
import time
from collections import Counter
from functools import partial
from typing import Any
from unittest.mock import patch

import boto3

from bench.past import counting
from local.aws import LocalAws, credentials
from local.demo import DemoPortal
from local.ordeal import inspection, judge
from local.ordeal.plan import Plan
from local.ordeal.scenario import Scenario
from local.run import connect
from local.stack import deploy
from ops import trace
from ops.terminal import console
from relay.change import Change

SECONDS, TRACES = 20, 1000
EDITS_PER_SECOND = 30
WRITES = ["tasks.task.add", "crm.timeline.comment.add"]
REACTION = {"follow_up", "FollowUp"}


def main(arguments: list[str]) -> int:
    """Run an ordeal, trace, print; return 1 where a step is missing or too many."""
    given = [int(argument) for argument in arguments]
    seconds, traces = (*given, *(SECONDS, TRACES)[len(given) :])
    plan = Plan(seed=1, edits=seconds * EDITS_PER_SECOND, seconds=seconds, patience_seconds=180)
    with LocalAws(enforce_iam=True) as aws, DemoPortal() as portal:
        stack = deploy(aws, PortalRate="20", PortalBurst="500", GraceSeconds="3")
        portal.admin("settings", "PATCH", burst=0)
        connect(aws, portal, stack)
        scenario = Scenario(aws, portal, stack, plan)
        findings = list(scenario.run().findings)
        changes = scenario._announced.all()  # noqa: SLF001  what was announced is nowhere else
        tasks = inspection.effects(portal, {one.id for one in changes}).tasks
        os.environ |= credentials(aws.endpoint)
        findings += traced(random.Random(1).choices(changes, k=traces), tasks)
    print("\n".join(findings), file=sys.stderr)
    return 1 if findings else 0


def traced(changes: list[Change], tasks: Any) -> list[str]:
    """Trace Changes and print the times; return what is not as it should be."""
    findings, asked, took = [], Counter[str](), []
    console.quiet = True
    computed = time.process_time()
    with patch.object(boto3, "client", partial(counting, boto3.client, asked)):
        for change in changes:
            began = time.monotonic()
            document: Any = trace.command(change=change.change_id).document
            took.append(time.monotonic() - began)
            findings += [f"{change.change_id}: {one}" for one in faults(change, document, tasks)]
    computed = time.process_time() - computed
    took.sort()
    median, most = took[len(took) // 2], took[-1]
    print(f"{len(took)} traces: median {median * 1000:.0f} ms, at most {most * 1000:.0f} ms,")
    print(f"{computed / len(took) * 1000:.0f} ms of the processor; requests a trace:")
    for name, number in asked.most_common():
        print(f"  {number / len(took):5.1f} {name}")
    print(f"{len(findings)} findings")
    return findings


def faults(change: Change, document: Any, tasks: Any) -> list[str]:
    """Return what a trace lacks, or has too many of."""
    if [one["change"] for one in document["traces"]] != [change.change_id]:
        return [f"{len(document['traces'])} traces"]
    (found,) = document["traces"]
    steps = Counter(step["by"] for step in found["steps"])
    wrong = []
    if steps["mirror"] != 1:
        wrong.append(f"{steps['mirror']} steps of the mirror")
    if not steps["announce"]:
        wrong.append("not announced")
    events = steps["ingress"] + steps["republish"]
    if change.via == "event" and not (events and steps["track"]):
        wrong.append(f"{events} events, {steps['track']} readings")
    if events < len(found["events"]):  # a doubled event of an addition has one id
        wrong.append(f"{events} steps of ingress, and {len(found['events'])} events")
    mine = [step for step in found["steps"] if step["by"] in REACTION]
    texts = [text for step in mine for text in step["writes"]]
    writes = [text.partition(":")[0] for text in texts]
    followed = change.entity == "deal" and judge.is_won(change) and tasks.get(change.id)
    wanted = WRITES if followed else []
    if any(step["what"].startswith("given up") for step in mine):  # a person is asked
        wanted = wanted[: len(writes)]
    elif any(": done" not in text for text in texts):
        wrong.append(f"not done: {texts}")
    if writes != wanted:
        wrong.append(f"writes {writes}, not {wanted}")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

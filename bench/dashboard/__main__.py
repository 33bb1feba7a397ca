"""`python -m bench.dashboard picture.png`: the template's dashboard, with figures of a local run.

The run: deals won at once and one by one, forged requests, a portal that is blocked for a while.
What AWS counts by itself is asked of the local stack: depths of queues, runs of functions.
"""

import json
import re
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.cost.__main__ import Bench
from bench.dashboard.figures import Figures, Metric
from bench.dashboard.picture import draw, page
from local.aws import REGION, LocalAws
from local.demo import DemoPortal
from local.run import connect
from local.stack import STACK, Stack, deploy

DEPTH = "ApproximateNumberOfMessagesVisible"
FORGED = 25
BLOCKED_SECONDS = 40
SAMPLE_SECONDS = 15  # longer than the silence that Bench waits for: a sample is a request too


def main() -> int:
    """Run, and draw the picture."""
    target = Path(sys.argv[1]).resolve()
    figures, ended = Figures(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage"
        with LocalAws(usage_file=usage) as aws, DemoPortal() as portal:
            stack = deploy(aws, SweepMinutes="2")
            connect(aws, portal, stack)
            sampler = threading.Thread(target=_sample, args=(aws, stack, figures, ended))
            sampler.start()
            try:
                _live(Bench(aws, portal, stack, usage), portal, stack)
            finally:
                ended.set()
                sampler.join()
            _read(aws, stack, usage, figures)
            body = _body(aws, stack)
    height = max(one["y"] + one["height"] for one in body["widgets"])
    draw(page(body, figures), height, target)
    print(f"{target}: {len(figures.points)} metrics, {len(figures.lines)} log lines")
    return 0


def _live(bench: Bench, portal: DemoPortal, stack: Stack) -> None:
    ids = bench.seeded(58)
    bench.win(ids[:40])
    for _ in range(FORGED):
        request = urllib.request.Request(stack.hook_url, b"event=ONCRMDEALADD&auth[x]=1")  # noqa: S310
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  the local stack
    for one in ids[40:43]:
        bench.win([one])
    portal.admin("faults", kind="overload")
    portal.admin("bulk", ids=ids[43:], fields={"stageId": "WON"})
    time.sleep(BLOCKED_SECONDS)
    portal.admin("faults", "DELETE")
    time.sleep(BLOCKED_SECONDS)


def _sample(aws: LocalAws, stack: Stack, figures: Figures, ended: threading.Event) -> None:
    sqs = aws.client("sqs")
    ends = ("Queue", "DeadLetters")
    urls = [
        one
        for name, one in stack.resources.items()
        if name.endswith(ends) and one.startswith("http")
    ]
    while not ended.wait(SAMPLE_SECONDS):
        for url in urls:
            asked = ["ApproximateNumberOfMessages"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
            metric = Metric("AWS/SQS", DEPTH, (("QueueName", url.rsplit("/", 1)[-1]),))
            figures.points[metric].append((time.time(), float(found[asked[0]])))


def _read(aws: LocalAws, stack: Stack, usage: Path, figures: Figures) -> None:
    asked = {"logGroupName": stack.outputs["LogGroup"]}
    for found in aws.client("logs").get_paginator("filter_log_events").paginate(**asked):
        for event in found["events"]:
            figures.log(event["timestamp"] / 1000, event["message"])
    for line in usage.read_text("utf-8").splitlines():
        run: dict[str, Any] = json.loads(line)
        if run["service"] == "run":
            name = (("FunctionName", run["target"]),)
            figures.points[Metric("AWS/Lambda", "ConcurrentExecutions", name)].append(
                (run["at"], 1)
            )
            figures.points[Metric("AWS/Lambda", "Errors", name)].append((run["at"], 0))


def _body(aws: LocalAws, stack: Stack) -> dict[str, Any]:
    processed = aws.client("cloudformation").get_template(
        StackName=STACK, TemplateStage="Processed"
    )["TemplateBody"]
    text = processed["Resources"]["Board"]["Properties"]["DashboardBody"]["Fn::Sub"]
    values = {"AWS::Region": REGION, "AWS::StackName": STACK} | stack.resources
    values["Logs"] = stack.outputs["LogGroup"]
    body: dict[str, Any] = json.loads(re.sub(r"\$\{([^}]+)\}", lambda hit: values[hit[1]], text))
    return body


if __name__ == "__main__":
    sys.exit(main())

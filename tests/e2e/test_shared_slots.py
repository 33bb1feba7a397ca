"""Many processes, one portal, one limit: kept in the embedded AWS's DynamoDB."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws import credentials
from local.portal.server import PortalServer

ROOT = Path(__file__).parents[2]
PROCESSES, CALLS = 5, 4
BURST, RATE = 60, 10

WORK = f"""
import asyncio, os, sys, boto3
from relay.portal import Portal, Webhook
from relay.portal.slots import Pace
from relay.portal.shared_slots import SharedSlots

slots = SharedSlots(boto3.client("dynamodb"), "limits", "main", Pace({BURST}, {RATE}))
portal = Portal(Webhook.parse(os.environ["WEBHOOK"], allow_http=True), slots=slots)

async def work():
    return [await portal.call("crm.item.get", entityTypeId=2, id=1) for _ in range({CALLS})]

print("ready", flush=True)
sys.stdin.readline()
print(len(asyncio.run(work())))
"""


@pytest.fixture(scope="module")
def aws(relay):
    """Return the embedded AWS, with a table of its own for the slots."""
    relay.aws.client("dynamodb").create_table(
        TableName="limits",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield relay.aws
    relay.aws.client("dynamodb").delete_table(TableName="limits")


@pytest.mark.parametrize("full", [False, True])
def test_processes_that_start_together_are_never_refused(aws, full):
    """Whether the portal's bucket is empty or full when nobody knows what it holds."""
    aws.client("dynamodb").delete_item(TableName="limits", Key={"pk": {"S": "slots#main"}})
    with PortalServer() as server:
        settings = server.portal.settings
        settings.burst, settings.rate = BURST, RATE
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "src"}
        environment |= credentials(aws.endpoint) | {"WEBHOOK": server.webhook_url}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [
            subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-c", WORK], cwd=ROOT, env=environment, **pipes
            )
            for _ in range(PROCESSES)
        ]
        try:
            for worker in workers:
                worker.stdout.readline()
            bucket = server.portal.bucket
            while full and bucket.admit(bucket.at, BURST, RATE):
                pass
            bucket.refused = 0
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            done = [worker.communicate(timeout=60)[0].strip() for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        assert done == [str(CALLS)] * PROCESSES
        assert bucket.refused == 0
        assert [row["status"] for row in server.portal.activity.calls] == [200] * PROCESSES * CALLS

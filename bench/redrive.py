"""Do killed commands hand over each record once? `python -m bench.redrive [RECORDS]`.

`redrive` and then `replay` run as processes on the local AWS, are ended by SIGKILL at random times
and started anew, until nothing is left. Meanwhile the deployed follow_up handles what they sent, or
at the end, if it is paused: a task and a comment for each record. Letters that a killed redrive
held come back in 20 s.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import batched
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.killed import MAX_SECONDS, KilledCommand
from bench.past import item_rows
from local.aws import LocalAws
from local.demo import DemoPortal
from local.portal.snapshot import unpack
from local.stack import Stack, deploy, store_secrets
from ops.dead_letters import count_of
from relay.change import Change, Fields
from relay.state_table import key, slots_key
from relay.tracking.row import Key

RECORDS, KILLS, SEED = 10_000, 25, 1
FEWER = 20  # in a pause each kill leaves copies in the queue: 76,640 of 10,000 records
QUEUES = "FollowUpQueue", "FollowUpDeadLetters"
NEW, WON = {"stageId": "NEW", "stageSemanticId": "P"}, {"stageId": "WON", "stageSemanticId": "S"}
POLL_SECONDS = 0.5


def main(arguments: Sequence[str]) -> int:
    """Run all phases; return 1 where a record was not handled once.

    `arguments` are the numbers of records and kills of each, and a seed.
    """
    given = [int(one) for one in arguments]
    records, kills, seed = (*given, *(RECORDS, KILLS, SEED)[len(given) :])
    chance, faults = random.Random(seed), []
    print(f"{records} records, {kills} kills, seed {seed}")
    with LocalAws() as aws, DemoPortal(plan="unlimited") as portal:
        stack = deploy(aws, PortalRate="50", PortalBurst="2500")
        connect(aws, portal, stack)
        for title, asked, fill in PHASES:
            number = records // FEWER if "paused" in title else records
            ids: list[int] = portal.admin("seed", deals=number, events=False)["deals"]
            fill(aws, stack, ids)
            command, began = KilledCommand(aws, asked), time.monotonic()
            with paused(aws, stack) if "paused" in title else nullcontext():
                killed = command.run(kills, chance)
            left = await_empty(aws, stack)
            took = time.monotonic() - began
            tasks, comments = made(portal)
            found = judge(ids, tasks, comments, left)
            if not command.finds_nothing():
                found.append("it does not say that nothing is left")
            table = Table(title=title, show_header=False)
            for what, times in killed.kills.most_common():
                table.add_row(f"killed in {what}", str(times))
            table.add_row("records sent, at most", str(killed.sent))
            table.add_row("tasks", str(sum(tasks[one] for one in ids)))
            table.add_row("comments", str(sum(comments[one] for one in ids)))
            table.add_row("seconds until the command was done", f"{killed.seconds:.0f}")
            table.add_row("… until all was handled", f"{took:.0f}")
            Console().print(table)
            print("\n".join(found or ["each deal has one task and one comment; nothing is left"]))
            faults += found
    return 1 if faults else 0


@contextmanager
def paused(aws: LocalAws, stack: Stack) -> Iterator[None]:
    """Stop follow_up, as `make pause` does: what is sent again and again waits with its copies."""
    functions, name = aws.client("lambda"), stack.resources["FollowUpFunction"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def connect(aws: LocalAws, portal: DemoPortal, stack: Stack) -> None:
    """Let reactions write to the portal; nothing reads it, and it sends no events."""
    portal.admin("settings", "PATCH", burst=0)
    store_secrets(aws, {"webhook-urls/write/main": portal.state["webhook_url"]})
    slots = {**key(slots_key("main")), "empty_at": {"N": "0"}}
    aws.client("dynamodb").put_item(TableName=stack.resources["StateTable"], Item=slots)


def put_letters(aws: LocalAws, stack: Stack, ids: Sequence[int]) -> None:
    """Put a dead letter for each deal into the reaction's queue of them."""
    reason = {"reason": {"DataType": "String", "StringValue": "tasks.task.add: INTERNAL_ERROR"}}
    for part in batched(ids, 10, strict=False):
        aws.client("sqs").send_message_batch(
            QueueUrl=stack.resources["FollowUpDeadLetters"],
            Entries=[
                {"Id": str(one), "MessageBody": won(one).to_json(), "MessageAttributes": reason}
                for one in part
            ],
        )


def put_history(aws: LocalAws, stack: Stack, ids: Sequence[int]) -> None:
    """Put the change of each deal into mirror and history; `quiet` keeps announce out of it."""
    dynamodb, at = aws.client("dynamodb"), time.time() - 1800
    rows = [
        (table, row)
        for place, one in enumerate(ids)
        for table, row in item_rows(
            Key("main", "deal", one), "past", at + place / 10, range(2, 3),
            (fields(one, WON), fields(one, NEW)), quiet=True,
        )
    ]  # fmt: skip
    for part in batched(rows, 24, strict=False):
        put: dict[str, list[object]] = {}
        for table, row in part:
            put.setdefault(stack.resources[table], []).append({"PutRequest": {"Item": row}})
        dynamodb.batch_write_item(RequestItems=put)


def fields(number: int, stage: dict[str, str]) -> dict[str, Any]:
    """Return a deal in a stage."""
    return {"title": f"deal {number}", "assignedById": 1, **stage}


def won(number: int) -> Change:
    """Return the Change of a deal that was won."""
    return Change(
        change_id=f"main.deal.{number}.dead.2", portal="main", entity="deal", entity_type_id=2,
        id=str(number), action="updated", version=2, time="2026-03-01T12:00:00.000+00:00",
        changed=tuple(WON), before=Fields(NEW), after=Fields(fields(number, WON)),
    )  # fmt: skip


def await_empty(aws: LocalAws, stack: Stack) -> int:
    """Wait until the reaction has handled what was sent; return how many records are left."""
    sqs, until = aws.client("sqs"), time.monotonic() + MAX_SECONDS
    while count_of(sqs, stack.resources["FollowUpQueue"]) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return sum(count_of(sqs, stack.resources[name]) for name in QUEUES)


def made(portal: DemoPortal) -> tuple[Counter[int], Counter[int]]:
    """Return the numbers of tasks and comments by deal."""
    held = unpack(portal.admin("state/saved", "GET")["portal"])
    links = (link for task in held["tasks"].walk() for link in task.get("ufCrmTask") or ())
    owners = (owner for comment in held["comments"].walk() for owner in comment["bindings"])
    return (
        Counter(int(link[2:]) for link in links if link.startswith("D_")),
        Counter(number for kind, number in owners if kind == "deal"),
    )


def judge(ids: Sequence[int], tasks: Counter[int], comments: Counter[int], left: int) -> list[str]:
    """Return what is wrong: lost, done twice, left in a queue."""
    faults = [f"{left} records are left"] * bool(left)
    for what, counts in (("task", tasks), ("comment", comments)):
        for how, wrong in (
            ("no", [one for one in ids if not counts[one]]),
            ("more than one", [one for one in ids if counts[one] > 1]),
        ):
            faults += [f"{len(wrong)} deals have {how} {what}: {wrong[:3]} …"] * bool(wrong)
    return faults


REPLAY = ["replay", "NAME=follow_up", "SINCE=1h"]
PHASES = (
    ("redrive", ["redrive", "NAME=follow_up"], put_letters),
    ("replay", REPLAY, put_history),
    ("replay, follow_up paused", REPLAY, put_history),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

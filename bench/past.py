"""What do commands over many changes take? `PYTHONPATH=src:. python -m bench.past [CHANGES]`.

Each deal was won once and has 38 fields; for half of them a reaction's two writes are recorded.
The tables are the local AWS's. Printed are a command's requests, the processor's time in its own
process, and the whole time, most of which is the local AWS's.
"""

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import batched
from typing import Any
from unittest.mock import patch

import boto3

from bench.announce import DEAL, WON
from local.aws import LocalAws, credentials
from ops import history, rehearse, replay, undo
from ops.deployed import Deployed
from ops.terminal import console
from relay.aws_types import Item
from relay.history import PastChange
from relay.reaction.checkpoint import Checkpoint
from relay.state_table import checkpoint_key
from relay.tracking.projection import Form, canonical_json
from relay.tracking.remember import checksum
from relay.tracking.row import ITEM, Key, Row

CHANGES = 10_000
VERSIONS = 100  # of the deal whose history is shown
STACK = Deployed(
    "relay",
    {"LogGroup": "logs"},
    {"HistoryDays": "0"},
    {"History": "History", "Mirror": "Mirror", "StateTable": "State", "FollowUpQueue": "none"},
)
KEYS = {"History": ("pk", "sk:S"), "Mirror": ("pk", "id:N"), "State": ("pk",)}


def main(arguments: list[str]) -> int:
    """Fill the tables, run the commands, print a line for each."""
    changes = int(arguments[0]) if arguments else CHANGES
    with LocalAws() as aws:
        os.environ |= credentials(aws.endpoint)
        fill(aws.client("dynamodb"), changes, time.time())
        asked: Counter[str] = Counter()
        console.quiet = True
        with (
            patch.object(rehearse, "find_stack", lambda _name: STACK),
            patch.object(replay, "find_stack", lambda _name: STACK),
            patch.object(undo, "find_stack", lambda _name: STACK),
            patch.object(history, "find_stack", lambda _name: STACK),
            patch.object(boto3, "client", partial(counting, boto3.client, asked)),
        ):
            print(f"{changes} changes; requests, s of the processor, s in all")
            for name, command in commands().items():
                measure(name, command, asked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:.0f} MB at most")
    return 0


def commands() -> dict[str, Callable[[], object]]:
    """Return what is measured by its name."""
    return {
        "history": lambda: history.history_command("deal/1"),
        "asof": lambda: history.asof_command("deal/1", "1540s"),
        "rehearse follow_up": lambda: rehearse.command("follow_up", since="1h"),
        "replay --dry": lambda: replay.replay_command("follow_up", "1h", dry=True),
        "undo since": lambda: undo.command(since="1h"),
        "apply --dry": lambda: replay.apply_command("follow_up", "deal", dry=True),
    }


def measure(name: str, command: Callable[[], object], asked: Counter[str]) -> None:
    """Run a command and print what it took."""
    asked.clear()
    began, computed = time.monotonic(), time.process_time()
    command()
    took, processor = time.monotonic() - began, time.process_time() - computed
    kinds = ", ".join(f"{number} {kind}" for kind, number in asked.most_common())
    print(f"  {name:20}{asked.total():6}{processor:8.2f}{took:8.2f}  {kinds}")


def counting(make: Callable[..., Any], asked: Counter[str], service: str, **more: Any) -> Any:
    """Return a client whose requests are counted."""
    client = make(service, **more)
    client.meta.events.register(
        "before-send.*", lambda event_name, **_: asked.update([event_name.rpartition(".")[2]])
    )
    return client


def fill(dynamodb: Any, changes: int, now: float) -> None:
    """Make the tables and store the rows of the changes, spread over the last half hour."""
    for table, names in KEYS.items():
        typed = [(*name.split(":"), "S")[:2] for name in names]
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in typed
            ],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for (name, _), kind in zip(typed, ("HASH", "RANGE"), strict=False)
            ],
        )
    for part in batched(rows(changes, now), 25, strict=False):
        put: dict[str, list[object]] = {}
        for table, row in part:
            put.setdefault(table, []).append({"PutRequest": {"Item": row}})
        dynamodb.batch_write_item(RequestItems=put)


def rows(changes: int, now: float) -> Iterator[tuple[str, Item]]:
    """Yield all rows with their tables."""
    born = f"{int(now * 1000) - 7_200_000:x}abcd"
    for number in range(1, changes + 1):
        versions = range(2, VERSIONS if number == 1 else 3)
        at = now - 1500 + 1400 * number / changes
        forms = WON, DEAL | {"title": f"Deal {number}"}
        yield from item_rows(Key("main", "deal", number), born, at, versions, forms)
        if number % 2:
            checkpoint = Checkpoint(checkpoint_key("follow_up", f"main.deal.{number}.{born}.2"))
            for method in ("tasks.task.add", "crm.timeline.comment.add"):
                write = checkpoint.add(method, "digest", at)
                write.done, write.result = True, '{"task": {"id": "3"}}'
            yield "State", checkpoint.to_item(now)


def item_rows(  # noqa: PLR0913  what a row has
    key: Key,
    born: str,
    at: float,
    versions: range,
    forms: tuple[Form, Form],
    *,
    quiet: bool = False,
) -> Iterator[tuple[str, Item]]:
    """Yield an item's rows with their tables; its newest form is the first, each second one too."""
    after, before = forms
    row = Row(
        key=key, seq=versions[-1], born=born, kind=ITEM, text=canonical_json(after), read_at=at,
        via="event", first_sight=quiet,
    )  # fmt: skip
    yield "Mirror", row.to_item()
    for version in reversed(versions):
        past = PastChange(
            change_id=f"{key.portal}.{key.entity}.{key.id}.{born}.{version}",
            at=at - (versions[-1] - version),
            action="updated",
            origin="portal",
            via="event",
            before={name: before[name] for name in before if before[name] != after.get(name)},
            saved_by="5",
            state=checksum(after),
        )
        yield "History", past.to_item(0)
        after, before = before, after


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

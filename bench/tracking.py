"""What does tracking cost, and is it quick enough? `python -m bench.tracking`; 1 where it is not.

The handlers run in this process; the portal and DynamoDB answer over HTTP from processes of their
own, so that the processor time is tracking's. Medians of five; what must be reached stands in
brackets. The portal's limits are those of a real one.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from itertools import batched
from logging import StreamHandler
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from local.aws import LocalAws, credentials
from local.demo import DemoPortal

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
    "SECRETS_PREFIX": "/relay/bench",
    "MIRROR_TABLE": "Mirror",
    "STATE_TABLE": "State",
    "PORTAL_RATE": "2",
    "PORTAL_BURST": "50",
    "PORTAL_RESERVE_PERCENT": "10",
    "RECONCILE_DAYS": "7",
    "GRACE_SECONDS": "0",
    "SILENT_HOURS": "6",
    "ALLOW_HTTP": "true",
}

from relay import settings
from relay.event import Event
from relay.state_table import key, slots_key
from relay.tracking import announce, sweep, track
from relay.tracking.projection import project

SEEDED, HINTS, ROUNDS, POLLERS = 10_000, 1000, 5, 5
ANNOUNCED = 100  # the stream's BatchSize
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 180_000)
WEEK_SECONDS = 7 * 24 * 3600
PAUSE_SECONDS = 0.1
SETTLE_SECONDS = 3  # what has just changed is looked at once more


class Spent(NamedTuple):
    """What a piece of work took."""

    requests: int
    seconds: float
    cpu: float


class Table:
    """Lines of figures, and how many of them missed what must be reached."""

    def __init__(self) -> None:
        self.missed = 0

    def line(self, name: str, figure: float, unit: str, limit: float | None = None) -> None:
        """Print a figure, and count it where it is beyond its limit."""
        wanted = "" if limit is None else f"({limit:g})"
        digits = 0 if float(figure).is_integer() else 2
        print(f"{name:50} {figure:10,.{digits}f} {unit:9} {wanted:>8}".rstrip(), flush=True)
        self.missed += limit is not None and figure > limit


class World:
    """The portal, the tables, the queue and the topic."""

    def __init__(self, portal: DemoPortal, aws: LocalAws) -> None:
        self.portal, self.sqs, self.stream = portal, aws.client("sqs"), Stream(aws)
        self.queue: str = self.sqs.create_queue(QueueName="track")["QueueUrl"]
        topic = aws.client("sns").create_topic(Name="changes")["TopicArn"]
        dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        os.environ |= {
            "QUEUE_URL": self.queue,
            "TRACK_QUEUE_URL": self.queue,
            "DEAD_LETTERS_URL": dead,
            "CHANGES_TOPIC_ARN": topic,
        }
        # As a first connect does: nobody has called this portal yet.
        row = {**key(slots_key("main")), "empty_at": {"N": "0"}}
        aws.client("dynamodb").put_item(TableName="State", Item=row)
        secrets = {"webhook-urls/read/main": portal.state["webhook_url"]}
        for name, value in secrets.items():
            aws.client("ssm").put_parameter(
                Name=f"/relay/bench/{name}", Value=value, Type="SecureString"
            )

    def counted(self) -> dict[str, int]:
        """Return what the portal has counted."""
        counters: dict[str, int] = self.portal.admin("state", "GET")["counters"]
        return counters

    def spend(self, work: Callable[[], Any]) -> Spent:
        """Do some work and return what it took."""
        before, began, cpu = self.counted()["requests"], time.monotonic(), time.process_time()
        work()
        cpu, seconds = time.process_time() - cpu, time.monotonic() - began
        return Spent(self.counted()["requests"] - before, seconds, cpu)

    def put(self, number: int) -> None:
        """Write a row of the mirror as often into another table, with nothing but boto3."""
        client = settings.client("dynamodb")
        rows = client.query(
            TableName="Mirror",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "main/deal"}},
            Limit=1,
        )["Items"]
        for at in range(number):
            client.put_item(TableName="Rows", Item=rows[0] | {"id": {"N": str(at)}})

    def sweep(self) -> None:
        """Let one sweep run to its end."""
        said = sweep.handler({}, CONTEXT)
        if said != {"main": "done"}:
            raise RuntimeError(f"the sweep ended so: {said}")

    def track_queue(self) -> None:
        """Let track handle what is in its queue, as much at a time as there is."""
        while self._waiting():
            if not (records := list(self._received())):
                time.sleep(PAUSE_SECONDS)
                continue
            back = _track(records)
            done = [one for one in records if one["messageId"] not in back]
            for group in batched(done, 10, strict=False):
                self.sqs.delete_message_batch(
                    QueueUrl=self.queue,
                    Entries=[
                        {"Id": str(at), "ReceiptHandle": one["receiptHandle"]}
                        for at, one in enumerate(group)
                    ],
                )

    def _waiting(self) -> int:
        """Return how many messages there are; some are hidden for a while."""
        return self._count("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def _count(self, *names: str) -> int:
        asked = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=list(names))
        return sum(int(asked["Attributes"][name]) for name in names)

    def _received(self) -> Iterator[dict[str, Any]]:
        while self._count("ApproximateNumberOfMessages"):
            found = self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in found.get("Messages", []):
                yield _record(message["MessageId"], message["ReceiptHandle"], message["Body"])


class Stream:
    """The mirror's stream, and the tables."""

    def __init__(self, aws: LocalAws) -> None:
        pk = {"AttributeName": "pk", "AttributeType": "S"}, {"KeyType": "HASH"}
        number = {"AttributeName": "id", "AttributeType": "N"}, {"KeyType": "RANGE"}
        for name, keys in {"State": [pk], "Mirror": [pk, number], "Rows": [pk, number]}.items():
            aws.client("dynamodb").create_table(
                TableName=name,
                AttributeDefinitions=[attribute for attribute, _ in keys],
                KeySchema=[{"AttributeName": a["AttributeName"], **kind} for a, kind in keys],
                StreamSpecification={
                    "StreamEnabled": True,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                BillingMode="PAY_PER_REQUEST",
            )
        self._client = aws.client("dynamodbstreams")
        arn = self._client.list_streams(TableName="Mirror")["Streams"][0]["StreamArn"]
        (shard,) = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._at: str = self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def new(self) -> list[dict[str, Any]]:
        """Return the records since the last time, filtered as the template filters them."""
        records: list[dict[str, Any]] = []
        while True:
            found = self._client.get_records(ShardIterator=self._at)
            self._at = found["NextShardIterator"]
            records += found["Records"]
            if not found["Records"]:
                break
        return [one for one in records if one["dynamodb"]["NewImage"]["quiet"]["S"] == "no"]


def _track(records: list[dict[str, Any]]) -> set[str]:
    """Let track handle a batch; returns the messages that come back."""
    answer = track.handler({"Records": records}, CONTEXT)
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}


def _track_all(records: list[dict[str, Any]]) -> None:
    if back := _track(records):
        raise RuntimeError(f"{len(back)} hints of {len(records)} came back")


def _record(message_id: str, receipt: str, body: str) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": receipt,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


def _events(ids: list[int]) -> list[dict[str, Any]]:
    """Return the records of the events of changed deals."""
    return [
        _record(
            str(number),
            str(number),
            Event(
                event_id=str(number),
                portal="main",
                name="ONCRMDEALUPDATE",
                time=datetime.now(UTC).isoformat(),
                entity="deal",
                action="update",
                entity_type_id=2,
                id=str(number),
                sent_at=None,
                domain=None,
                member_id=None,
                handler_id=None,
                payload={"FIELDS": {"ID": str(number)}},
            ).to_json(),
        )
        for number in ids
    ]


def _quiet() -> None:
    """Let the handlers write their logs and metrics, and nobody read them."""
    nothing = Path(os.devnull).open("w")  # noqa: SIM115  for as long as the process lives
    for logger in (track.logger, sweep.logger, announce.logger):
        handler = logger.registered_handler
        if isinstance(handler, StreamHandler):
            handler.setStream(nothing)


@contextmanager
def _unheard() -> Iterator[None]:
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        yield


def _fill(world: World) -> list[int]:
    """Fill portal and mirror; returns the ids of the deals, which are a week old."""
    world.portal.admin("clock", skew_seconds=-WEEK_SECONDS)
    ids: list[int] = world.portal.admin("seed", deals=SEEDED)["deals"]
    world.portal.admin("clock", skew_seconds=0)
    time.sleep(SETTLE_SECONDS)
    with _unheard():
        for _ in range(2):
            world.sweep()
            world.track_queue()
        world.sweep()  # measures how the filter reads times
        world.track_queue()
    return ids


def _edit(world: World, ids: list[int]) -> None:
    world.portal.admin("bulk", ids=ids)


def _batches(world: World, table: Table, ids: list[int]) -> None:
    """Measure full batches of hints of changed deals."""
    spent, puts = [], []
    for _ in range(ROUNDS):
        _edit(world, ids)
        records = _events(ids)
        with _unheard():
            spent.append(world.spend(partial(_track_all, records)))
        puts.append(world.spend(lambda: world.put(len(ids))))
    table.line("1,000 changed deals: requests", max(one.requests for one in spent), "", 2)
    seconds = statistics.median(one.seconds for one in spent)
    table.line("from received to put", seconds, "s", 10)
    whole, put = (
        statistics.median(one.cpu for one in its) * 1000 / len(ids) for its in (spent, puts)
    )
    table.line("processor time of an item", whole, "ms")
    table.line("... of it boto3's put of a row", put, "ms")
    table.line("... and tracking's own", whole - put, "ms", 1)


def _pollers(world: World, table: Table, ids: list[int]) -> None:
    """Measure what a burst costs that five copies of track take up at once."""
    _edit(world, ids)
    shares = [list(share) for share in batched(_events(ids), len(ids) // POLLERS, strict=True)]
    with get_context("spawn").Pool(POLLERS, _quiet) as pool:
        spent = world.spend(lambda: pool.map(_poll, shares, chunksize=1))
    table.line("the same, taken up by five at once: requests", spent.requests, "", 7)


def _poll(records: list[dict[str, Any]]) -> None:
    with _unheard():
        _track_all(records)


def _announced(world: World, table: Table) -> None:
    """Measure announcing what all of this changed."""
    spent, count, ids = [], 0, set()
    for records in batched(world.stream.new(), ANNOUNCED, strict=False):
        changes = [change for record in records if (change := announce.to_change(record))]
        count += len(changes)
        ids |= {change.change_id for change in changes}
        with _unheard():
            cpu = time.process_time()
            answer = announce.handler({"Records": records}, None)
            cpu = time.process_time() - cpu
        if answer["batchItemFailures"]:
            raise RuntimeError("a change was not announced")
        if changes:
            spent.append(cpu * 1000 / len(changes))
    lost = SEEDED + HINTS * (ROUNDS + 1) - len(ids)
    table.line("of 16,000 changes: lost", lost, "", 0)
    table.line("... or told twice", count - len(ids), "", 0)
    table.line("processor time of a change", statistics.median(spent), "ms")


def _sweeps(world: World, table: Table, ids: list[int]) -> None:
    """Measure sweeps: with nothing to find, and with every deal changed and no event."""
    with _unheard():
        rest = world.spend(world.sweep)
    table.line("a sweep at rest: requests", rest.requests, "", 1)
    _edit(world, ids)
    with _unheard():
        found = world.spend(world.sweep)
    table.line("a sweep that finds 10,000 changed: requests", found.requests, "", 5)
    with _unheard():
        read = world.spend(world.track_queue)
    table.line("reading them: requests", read.requests, "", 5)
    table.line("until all are put", read.seconds, "s")


def main() -> int:
    """Measure and print the table."""
    table = Table()
    _quiet()
    with DemoPortal() as portal, LocalAws() as aws:
        os.environ |= credentials(aws.endpoint)
        world = World(portal, aws)
        ids = _fill(world)
        deal = portal.call("crm.item.get", entityTypeId=2, id=ids[0])["item"]
        print(f"deals of {len(deal)} fields, {len(project('deal', deal))} of them not empty")
        _sweeps(world, table, ids)
        _batches(world, table, ids[-HINTS:])
        _pollers(world, table, ids[-HINTS:])
        _announced(world, table)
        table.line("refused by the portal: too many requests", world.counted()["refused"], "", 0)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""AWS for tests of the tracking handlers: just what they call, quick, and with a stream."""

import itertools
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from relay.change import Change
from relay.tracking.row import ITEM, Key, Row
from relay.tracking.sweep_state import SweepDocument

URL = "https://sqs.test/"
OLD = "2026-01-01T12:00:00+03:00"
LATER = datetime.now(UTC).isoformat(timespec="seconds")
KEY = Key("main", "deal", 1)


def row(**changes):
    """Return a row of the mirror."""
    fields = {
        "key": KEY, "seq": 1, "born": "b", "format": 1, "kind": ITEM, "text": '{"title":"a"}',
        "updated": "", "read_at": 1.0, "via": "event", "first_sight": False,
    }  # fmt: skip
    return Row(**fields | changes)


def metric(capsys, name):
    """Return the sum of a metric in what was written."""
    total = 0
    for line in capsys.readouterr().out.splitlines():
        entry = json.loads(line)
        if "_aws" in entry and name in entry:
            total += sum(entry[name])
    return total


def logged(capsys, message):
    """Return the lines with a message in what was written."""
    entries = map(json.loads, capsys.readouterr().out.splitlines())
    return [entry for entry in entries if entry.get("message") == message]


def refused(item=None):
    """Return the error of a condition that does not hold."""
    error = ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
    if item:
        error.response["Item"] = item
    return error


def holds(condition, row, options):
    """Say whether a condition as it is written holds for a row."""
    names = options.get("ExpressionAttributeNames", {})
    values = options.get("ExpressionAttributeValues", {})

    def stored(name):
        return row.get(names.get(name, name))

    def compare(name, operator, value):
        one, other = stored(name), values[value]
        if one is None:
            return operator == "<>"
        if operator == "<":
            return float(one["N"]) < float(other["N"])
        return (one == other) is (operator == "=")

    def exists(name):
        return stored(name) is not None

    python = re.sub(r"attribute_not_exists\((\S+?)\)", r"not exists('\1')", condition)
    python = re.sub(r"([#\w]+) (=|<>|<) (:\w+)", r"compare('\1', '\2', '\3')", python)
    python = python.replace(" AND ", " and ").replace(" OR ", " or ")
    return eval(python, {"exists": exists, "compare": compare})  # noqa: S307  our own conditions


def project(item, options):
    """Return a copy of what a request asked for of an item."""
    names = options.get("ExpressionAttributeNames", {})
    wanted = {names.get(one, one) for one in options["ProjectionExpression"].split(", ")}
    return {name: value for name, value in item.items() if name in wanted}


def sns_error(code, message=""):
    """Return the error of a whole request to SNS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "PublishBatch")


def changes(published):
    """Return announced messages as the Changes that reactions get."""
    return [Change.from_cloudevent(one) for one in published]


def announced_from(announce, records):
    """Let announce handle records; returns those that come again."""
    failed = announce.handler({"Records": records})["batchItemFailures"]
    if not failed:
        return []
    numbers = [one["dynamodb"]["SequenceNumber"] for one in records]
    return records[numbers.index(failed[0]["itemIdentifier"]) :]


class FakeDynamo:
    """Three tables; conditions, updates and projections hold as they are written."""

    def __init__(self):
        self.mirror, self.state, self.history, self.stream = {}, {}, {}, []
        self.trouble = None
        self.made = datetime.fromtimestamp(0, UTC)
        self.numbers = itertools.count(1)

    def _key(self, key):
        return key["pk"]["S"], int(key["id"]["N"])

    def _write(self, key, item):
        old = self.mirror.get(key)
        self.mirror[key] = item
        number = str(next(self.numbers))
        images = {"NewImage": item, "SequenceNumber": number} | ({"OldImage": old} if old else {})
        self.stream.append({"eventName": "MODIFY" if old else "INSERT", "dynamodb": images})

    def put_item(self, *, TableName, Item, ConditionExpression="", **options):  # noqa: N803
        """Put under one of the conditions, in the history without one."""
        if self.trouble:
            raise self.trouble
        if TableName == "History":
            self.history[Item["pk"]["S"], Item["sk"]["S"]] = Item
            return
        if TableName == "State":
            if not holds(ConditionExpression, self.state.get(Item["pk"]["S"], {}), options):
                raise refused()
            self.state[Item["pk"]["S"]] = Item
            return
        key = self._key(Item)
        old = self.mirror.get(key)
        if not holds(ConditionExpression, old or {}, options):
            returned = options["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
            raise refused(old if returned else None)
        self._write(key, Item)

    def batch_get_item(self, *, RequestItems):  # noqa: N803
        """Return the rows of the keys."""
        if self.trouble:
            raise self.trouble
        if "State" in RequestItems:  # announce: what reactions wrote
            names = [key["pk"]["S"] for key in RequestItems["State"]["Keys"]]
            return {"Responses": {"State": [self.state[n] for n in names if n in self.state]}}
        ask = RequestItems["Mirror"]
        # Where a reading starts from must be the newest; what a sweep compares need not.
        assert ask["ConsistentRead"] is ("seq" in ask["ProjectionExpression"])
        keys = [self._key(key) for key in ask["Keys"]]
        assert 0 < len(keys) == len(set(keys)) <= 100
        rows = [project(self.mirror[key], ask) for key in keys if key in self.mirror]
        return {"Responses": {"Mirror": rows}}

    def batch_write_item(self, *, RequestItems):  # noqa: N803
        """Put or delete rows of the history."""
        if self.trouble:
            raise self.trouble
        if "DeleteRequest" in RequestItems["History"][0]:
            for one in RequestItems["History"]:
                key = one["DeleteRequest"]["Key"]
                del self.history[key["pk"]["S"], key["sk"]["S"]]
            return {}
        puts = [one["PutRequest"]["Item"] for one in RequestItems["History"]]
        rows = {(row["pk"]["S"], row["sk"]["S"]): row for row in puts}
        assert 0 < len(rows) == len(puts) <= 25
        self.history |= rows
        return {}

    def query(self, *, ExpressionAttributeValues, **ask):  # noqa: N803
        """Return the rows of a range."""
        if ask["TableName"] == "History":
            assert ask["KeyConditionExpression"] == "pk = :pk AND sk < :until"
            pk, until = (ExpressionAttributeValues[name]["S"] for name in (":pk", ":until"))
            found = [key for key in sorted(self.history, reverse=True) if key[0] == pk]
            rows = [self.history[key] for key in found if key[1] < until]
            return {"Items": rows[: ask.get("Limit")]}
        assert ask["KeyConditionExpression"] == "pk = :pk AND id BETWEEN :low AND :high"
        values = ExpressionAttributeValues
        low, high = int(values[":low"]["N"]), int(values[":high"]["N"])
        rows = [
            project(row, ask)
            for (pk, number), row in sorted(self.mirror.items())
            if pk == values[":pk"]["S"] and low <= number <= high
        ]
        return {"Items": rows}

    def describe_table(self, *, TableName):  # noqa: N803
        """Return when the table was made: before everything."""
        return {"Table": {"TableName": TableName, "CreationDateTime": self.made}}

    def get_item(self, *, Key, ConsistentRead=False, **_):  # noqa: N803
        """Return a row of the mirror, or a state."""
        if "id" in Key:
            found = self.mirror.get(self._key(Key))
            return {"Item": found} if found else {}
        assert ConsistentRead or not Key["pk"]["S"].startswith("brake#")
        found = self.state.get(Key["pk"]["S"])
        return {"Item": found} if found else {}

    def update_item(self, *, Key, UpdateExpression, **options):  # noqa: N803
        """Do what one of the updates says."""
        values = options["ExpressionAttributeValues"]
        names = options.get("ExpressionAttributeNames", {})
        mirrored = "id" in Key
        before = self.mirror[self._key(Key)] if mirrored else self.state.get(Key["pk"]["S"], {})
        if not holds(options.get("ConditionExpression", "True"), before, options):
            raise refused(before if mirrored else None)
        row = before | Key
        set_part, _, remove = UpdateExpression.partition(" REMOVE ")
        for one in set_part.removeprefix("SET ").split(", "):
            name, _, at = one.partition(" = ")
            row[names.get(name, name)] = values[at]
        row.pop(remove, None)
        if mirrored:
            self._write(self._key(Key), row)
            return None
        self.state[Key["pk"]["S"]] = row
        return {"Attributes": before if options.get("ReturnValues") == "ALL_OLD" else row}


class FakeQueues:
    """Queues by URL: what is in them, and until when each message is hidden."""

    def __init__(self):
        self.messages = {}
        self.waits = {}
        self.numbers = itertools.count(1)
        self.full = False

    def send_message(self, *, QueueUrl, MessageBody, **options):  # noqa: N803
        """Take a message."""
        if self.full:
            raise ClientError({"Error": {"Code": "Unavailable"}}, "SendMessage")
        self.messages.setdefault(QueueUrl, {})[str(next(self.numbers))] = MessageBody, options

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Take up to ten messages."""
        if self.full:
            return {"Failed": Entries}
        assert len(Entries) <= 10
        for entry in Entries:
            self.send_message(QueueUrl=QueueUrl, MessageBody=entry["MessageBody"])
        return {}

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Note how long messages wait."""
        assert QueueUrl == URL + "track"
        assert len(Entries) <= 10
        self.waits |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        """Say for how long track's queue hides what was received."""
        assert QueueUrl == URL + "track"
        return {"Attributes": dict.fromkeys(AttributeNames, "840")}

    def bodies(self, name):
        """Return what is in a queue."""
        return [body for body, _ in self.messages.get(URL + name, {}).values()]


class FakeTopic:
    """The Changes topic; publishes may fail, whole or by entry."""

    def __init__(self):
        self.published = []
        self.calls = 0
        self.fail_entries = []
        self.down = False

    def publish_batch(self, *, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        """Take up to ten messages of together 256 KiB."""
        assert TopicArn == "arn:changes"
        assert len(PublishBatchRequestEntries) <= 10
        assert sum(len(e["Message"].encode()) for e in PublishBatchRequestEntries) <= 256 * 1024
        self.calls += 1
        if self.down:
            raise ClientError({"Error": {"Code": "Unavailable"}}, "PublishBatch")
        failing = self.fail_entries.pop(0) if self.fail_entries else ()
        failed = [e for e in PublishBatchRequestEntries if int(e["Id"]) in failing]
        self.published += [
            json.loads(e["Message"]) for e in PublishBatchRequestEntries if e not in failed
        ]
        return {"Failed": failed}


class Context:
    """What Lambda hands over beside the event."""

    @staticmethod
    def get_remaining_time_in_millis():
        """Return five minutes."""
        return 300_000


def event_message(name, item_id, action, *, portal="main", entity="deal", type_id=2):  # noqa: PLR0913  as many as an event has
    """Return the body of a message that ingress would have published."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{name}-{item_id}",
            "source": f"urn:bitrix24:{portal}",
            "type": f"com.bitrix24.event.{name.lower()}",
            "time": "2026-03-01T09:00:00.000Z",
            "data": {
                "event": name,
                "entity": entity,
                "action": action,
                "entityTypeId": type_id,
                "id": str(item_id),
                "sentAt": None,
                "domain": None,
                "memberId": None,
                "handlerId": None,
                "payload": {},
            },
        }
    )


class Relay:
    """The three handlers joined as the template joins them."""

    context = Context

    def __init__(self, portal, dynamo, queues, topic, modules):
        self.portal, self.dynamo, self.queues, self.topic = portal, dynamo, queues, topic
        self.track, self.announce, self.sweep_module = modules
        self.streamed = 0
        self.received = {}

    def send(self, body):
        """Put a message into track's queue."""
        self.queues.send_message(QueueUrl=URL + "track", MessageBody=body)

    def event(self, item_id, action="update", **about):
        """Let an event of a deal arrive."""
        self.send(event_message(f"ONCRMDEAL{action.upper()}", item_id, action, **about))

    def track_all(self, size=1000, rounds=1):
        """Let track handle what is in its queue; what came back stays there."""
        answers = []
        for _ in range(rounds):
            queue = self.queues.messages.get(URL + "track", {})
            for batch in itertools.batched(list(queue), size, strict=False):
                records = []
                for message_id in batch:
                    self.received[message_id] = self.received.get(message_id, 0) + 1
                    records.append(
                        {
                            "messageId": message_id,
                            "receiptHandle": message_id,
                            "body": queue[message_id][0],
                            "attributes": {
                                "ApproximateReceiveCount": str(self.received[message_id])
                            },
                        }
                    )
                answer = self.track.handler({"Records": records}, self.context)
                back = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
                for message_id in set(batch) - back:
                    del queue[message_id]
                answers.append(answer)
        return answers

    def announce_all(self):
        """Let announce handle what is in the stream, filtered as the template filters it."""
        fresh = self.dynamo.stream[self.streamed :]
        records = [one for one in fresh if one["dynamodb"]["NewImage"]["quiet"]["S"] == "no"]
        for batch in itertools.batched(records, 100, strict=False):
            answer = self.announce.handler({"Records": list(batch)}, self.context)
            assert answer == {"batchItemFailures": []}
        self.streamed = len(self.dynamo.stream)

    def edited(self, count=1):
        """Let deals be edited and read; returns their stream records."""
        for number in range(1, count + 1):
            self.portal.put(2, number, title="a", updatedTime=OLD)
        self.baseline()
        for number in range(1, count + 1):
            self.portal.put(2, number, title="b")
            self.event(number)
        self.track_all()
        # Puts run in threads, so the records of several items come in any order.
        records = self.dynamo.stream[-count:]
        return sorted(records, key=lambda one: int(one["dynamodb"]["NewImage"]["id"]["N"]))

    def announced_from(self, records):
        """Let announce handle records; returns those that come again."""
        return announced_from(self.announce, records)

    @contextmanager
    def document(self):
        """Yield the sweep's document, and store it with what was changed in it."""
        row = self.dynamo.state.setdefault("sweep#main", {"pk": {"S": "sweep#main"}})
        text = row.setdefault("document", {"S": "{}"})["S"]
        document = SweepDocument.from_json(text)
        yield document
        row["document"]["S"] = document.to_json()

    def sweep(self):
        """Let one sweep run."""
        return self.sweep_module.handler({}, self.context)

    def settle(self, rounds=1):
        """Let track and announce handle what there is; returns the changes since the last time."""
        before = len(self.topic.published)
        self.track_all(rounds=rounds)
        self.announce_all()
        return self.topic.published[before:]

    def baseline(self):
        """Fill the mirror for the first time, until it is complete."""
        for _ in range(2):
            assert self.sweep() == {"main": "done"}
            self.track_all(size=50)
            assert self.settle() == []
        self.track._documents.clear()  # noqa: SLF001  a minute passes

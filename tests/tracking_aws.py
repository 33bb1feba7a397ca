"""The handlers of tracking, joined as the template joins them, and what tests give and read."""

import itertools
import json
from contextlib import contextmanager
from datetime import UTC, datetime

from relay.change import Change
from relay.tracking.row import ITEM, Key, Row
from relay.tracking.sweep_state import SweepDocument
from tests.tracking_queues import URL

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
        self.connect = lambda _name, _remaining: self.portal  # as wiring.portal does

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

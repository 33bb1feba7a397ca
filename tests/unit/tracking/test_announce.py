"""From the stream to the topic: what fails, what does not fit, what nobody understands."""

import copy
import json
import time
from datetime import UTC, datetime

import pytest

from ops import redrive
from relay.tracking import difference as difference_module
from relay.tracking import parts
from relay.tracking.announce import to_change
from relay.tracking.difference import change_of
from relay.tracking.row import TOMBSTONE, UNREADABLE, NewerFormatError
from relay.tracking.state import is_subscribed
from tests.tracking_aws import OLD, URL, Context, row


def edited(relay, count=1):
    """Let deals be edited and read, and return their stream records."""
    for number in range(1, count + 1):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for number in range(1, count + 1):
        relay.portal.put(2, number, title="b")
        relay.event(number)
    relay.track_all()
    # Puts run in threads, so the records of several items come in any order.
    found = relay.dynamo.stream[-count:]
    return sorted(found, key=lambda one: int(one["dynamodb"]["NewImage"]["id"]["N"]))


def test_a_failed_entry_is_published_once_more(relay):
    """What SNS did not take of a group is repeated alone."""
    records = edited(relay, 12)
    relay.topic.fail_entries = [{2, 5}]
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    assert len({one["id"] for one in relay.topic.published}) == 12
    assert relay.topic.calls == 3


def test_from_the_first_failed_record_on_everything_comes_again(relay):
    """A record that SNS does not take twice is where the stream goes on."""
    records = edited(relay, 12)
    relay.topic.fail_entries = [{3, 4}, {0}]
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[3]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}


def test_sns_away_loses_nothing(relay):
    """While SNS is down the batch comes again, whole."""
    records = edited(relay)
    relay.topic.down = True
    answer = relay.announce.handler({"Records": records}, Context)
    assert len(answer["batchItemFailures"]) == 1
    relay.topic.down = False
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}


def test_a_poison_record_is_set_aside_whole(relay):
    """A row that can't be understood goes into a queue of its own, the others are announced."""
    first, second = copy.deepcopy(edited(relay, 2))
    first["dynamodb"]["NewImage"]["content"]["S"] = "{"
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer == {"batchItemFailures": []}
    (kept,) = relay.queues.bodies("dead")
    assert json.loads(kept) == first
    assert [one["subject"] for one in relay.topic.published] == ["deal/2"]
    relay.queues.full = True
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert answer["batchItemFailures"][0]["itemIdentifier"] == first["dynamodb"]["SequenceNumber"]


def test_a_poison_record_that_no_message_holds_is_packed(relay):
    """It is whole all the same, and `make redrive` reads it."""
    (record,) = copy.deepcopy(edited(relay))
    for image in ("OldImage", "NewImage"):
        record["dynamodb"][image]["content"] = {"S": '"' * 380_000}
    relay.announce.handler({"Records": [record]}, Context)
    ((body, _),) = relay.queues.messages[URL + "dead"].values()
    assert len(body) < 1_000_000
    assert redrive._content({"Body": body}) == record  # noqa: SLF001  the other end


def test_newer_rows_are_left_for_newer_code(relay):
    """A record of a format that this code does not know stops the batch there."""
    first, second = copy.deepcopy(edited(relay, 2))
    second["dynamodb"]["NewImage"]["format"] = {"N": "99"}
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    number = second["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert len(relay.topic.published) == 1
    relay.dynamo.mirror["main/deal", 1]["format"] = {"N": "99"}
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_removed_row_is_no_change(relay):
    """Somebody who deletes a row by hand deletes no deal."""
    one = {"dynamodb": {"OldImage": edited(relay)[0]["dynamodb"]["NewImage"]}}
    assert to_change(one) is None


def test_large_changes_travel_in_groups_that_fit(relay):
    """Ten Changes of 100 KB take several requests, each below SNS's limit."""
    for number in range(1, 11):
        relay.portal.put(2, number, title="a", comments="x" * 50_000, updatedTime=OLD)
    relay.baseline()
    for number in range(1, 11):
        relay.portal.put(2, number, comments="y" * 50_000)
        relay.event(number)
    assert len(relay.settle()) == 10
    assert relay.topic.calls == 5


def test_an_oversized_item_says_which_fields_changed(relay):
    """Beyond DynamoDB's and SNS's limits a Change names what it could not carry."""
    relay.portal.put(2, 1, comments="x" * 500_000, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, comments="y" * 500_000)
    relay.event(1)
    (change,) = relay.settle()
    assert change["data"]["changed"] == ["comments"]
    assert change["data"]["truncated"] == ["comments"]
    assert change["data"]["after"]["title"] == "a"
    relay.portal.put(2, 1, comments="z" * 200_000)
    relay.event(1)
    (change,) = relay.settle()
    assert change["data"]["truncated"] == ["comments"]


def test_a_change_leaves_out_its_largest_fields(monkeypatch):
    """What is too much for one message is named, the largest first."""
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", 60)
    new = row(seq=2, text=json.dumps({"a": "x" * 40, "b": "y" * 20, "c": 1}))
    change = change_of(row(text='{"a":1}'), new)
    assert change.truncated == ("a",)
    assert change.after == {"b": "y" * 20, "c": 1}
    assert change.changed == ("a", "b", "c")
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", 0)
    assert change_of(row(text='{"a":1}'), new).truncated == ("a", "b", "c")


@pytest.mark.parametrize(
    ("old", "new", "action"),
    [
        (None, row(), "added"),
        (None, row(quiet=True), None),
        (None, row(kind=TOMBSTONE, text=""), None),
        (row(), row(kind=UNREADABLE), None),
        (row(kind=UNREADABLE), row(text='{"title":"b"}'), "updated"),
        (row(kind=UNREADABLE, text=""), row(), None),
        (row(kind=UNREADABLE), row(kind=TOMBSTONE, text=""), "deleted"),
        (row(kind=TOMBSTONE, text=""), row(), "added"),
        (row(), row(), None),
    ],
)
def test_what_lies_between_two_rows(old, new, action):
    """Each pair of images is announced as what it means, or not at all."""
    change = change_of(old, new)
    assert (change and change.action) == action


def test_an_older_row_is_converted_before_it_is_compared(monkeypatch):
    """A field that an upgrade began to store is no difference."""
    upgrades = {1: lambda form, beside: form | {"new": beside["new"]}}
    monkeypatch.setattr("relay.tracking.projection.UPGRADES", upgrades)
    monkeypatch.setattr("relay.tracking.row.FORMAT", 2)
    new = row(format=2, text='{"title":"a","new":1}')
    assert change_of(row(), new) is None
    with pytest.raises(NewerFormatError):
        _ = row(format=3).form


def test_kinds_without_a_subscription_miss_nothing():
    """Where events of other kinds come, one that never sent any is not subscribed."""
    assert is_subscribed({}, "deal", 100)
    assert is_subscribed({"deal": 50}, "deal", 100)
    assert not is_subscribed({"deal": 50}, "contact", 100)


def test_what_no_event_could_announce_is_not_missed(relay, capsys):
    """A change of a kind that is not subscribed, or a move to another funnel, is not counted."""
    relay.portal.put(2, 1, title="a", categoryId=0, updatedTime=OLD)
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    parts.seen().note("main", {"deal"}, time.time())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, categoryId=9, updatedTime=now)
    relay.portal.put(3, 1, name="b", updatedTime=now)
    capsys.readouterr()
    relay.sweep()
    assert len(relay.settle()) == 2
    assert "MissedChanges" not in capsys.readouterr().out


class Killed(BaseException):
    """The function was ended."""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_handler_that_is_killed_loses_and_changes_nothing(relay, monkeypatch, after):
    """The stream delivers the batch again: every id is there, and each has one content."""
    records = edited(relay, 25)
    publish = relay.topic.publish_batch
    calls = iter(range(99))

    def dying(**request):
        answer = publish(**request)  # it arrived, and nobody learns of it
        if next(calls) == after:
            raise Killed
        return answer

    monkeypatch.setattr(relay.topic, "publish_batch", dying)
    with pytest.raises(Killed):
        relay.announce.handler({"Records": records}, Context)
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    by_id = {}
    for one in relay.topic.published:
        by_id.setdefault(one["id"], []).append(one)
    assert sorted(int(its[0]["data"]["id"]) for its in by_id.values()) == list(range(1, 26))
    assert all(one == its[0] for its in by_id.values() for one in its)

"""From the stream to the topic: what fails, what does not fit, what nobody understands."""

import copy
import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from ops import redrive
from relay import settings
from relay.change import Change
from relay.echo import detect
from relay.errors import NewerFormatError
from relay.tracking import announce, wiring
from relay.tracking import difference as difference_module
from relay.tracking.announce import to_change
from relay.tracking.difference import change_of
from relay.tracking.event_times import is_subscribed
from relay.tracking.projection import canonical_json
from relay.tracking.row import ITEM, TOMBSTONE, UNREADABLE, Base, Key, Reading, to_item
from tests.samples import passes
from tests.tracking_aws import (
    OLD,
    URL,
    Context,
    FakeDynamo,
    FakeQueues,
    FakeTopic,
    metric,
    row,
)


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
    assert relay.topic.calls == 2  # the group and once more; none behind it
    assert len(relay.topic.published) == 9


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
    """What is too much for one message is named, the largest first; `changed` stays whole."""
    form = {"a": "x" * 40, "b": "y" * 20, "c": 1}
    old, new = row(text='{"a":1}'), row(seq=2, text=json.dumps(form))
    whole = change_of(old, new)
    assert (whole.after, whole.truncated) == (form, ())
    size = len(whole.to_json().encode())
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", size)
    assert change_of(old, new) == whole
    monkeypatch.setattr(difference_module, "CHANGE_BYTES", size - 1)
    change = change_of(old, new)
    assert change.truncated == ("a",)
    assert change.after == {"b": "y" * 20, "c": 1}
    assert change.before == {"b": None, "c": None}
    assert change.changed == ("a", "b", "c")


@pytest.mark.parametrize(
    ("fields", "letters", "value"),
    [(1000, 50, "x" * 150), (1000, 50, 1), (700, 50, "ж" * 100), (5, 50, "\n" * 60_000)],
)
def test_a_change_of_a_thousand_fields_fits_and_names_them_all(fields, letters, value):
    """Names of 50 letters, in `changed` and in `truncated`, leave room for what still fits."""
    names = sorted(f"UF_CRM_{number}".ljust(letters, "X") for number in range(fields))
    text = canonical_json(dict.fromkeys(names, value))
    for old in (None, row(text="{}")):
        change = change_of(old, row(seq=2, text=text))
        size = len(change.to_json().encode())
        assert size <= 256_000
        assert change.changed == tuple(names)
        assert set(change.truncated) | set(change.after) == set(names)
        assert not set(change.truncated) & set(change.after)
        assert not change.truncated or size > 256_000 - 130_000  # no more is left out than must be


def test_names_that_no_message_holds_end_in_a_star():
    """Beyond that, as many names of `changed` as fit are told, in order, and no field."""
    names = sorted(f"UF_CRM_{number:043}" for number in range(6000))
    change = change_of(None, row(text=canonical_json(dict.fromkeys(names, 1))))
    assert 255_900 < len(change.to_json().encode()) <= 256_000
    assert change.changed == (*names[: len(change.changed) - 1], "*")
    assert (change.after, change.truncated) == ({}, ("*",))
    changed = row(text=canonical_json(dict.fromkeys(names, 1) | {"a": 1}))
    one = change_of(row(text=canonical_json(dict.fromkeys(names, 1))), changed)
    assert one.changed == ("a",)
    assert one.truncated == ("*",)


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
    wiring.seen().note("main", {"deal"}, time.time())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, categoryId=9, updatedTime=now)
    relay.portal.put(3, 1, name="b", updatedTime=now)
    capsys.readouterr()
    relay.sweep()
    assert len(relay.settle()) == 2
    assert "MissedChanges" not in capsys.readouterr().out


def sns_error(code, message=""):
    """Return an error of a whole request."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "PublishBatch")


def refusing(relay, monkeypatch, error, *subjects):
    """Let SNS answer a request that has one of these Changes in it with an error."""
    publish = relay.topic.publish_batch

    def publish_batch(*, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        texts = [entry["Message"] for entry in PublishBatchRequestEntries]
        if any(json.loads(text)["subject"] in subjects for text in texts):
            raise error
        return publish(TopicArn=TopicArn, PublishBatchRequestEntries=PublishBatchRequestEntries)

    monkeypatch.setattr(relay.topic, "publish_batch", publish_batch)


TOO_LONG = sns_error("InvalidParameter", "Invalid parameter: Message too long")


@pytest.mark.parametrize(
    "error", [TOO_LONG, sns_error("BatchRequestTooLong"), ParamValidationError(report="no")]
)
def test_a_change_that_sns_never_takes_holds_up_nothing(relay, monkeypatch, error):
    """The record is set aside at once with the reason; all others are published."""
    records = edited(relay, 12)
    refusing(relay, monkeypatch, error, "deal/3")
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    assert len(relay.topic.published) == 11
    (kept,) = relay.queues.messages[URL + "dead"].values()
    assert json.loads(kept[0]) == records[2]
    assert str(error).splitlines()[-1] in kept[1]["MessageAttributes"]["reason"]["StringValue"]


def test_a_refused_change_that_can_not_be_set_aside_comes_again(relay, monkeypatch):
    """The stream goes on from that record only."""
    records = edited(relay, 12)
    refusing(relay, monkeypatch, TOO_LONG, "deal/3")
    relay.queues.full = True
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[2]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}


@pytest.mark.parametrize(
    "error",
    [
        sns_error("InvalidParameter", "Invalid parameter: TopicArn"),
        sns_error("AuthorizationError"),
        sns_error("KMSDisabled"),
        sns_error("Throttled"),
        EndpointConnectionError(endpoint_url="https://sns.test"),
    ],
)
def test_what_an_operator_or_time_mends_is_never_set_aside(relay, monkeypatch, error):
    """The records come again, from the first on, and the dead-letter queue stays empty."""
    records = edited(relay, 12)
    refusing(relay, monkeypatch, error, "deal/3")
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert relay.queues.bodies("dead") == []


@pytest.mark.parametrize(
    ("fault", "sender", "dead"),
    [("InvalidParameter", True, 1), ("InvalidParameter", False, 0), ("KMSThrottling", True, 0)],
)
def test_an_entry_that_sns_refuses_for_good_is_set_aside(relay, monkeypatch, fault, sender, dead):
    """Only where SNS says that the sender is to blame, with a code that time does not change."""
    records = edited(relay, 3)
    publish = relay.topic.publish_batch

    def publish_batch(*, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        bad = [one for one in PublishBatchRequestEntries if '"deal/2"' in one["Message"]]
        good = [one for one in PublishBatchRequestEntries if one not in bad]
        publish(TopicArn=TopicArn, PublishBatchRequestEntries=good)
        about = {"Code": fault, "SenderFault": sender, "Message": "so it is"}
        return {"Failed": [{"Id": one["Id"], **about} for one in bad]}

    monkeypatch.setattr(relay.topic, "publish_batch", publish_batch)
    answer = relay.announce.handler({"Records": records}, Context)
    assert len(answer["batchItemFailures"]) == 1 - dead
    assert len(relay.queues.bodies("dead")) == dead
    assert len(relay.topic.published) == 2


def versions(relay, *numbers):
    """Let the deals of these numbers be edited one after the other; returns their records."""
    for number in set(numbers):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for at, number in enumerate(numbers):
        relay.portal.put(2, number, title=f"edit {at}")
        relay.event(number)
        relay.track_all()
    return relay.dynamo.stream[-len(numbers) :]


@settings_of_hypothesis(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_version_is_published_before_an_earlier_one(data):
    """Whatever fails, whenever: an item's versions appear first in their order, and all of them."""
    numbers = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=14))
    left = [record(number, numbers[:at].count(number) + 2, at) for at, number in enumerate(numbers)]
    topic, queues = FakeTopic(), FakeQueues()
    clients = {"sns": topic, "sqs": queues, "dynamodb": FakeDynamo()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "client", lambda name, **_: clients[name])
        for name in ("STATE_TABLE", "DEAD_LETTERS_URL"):
            patch.setenv(name, "State")
        patch.setenv("CHANGES_TOPIC_ARN", "arn:changes")
        for _ in range(6):
            topic.fail_entries = data.draw(st.lists(st.sets(st.integers(0, 9)), max_size=6))
            left = announced_from(left)
        topic.fail_entries = []
        assert announced_from(left) == []
    for number in set(numbers):
        found = [
            one["data"]["version"] for one in topic.published if one["data"]["id"] == str(number)
        ]
        firsts = list(dict.fromkeys(found))
        assert firsts == list(range(2, numbers.count(number) + 2))


def record(number, version, at):
    """Return the stream record of a deal's version."""
    old, new = (look_item(number, seq, title=f"edit {seq}") for seq in (version - 1, version))
    return {"dynamodb": {"OldImage": old, "NewImage": new, "SequenceNumber": str(at)}}


def look_item(number, seq, **form):
    """Return a row of the mirror as DynamoDB spells it."""
    look = Reading(
        key=Key("main", "deal", number),
        kind=ITEM,
        text=canonical_json(form),
        updated="",
        read_at=1.0,
        via="event",
        quiet=False,
    )
    return to_item(look, Base(seq - 1, "b"), "b")


def announced_from(records):
    """Let announce handle records; returns those that come again."""
    failed = announce.handler({"Records": records})["batchItemFailures"]
    if not failed:
        return []
    numbers = [one["dynamodb"]["SequenceNumber"] for one in records]
    return records[numbers.index(failed[0]["itemIdentifier"]) :]


def test_versions_of_one_item_take_a_request_each_and_ten_items_one(relay):
    """So a version that fails is never overtaken, and the usual batch costs a tenth."""
    relay.announce.handler({"Records": versions(relay, 1, 1, 2, 3)}, Context)
    assert relay.topic.calls == 2
    assert [one["subject"][-1] for one in relay.topic.published] == ["1", "1", "2", "3"]


@pytest.mark.parametrize(("age", "aside"), [(3500, 0), (3700, 1)])
def test_newer_rows_wait_for_an_hour(relay, age, aside):
    """A deploy takes minutes; after one that was rolled back no newer code ever comes."""
    first, second = copy.deepcopy(edited(relay, 2))
    first["dynamodb"]["NewImage"]["format"] = {"N": "99"}
    first["dynamodb"]["ApproximateCreationDateTime"] = time.time() - age
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert len(answer["batchItemFailures"]) == 1 - aside
    assert len(relay.queues.bodies("dead")) == len(relay.topic.published) == aside


@pytest.mark.parametrize(("hours", "aside"), [(22, False), (24, True)])
@pytest.mark.parametrize("away", ["topic", "ledger"])
def test_what_the_stream_would_drop_is_set_aside(relay, monkeypatch, away, hours, aside):
    """While AWS is away nothing is a dead letter, until the stream would lose the record."""
    records = copy.deepcopy(edited(relay, 12))
    for one in records[:10]:
        one["dynamodb"]["ApproximateCreationDateTime"] = time.time() - hours * 3600
    if away == "topic":
        relay.topic.down = True
    else:
        monkeypatch.setattr(relay.dynamo, "trouble", sns_error("ProvisionedThroughputExceeded"))
    left = records
    for _ in range(11):
        left = announced_from(left)
    assert len(relay.queues.bodies("dead")) == 10 * aside
    assert left == (records[10:] if aside else records)


def test_one_group_is_rescued_in_a_run(relay):
    """A run that waits for AWS again and again would be killed, and set the same aside twice."""
    records = copy.deepcopy(edited(relay, 12))
    for one in records:
        one["dynamodb"]["ApproximateCreationDateTime"] = time.time() - 24 * 3600
    relay.topic.down = True
    left = announced_from(records)
    assert (left, len(relay.queues.bodies("dead"))) == (records[10:], 10)
    assert announced_from(left) == []
    assert len(relay.queues.bodies("dead")) == 12


def test_a_poison_record_is_set_aside_in_its_turn(relay):
    """While what is before it can't be published, it is not set aside with every delivery."""
    first, second = copy.deepcopy(edited(relay, 2))
    second["dynamodb"]["NewImage"]["content"]["S"] = "[" * 100_000  # too deep for a parser
    relay.topic.down = True
    for _ in range(3):
        relay.announce.handler({"Records": [first, second]}, Context)
    assert relay.queues.bodies("dead") == []
    relay.topic.down = False
    answer = relay.announce.handler({"Records": [first, second, first]}, Context)
    assert answer == {"batchItemFailures": []}
    assert len(relay.queues.bodies("dead")) == 1
    assert len(relay.topic.published) == 2


def test_a_change_that_can_not_be_written_out_is_set_aside_alone(relay):
    """Those beside it in the batch are published."""
    records = copy.deepcopy(edited(relay, 3))
    records[1]["dynamodb"]["NewImage"] |= {"read_at": {"N": "1e99"}}
    assert announced_from(records) == []
    assert len(relay.queues.bodies("dead")) == 1
    assert [one["subject"] for one in relay.topic.published] == ["deal/1", "deal/3"]


def test_a_change_that_no_ledger_judges_is_set_aside_alone(relay, monkeypatch):
    """A mistake of ours in judging one Change holds up no other."""
    records = edited(relay, 3)
    mark = detect.mark_echoes

    def failing(changes, *others):
        if any(change.id == "2" for change in changes):
            raise KeyError("fm")
        return mark(changes, *others)

    monkeypatch.setattr(detect, "mark_echoes", failing)
    assert announced_from(records) == []
    assert len(relay.queues.bodies("dead")) == 1
    assert [one["subject"] for one in relay.topic.published] == ["deal/1", "deal/3"]


def test_a_missing_setting_sets_nothing_aside(relay, monkeypatch):
    """It is the operator's to mend: the stream delivers the records until then."""
    records = edited(relay, 3)
    monkeypatch.delenv("STATE_TABLE")
    assert announced_from(records) == records
    assert relay.queues.bodies("dead") == []


@pytest.mark.parametrize("fails", ["update_item", "get_item"])
def test_what_is_only_counted_repeats_no_change(relay, monkeypatch, capsys, fails):
    """State that can't be noted or read is logged; the batch is done, and counted."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedTime=datetime.now(UTC).isoformat(timespec="seconds"))
    relay.sweep()
    relay.track_all()
    real = getattr(relay.dynamo, fails)

    def away(*, Key, **options):  # noqa: N803
        if Key["pk"]["S"].startswith("seen#"):
            raise sns_error("ThrottlingException")
        return real(Key=Key, **options)

    monkeypatch.setattr(relay.dynamo, fails, away)
    capsys.readouterr()
    relay.announce_all()
    assert len(relay.topic.published) == 1
    assert metric(capsys, "announced") == 1


def test_a_deal_that_was_won_before_the_first_look_passes_the_filter_of_won_deals(relay):
    """In `added` every field that is set has changed, so one filter serves both."""
    won = {"title": "a", "stageId": "WON", "stageSemanticId": "S", "updatedBy": 1}
    policy = {
        "type": ["com.bitrix24.deal.added", "com.bitrix24.deal.updated"],
        "data": {"changed": ["stageSemanticId"], "after": {"stageSemanticId": ["S"]}},
    }
    relay.baseline()
    relay.portal.put(2, 1, **won)
    relay.event(1, "add")
    relay.portal.put(2, 2, **won | {"title": ""})
    relay.event(2)  # the ADD event was lost
    found = relay.settle()
    assert [passes(policy, one) for one in found] == [True, True]
    for body in found:
        change = Change.from_cloudevent(body)
        assert change.moved("stageSemanticId", to="S", from_=None)
        assert set(change.changed) == set(change.after) - {"updatedBy", "updatedTime"}


def test_a_funnel_of_a_new_deal_is_no_move(relay, capsys):
    """A deal that only a sweep found was missed by its event, whichever funnel it is in."""
    relay.baseline()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    relay.portal.put(2, 1, title="a", categoryId=3, updatedTime=now)
    relay.sweep()
    capsys.readouterr()
    relay.settle()
    assert metric(capsys, "MissedChanges") == 1


def test_what_its_event_announced_is_not_missed_and_a_new_item_lists_no_names(relay, capsys):
    """Only what a sweep found is missed; a log line names the fields of an update alone."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.settle()
    relay.portal.put(2, 1, title="b")
    relay.event(1)
    capsys.readouterr()
    relay.settle()
    out = capsys.readouterr().out
    assert "MissedChanges" not in out
    assert "deal 1 updated title, event" in out
    relay.portal.put(2, 2, title="a")
    relay.event(2, "add")
    relay.settle()
    assert "deal 2 added, event" in capsys.readouterr().out


def test_only_what_was_published_is_counted(relay, monkeypatch, capsys):
    """Neither what is set aside nor what comes again is announced."""
    records = edited(relay, 12)
    refusing(relay, monkeypatch, TOO_LONG, "deal/3")
    relay.topic.fail_entries = [(), (), (), (), (), (), (), (), (), {0}, {0}]
    capsys.readouterr()
    assert len(announced_from(records)) == 2
    assert metric(capsys, "announced") == 9 + 1


NO = [0, 0.0, "0", "N"]


@pytest.mark.parametrize("no", NO)
def test_a_new_yes_no_field_of_the_portal_is_no_change(relay, monkeypatch, no):
    """A field that appears with a "no", or goes with it, is taken over without a Change."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    monkeypatch.setenv("RECONCILE_DAYS", "0")
    for field in ({"UF_CRM_NEW": no}, {"title": "b"}):
        relay.portal.put(2, 1, **field)
        relay.portal.put(2, 2, UF_CRM_NEW=no)
        relay.sweep()
        relay.event(1)
        relay.event(2)
        found = relay.settle()
    assert [one["data"]["changed"] for one in found] == [["title"]]
    assert found[0]["data"]["after"]["UF_CRM_NEW"] == no
    relay.portal.put(2, 2, UF_CRM_NEW="1")
    relay.event(2)
    (found,) = relay.settle()
    assert (found["data"]["changed"], found["data"]["before"]) == (
        ["UF_CRM_NEW"],
        {"UF_CRM_NEW": no},
    )
    del relay.portal.items[2][1]["UF_CRM_NEW"]
    relay.event(1)
    assert relay.settle() == []


@pytest.mark.parametrize("no", NO)
def test_a_person_who_sets_a_field_that_is_there_to_no_is_announced(relay, no):
    """The names of the fields tell an empty field from one that the portal did not have."""
    relay.portal.put(2, 1, title="a", UF_CRM_SUM=None, updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, UF_CRM_SUM=no)
    relay.event(1)
    (found,) = relay.settle()
    assert found["data"]["changed"] == ["UF_CRM_SUM"]


@pytest.mark.parametrize(
    ("value", "old", "new", "changed"),
    [
        ("0", "a", "b", ()),
        ("1", "a", "b", ("x",)),
        (True, "a", "b", ("x",)),
        ("0", "", "b", ("x",)),
        ("0", "a", "", ("x",)),
        ("0", "a", "a", ("x",)),
    ],
)
def test_only_new_names_make_a_no_nothing(value, old, new, changed):
    """Rows without the names, as older code wrote them, are compared as ever."""
    text = json.dumps({"title": "a", "x": value})
    change = change_of(row(names=old), row(names=new, text=text))
    assert (change.changed if change else ()) == changed


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

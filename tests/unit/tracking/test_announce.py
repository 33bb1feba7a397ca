"""The announce function: from the stream to the topic."""

import copy
import json
import time

import pytest
from botocore.exceptions import EndpointConnectionError, ParamValidationError
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from relay.echo import detect
from relay.tracking import announce, wiring
from relay.tracking.announce import to_change
from relay.tracking.projection import (
    canonical_json,
)
from relay.tracking.row import Key
from tests.aws_clients import aws_of
from tests.ledger import rows_of, update
from tests.tracking_aws import LATER, OLD, Context, announced_from, logged, metric, row
from tests.tracking_dynamo import FakeDynamo
from tests.tracking_queues import URL, FakeQueues, FakeTopic, sns_error


def test_a_failed_entry_is_published_once_more(relay):
    """An entry that SNS refused in a group is published in a second request, without the others."""
    records = relay.edited(12)
    relay.topic.fail_entries = [{2, 5}]
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    assert len({one["id"] for one in relay.topic.published}) == 12
    assert relay.topic.calls == 3


@pytest.mark.parametrize(("alone", "groups"), [(True, {None}), (False, {"main"})])
def test_only_portals_that_share_a_stack_are_groups(relay, alone, groups):
    """A group makes queues fair, and is billed: the only portal of a stack has none."""
    wiring.mirror().alone = alone
    relay.announce.handler({"Records": relay.edited(2)}, Context)
    assert relay.topic.groups == groups


def test_from_the_first_failed_record_on_everything_comes_again(relay):
    """The stream goes on from a record that SNS refuses twice; later groups are not published."""
    records = relay.edited(12)
    relay.topic.fail_entries = [{3, 4}, {0}]
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[3]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert relay.topic.calls == 2  # the group and once more; none behind it
    assert len(relay.topic.published) == 9


def test_sns_away_loses_nothing(relay):
    """While SNS is down, the batch comes again from its first record."""
    records = relay.edited()
    relay.topic.down = True
    answer = relay.announce.handler({"Records": records}, Context)
    assert len(answer["batchItemFailures"]) == 1
    relay.topic.down = False
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}


def test_newer_rows_are_left_for_newer_code(relay):
    """A row of a format that this code does not know stops the batch; track leaves it as well."""
    first, second = copy.deepcopy(relay.edited(2))
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
    """A row that a person removes by hand announces no deletion."""
    one = {"dynamodb": {"OldImage": relay.edited()[0]["dynamodb"]["NewImage"]}}
    assert to_change(one) is None


def test_large_changes_travel_in_groups_that_fit(relay):
    """Ten Changes of 100 KB take five requests, each below SNS's limit."""
    for number in range(1, 11):
        relay.portal.put(2, number, title="a", comments="x" * 50_000, updatedTime=OLD)
    relay.baseline()
    for number in range(1, 11):
        relay.portal.put(2, number, comments="y" * 50_000)
        relay.event(number)
    assert len(relay.settle()) == 10
    assert relay.topic.calls == 5


def refusing(relay, error, *subjects):
    """Let SNS answer a request that has one of these Changes in it with an error."""
    publish = relay.topic.publish_batch

    def publish_batch(*, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        texts = [entry["Message"] for entry in PublishBatchRequestEntries]
        if any(json.loads(text)["subject"] in subjects for text in texts):
            raise error
        return publish(TopicArn=TopicArn, PublishBatchRequestEntries=PublishBatchRequestEntries)

    relay.topic.publish_batch = publish_batch


TOO_LONG = sns_error("InvalidParameter", "Invalid parameter: Message too long")


@pytest.mark.parametrize(
    "error", [TOO_LONG, sns_error("BatchRequestTooLong"), ParamValidationError(report="no")]
)
def test_a_change_that_sns_never_takes_holds_up_nothing(relay, error):
    """The refused record is dead-lettered at once with SNS's reason; all others are published."""
    records = relay.edited(12)
    refusing(relay, error, "deal/3")
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    assert len(relay.topic.published) == 11
    (kept,) = relay.queues.messages[URL + "dead"].values()
    assert json.loads(kept[0]) == records[2]
    assert str(error).splitlines()[-1] in kept[1]["MessageAttributes"]["reason"]["StringValue"]


def test_a_refused_change_that_can_not_be_set_aside_comes_again(relay):
    """If SQS is down as well, the stream goes on from the refused record."""
    records = relay.edited(12)
    refusing(relay, TOO_LONG, "deal/3")
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
def test_an_error_that_passes_sets_nothing_aside(relay, error):
    """Records come again while SNS, a right, a key or the topic's name is in trouble."""
    records = relay.edited(12)
    refusing(relay, error, "deal/3")
    answer = relay.announce.handler({"Records": records}, Context)
    number = records[0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert relay.queues.bodies("dead") == []


@pytest.mark.parametrize(
    ("fault", "sender", "dead"),
    [("InvalidParameter", True, 1), ("InvalidParameter", False, 0), ("KMSThrottling", True, 0)],
)
def test_an_entry_that_sns_refuses_for_good_is_set_aside(relay, fault, sender, dead):
    """An entry is dead-lettered only if SNS blames the sender, with a code that never passes."""
    records = relay.edited(3)
    publish = relay.topic.publish_batch

    def publish_batch(*, TopicArn, PublishBatchRequestEntries):  # noqa: N803
        bad = [one for one in PublishBatchRequestEntries if '"deal/2"' in one["Message"]]
        good = [one for one in PublishBatchRequestEntries if one not in bad]
        publish(TopicArn=TopicArn, PublishBatchRequestEntries=good)
        about = {"Code": fault, "SenderFault": sender, "Message": "so it is"}
        return {"Failed": [{"Id": one["Id"], **about} for one in bad]}

    relay.topic.publish_batch = publish_batch
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


@settings_of_hypothesis(deadline=None)
@given(data=st.data())
def test_no_version_is_published_before_an_earlier_one(data):
    """Whatever fails, the versions of an item appear first in their order, and each appears."""
    numbers = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=14))
    left = [record(number, numbers[:at].count(number) + 2, at) for at, number in enumerate(numbers)]
    topic, queues = FakeTopic(), FakeQueues()
    clients = aws_of(sns=topic, sqs=queues, dynamodb=FakeDynamo())
    with clients, pytest.MonkeyPatch.context() as patch:
        for name in ("STATE_TABLE", "DEAD_LETTERS_URL"):
            patch.setenv(name, "State")
        patch.setenv("CHANGES_TOPIC_ARN", "arn:changes")
        patch.setenv("HISTORY_TABLE", "History")
        patch.setenv("HISTORY_DAYS", "0")
        for _ in range(6):
            topic.fail_entries = data.draw(st.lists(st.sets(st.integers(0, 9)), max_size=6))
            left = announced_from(announce, left)
        topic.fail_entries = []
        assert announced_from(announce, left) == []
    for number in set(numbers):
        found = [
            one["data"]["version"] for one in topic.published if one["data"]["id"] == str(number)
        ]
        firsts = list(dict.fromkeys(found))
        assert firsts == list(range(2, numbers.count(number) + 2))


def record(number, version, at):
    """Return the stream record of a deal's version."""
    old, new = (stored(number, seq, title=f"edit {seq}") for seq in (version - 1, version))
    return {"dynamodb": {"OldImage": old, "NewImage": new, "SequenceNumber": str(at)}}


def stored(number, seq, **form):
    """Return a row of the mirror as DynamoDB spells it."""
    return row(key=Key("main", "deal", number), seq=seq, text=canonical_json(form)).to_item()


def test_versions_of_one_item_take_a_request_each_and_ten_items_one(relay):
    """Two versions of one item are never in one request; versions of other items are."""
    relay.announce.handler({"Records": versions(relay, 1, 1, 2, 3)}, Context)
    assert relay.topic.calls == 2
    assert [one["subject"][-1] for one in relay.topic.published] == ["1", "1", "2", "3"]


@pytest.mark.parametrize(("age", "aside"), [(3500, 0), (3700, 1)])
def test_newer_rows_wait_for_an_hour(relay, age, aside):
    """A row of newer code waits an hour for that code, then it is dead-lettered."""
    first, second = copy.deepcopy(relay.edited(2))
    first["dynamodb"]["NewImage"]["format"] = {"N": "99"}
    first["dynamodb"]["ApproximateCreationDateTime"] = time.time() - age
    answer = relay.announce.handler({"Records": [first, second]}, Context)
    assert len(answer["batchItemFailures"]) == 1 - aside
    assert len(relay.queues.bodies("dead")) == len(relay.topic.published) == aside


def test_a_change_that_can_not_be_written_out_is_set_aside_alone(relay):
    """A row without a valid time is dead-lettered; the records beside it are published."""
    records = copy.deepcopy(relay.edited(3))
    records[1]["dynamodb"]["NewImage"] |= {"read_at": {"N": "1e99"}}
    assert relay.announced_from(records) == []
    assert len(relay.queues.bodies("dead")) == 1
    assert [one["subject"] for one in relay.topic.published] == ["deal/1", "deal/3"]


def test_a_change_that_no_ledger_judges_is_set_aside_alone(relay, monkeypatch):
    """A bug in the search for an echo dead-letters one Change and publishes the others."""
    records = relay.edited(3)
    mark = detect.mark_echoes

    def failing(changes, *others):
        if any(change.id == "2" for change in changes):
            raise KeyError("fm")
        return mark(changes, *others)

    monkeypatch.setattr(detect, "mark_echoes", failing)
    assert relay.announced_from(records) == []
    assert len(relay.queues.bodies("dead")) == 1
    assert [one["subject"] for one in relay.topic.published] == ["deal/1", "deal/3"]


def test_a_missing_setting_sets_nothing_aside(relay, monkeypatch):
    """A missing setting returns the whole batch to the stream and dead-letters nothing."""
    records = relay.edited(3)
    monkeypatch.delenv("STATE_TABLE")
    assert relay.announced_from(records) == records
    assert relay.queues.bodies("dead") == []


def test_the_log_names_what_was_published(relay, capsys):
    """A line has the ids of the published Changes by item, by which `make trace` finds them."""
    records = relay.edited(3)
    refusing(relay, TOO_LONG, "deal/3")
    capsys.readouterr()
    relay.announced_from(records)
    (line,) = logged(capsys, "announced")
    published = {one["subject"]: [one["id"]] for one in relay.topic.published}
    assert line["changes"] == published
    assert len(published) == 2


def test_the_log_keeps_portals_apart(relay, capsys):
    """An item has the same name in two portals of a stack: each portal has a line of its own."""
    records = relay.edited(1)
    twin = copy.deepcopy(records[0])
    for image in ("NewImage", "OldImage"):
        twin["dynamodb"][image]["pk"]["S"] = "second/deal"
    capsys.readouterr()
    relay.announced_from([*records, twin])
    lines = {line["portal"]: line["changes"] for line in logged(capsys, "announced")}
    ids = [one["id"] for one in relay.topic.published]
    assert lines == {"main": {"deal/1": ids[:1]}, "second": {"deal/1": ids[1:]}}


def test_only_published_changes_are_counted(relay, capsys):
    """The metric counts neither dead-lettered Changes nor those that come again."""
    records = relay.edited(12)
    refusing(relay, TOO_LONG, "deal/3")
    relay.topic.fail_entries = [(), (), (), (), (), (), (), (), (), {0}, {0}]
    capsys.readouterr()
    assert len(relay.announced_from(records)) == 2
    assert metric(capsys, "announced") == 9 + 1


class Killed(BaseException):
    """The function was ended."""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_handler_that_is_killed_loses_and_changes_nothing(relay, after):
    """After a kill the second delivery publishes each id with the same content."""
    records = relay.edited(25)
    publish = relay.topic.publish_batch
    calls = iter(range(99))

    def dying(**request):
        answer = publish(**request)  # it arrived, and nobody learns of it
        if next(calls) == after:
            raise Killed
        return answer

    relay.topic.publish_batch = dying
    with pytest.raises(Killed):
        relay.announce.handler({"Records": records}, Context)
    assert relay.announce.handler({"Records": records}, Context) == {"batchItemFailures": []}
    by_id = {}
    for one in relay.topic.published:
        by_id.setdefault(one["id"], []).append(one)
    assert sorted(int(copies[0]["data"]["id"]) for copies in by_id.values()) == list(range(1, 26))
    assert all(one == copies[0] for copies in by_id.values() for one in copies)


WRITER, PERSON = 9, 5


def edit(relay, *users):
    """Let each user edit a deal of relay own; returns the origins."""
    for number, _ in enumerate(users, 1):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    for number, user in enumerate(users, 1):
        relay.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=user)
        relay.event(number)
    return {one["subject"]: one["data"]["origin"] for one in relay.settle()}


def note(relay, number, *, seconds=0, **fields):
    """Note a write to a deal, as a reaction does before it."""
    relay.dynamo.state |= rows_of(
        update(fields, number, number=number, user_id=WRITER, now=time.time() - seconds)
    )


def test_without_a_note_a_change_is_a_persons(relay):
    """A change without a note has the origin `portal`, even if the webhook's owner saved last."""
    assert edit(relay, WRITER, PERSON) == {"deal/1": "portal", "deal/2": "portal"}


def test_without_a_note_a_new_item_is_a_persons(relay):
    """A new item without a note has the origin `portal`, whoever created it."""
    relay.baseline()
    for number, user in ((1, WRITER), (2, PERSON)):
        relay.portal.put(2, number, title="a", updatedTime=LATER, createdBy=user)
        relay.event(number, "add")
    origins = {one["subject"]: one["data"]["origin"] for one in relay.settle()}
    assert origins == {"deal/1": "portal", "deal/2": "portal"}


def test_a_note_must_explain_all_that_changed(relay):
    """A note of another field makes no echo; a note of the changed field makes one."""
    note(relay, 1, comments="another field than what has changed")
    note(relay, 2, title="b")
    assert edit(relay, WRITER, WRITER) == {"deal/1": "portal", "deal/2": "relay"}


def test_a_person_may_set_the_value_of_a_reaction_again(relay):
    """A person's change to the value that a reaction wrote before keeps the origin `portal`."""
    note(relay, 1, title="b")
    assert edit(relay, PERSON) == {"deal/1": "portal"}


def test_a_note_from_before_the_former_reading_explains_nothing(relay):
    """A note older than the last reading makes no echo: that reading saw the write already."""
    note(relay, 1, title="b", seconds=90)
    note(relay, 2, title="b", seconds=30)
    assert edit(relay, WRITER, WRITER) == {"deal/1": "portal", "deal/2": "relay"}


def test_a_noted_write_is_announced_as_the_relays(relay):
    """A noted write has the origin `relay`; the same change of another item has `portal`."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    note(relay, 1, title="b")
    for number in (1, 2):
        relay.portal.put(2, number, title="b", updatedTime=LATER, updatedBy=WRITER)
        relay.event(number)
    origins = {one["subject"]: one["data"]["origin"] for one in relay.settle()}
    assert origins == {"deal/1": "relay", "deal/2": "portal"}


def test_a_new_field_of_the_portal_beside_it_leaves_an_echo_one(relay):
    """A yes/no field that the portal adds to every item does not hide an echo."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    note(relay, 1, title="b")
    relay.portal.put(2, 1, title="b", UF_CRM_NEW="0", updatedTime=LATER, updatedBy=WRITER)
    relay.event(1)
    (change,) = relay.settle()
    assert (change["data"]["origin"], change["data"]["changed"]) == ("relay", ["title"])


def test_without_the_ledger_nothing_is_announced(relay):
    """If the ledger can't be read, the batch comes again: an unmarked echo would begin a loop."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.event(1)
    relay.track_all()
    records = relay.dynamo.stream[relay.streamed :]
    relay.dynamo.trouble = EndpointConnectionError(endpoint_url="https://dynamodb")
    answer = relay.announce.handler({"Records": records}, Context)
    first = records[0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert not relay.topic.published

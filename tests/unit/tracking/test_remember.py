"""relay.tracking.remember: announced Changes enter the history first, and can be undone from it."""

import copy
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.history import PastChange, state_before
from relay.tracking.announce import to_change
from relay.tracking.projection import DIGEST, canonical_json
from relay.tracking.remember import checksum, past_change
from relay.tracking.row import ITEM, TOMBSTONE
from tests.ledger import rows_of, update
from tests.tracking_aws import OLD, Context, metric, row

THROTTLED = ClientError({"Error": {"Code": "ProvisionedThroughputExceeded"}}, "BatchWriteItem")


def kept(relay):
    """Return the history's changes by item and version."""
    rows = map(PastChange.of, relay.dynamo.history.values())
    return {(*one.change_id.split(".")[1:3], one.version): one for one in rows}


def test_a_change_is_kept_with_what_it_took_away(relay):
    """The row has the former value, the user who saved, the checksum of the state after it."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b", updatedBy=5)
    relay.event(1)
    (change,) = relay.settle()
    past = kept(relay)["deal", "1", 2]
    assert past.change_id == change["id"]
    assert (past.before, past.saved_by, past.action) == ({"title": "a"}, "5", "updated")
    assert past.state == checksum(change["data"]["after"])


def test_the_reaction_that_wrote_is_kept(relay):
    """An echo is kept with its reaction; a person's change with none."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    noted = update({"title": "b"}, 1, number=1, user_id=9)
    relay.dynamo.state |= rows_of(noted)
    for number in (1, 2):
        relay.portal.put(2, number, title="b", updatedBy=9)
        relay.event(number)
    relay.settle()
    echo, other = kept(relay)["deal", "1", 2], kept(relay)["deal", "2", 2]
    assert (echo.origin, echo.reaction) == ("relay", noted.reaction)
    assert (other.origin, other.reaction) == ("portal", "")


def test_what_is_not_kept_now_is_not_announced_now(relay):
    """While the history is throttled, the batch comes again; then both have every Change once."""
    records = relay.edited(3)
    write = relay.dynamo.batch_write_item

    def throttled(**_):
        raise THROTTLED

    relay.dynamo.batch_write_item = throttled
    assert relay.announced_from(records) == records
    assert relay.topic.published == []
    relay.dynamo.batch_write_item = write
    assert relay.announced_from(records) == []
    assert len(relay.topic.published) == len(kept(relay)) == 3


def test_a_repeat_keeps_one_row(relay):
    """A batch that is delivered twice leaves the rows as they are."""
    records = relay.edited(3)
    relay.announced_from(records)
    before = copy.deepcopy(relay.dynamo.history)
    assert len(before) == 3
    relay.announced_from(records)
    assert relay.dynamo.history == before


def test_a_row_that_is_never_taken_is_counted_and_its_change_announced(relay, capsys):
    """One refused row holds up neither its own Change nor another."""
    records = relay.edited(3)
    write = relay.dynamo.batch_write_item

    def refusing(*, RequestItems):  # noqa: N803
        if any(
            one["PutRequest"]["Item"]["pk"]["S"] == "main/deal/2" for one in RequestItems["History"]
        ):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchWriteItem")
        return write(RequestItems=RequestItems)

    relay.dynamo.batch_write_item = refusing
    capsys.readouterr()
    assert relay.announced_from(records) == []
    assert metric(capsys, "unkept") == 1
    assert len(relay.topic.published) == 3
    assert {item for _, item, _ in kept(relay)} == {"1", "3"}


def test_an_announcement_without_a_setting_waits(relay, monkeypatch):
    """A function without HISTORY_TABLE announces nothing, and loses nothing."""
    records = relay.edited(1)
    monkeypatch.delenv("HISTORY_TABLE")
    answer = relay.announce.handler({"Records": records}, Context)
    assert len(answer["batchItemFailures"]) == 1


def image(seq, form, *, kind=ITEM, **fields):
    """Return a row of a deal as the stream has it; `form` None is a tombstone's."""
    kind = TOMBSTONE if form is None else kind
    text = canonical_json(form) if form else ""
    return row(seq=seq, kind=kind, text=text, read_at=float(seq), **fields).to_item()


def record(old, new, **fields):
    """Return the stream's record of a deal that was read twice."""
    images = {"NewImage": image(2, new, **fields)} | (
        {"OldImage": image(1, old)} if old != {} else {}
    )
    return {"dynamodb": images}


FORMS = st.dictionaries(
    st.sampled_from(["title", "stageId", "ufCrm1", "ufCrm2", "comments", "opened"]),
    st.sampled_from(["a", "b", 1, 2, ["x"], ["x", "y"], "z" * 150_000]),
    min_size=1,
)


@settings(max_examples=40, deadline=None)
@given(old=st.none() | FORMS, new=st.none() | FORMS)
def test_the_former_state_follows_from_the_later_one(old, new):
    """Of any two readings the row gives back the first, also where the message left fields out."""
    one = record(old, new)
    change = to_change(one)
    if change is None:
        return
    past = PastChange.of(past_change(change, one).to_item(0))
    assert state_before(new or {}, past) == old


def test_an_item_that_was_read_before_its_event_is_kept_as_it_was_read():
    """It is announced as added with no state before; the history has the one that was read."""
    old = image(1, {"title": "a", "stageId": "NEW"}) | {"quiet": {"S": "yes"}}
    new = image(2, {"title": "b", "stageId": "NEW"}) | {"added": {"S": "now"}}
    one = {"dynamodb": {"OldImage": old, "NewImage": new}}
    change = to_change(one)
    assert (change.action, change.before) == ("added", {})
    assert past_change(change, one).before == {"title": "a"}
    only = {"dynamodb": {"NewImage": new}}
    assert past_change(to_change(only), only).before is None


def test_a_task_is_kept_with_its_own_saver():
    """A task says `changedBy` where other kinds say `updatedBy`."""
    one = record({"title": "a"}, {"title": "b", "changedBy": 8})
    change = to_change(one)
    assert past_change(change, one).saved_by == ""
    task = copy.copy(change)
    object.__setattr__(task, "entity", "task")
    assert past_change(task, one).saved_by == "8"


@pytest.mark.parametrize(
    "more",
    [{"updatedTime": "x"}, {"lastActivityBy": 5}, {"UF_NEW": "0"}, {"UF_NEW": 0}, {"x": None}],
)
def test_what_is_no_difference_does_not_count_in_the_checksum(more):
    """Volatile fields, empty ones and a new field's "no" leave it as it is."""
    form = {"title": "a", "stageId": "NEW"}
    assert checksum(form | more) == checksum(form) != checksum(form | {"title": "b"})


def test_a_state_with_a_value_too_large_to_store_has_no_checksum():
    """Such a value may be stored whole in one reading, and as a digest in the next."""
    assert checksum({"title": "a", "comments": {DIGEST: "0" * 64}}) == ""


def test_one_row_that_can_not_be_made_holds_up_no_other(relay, monkeypatch, capsys):
    """A fault of the code is counted; the Changes are announced."""
    records = relay.edited(2)
    broken = SimpleNamespace(calls=0)
    make = past_change

    def first_fails(change, record):
        broken.calls += 1
        if broken.calls == 1:
            raise KeyError("fault")
        return make(change, record)

    monkeypatch.setattr("relay.tracking.remember.past_change", first_fails)
    capsys.readouterr()
    assert relay.announced_from(records) == []
    assert (metric(capsys, "unkept"), len(relay.topic.published), len(kept(relay))) == (1, 2, 1)

"""change.history(): a reaction reads what its item was, without a request to the portal."""

import asyncio
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from relay.change import Change
from relay.errors import ConfigurationError, StateError
from relay.history import FORGOTTEN, History, PastChange
from relay.reaction.past import changes_before, reader_of
from tests.tracking_dynamo import FakeDynamo

BORN = "19a0c4e2b7f3c1"


def past(version, before, action="updated", born=BORN, **fields):
    """Return the history's row of a deal's change."""
    given = {"at": 1772366400.0 + version, "origin": "portal", "via": "event"}
    name = f"main.deal.5.{born}.{version}"
    one = PastChange(change_id=name, action=action, before=before, **given | fields)
    return one.to_item(0)


CHANGE = Change(
    change_id=f"main.deal.5.{BORN}.9", portal="main", entity="deal", entity_type_id=2, id="5",
    action="updated", version=9, time="2026-03-01T12:00:09+00:00", changed=("stageId",),
    before={"stageId": "PREPARATION"}, after={"title": "b", "stageId": "WON"},
)  # fmt: skip


def table(*rows):
    """Return the history of these rows, and of the change itself."""
    history = History(FakeDynamo(), "History")
    history.keep([*rows, past(9, {"stageId": "PREPARATION"})])
    return history


def test_earlier_changes_come_with_the_whole_state_after_each():
    """The newest comes first, and the change itself is not among them."""
    history = table(past(4, {"title": "a"}, reaction="tidy"), past(7, {"stageId": "NEW"}))
    newest, first = changes_before(history, CHANGE, 10)
    assert (newest.version, newest.after) == (7, {"title": "b", "stageId": "PREPARATION"})
    assert (first.version, first.after) == (4, {"title": "b", "stageId": "NEW"})
    assert (first.before, first.changed, first.reaction) == ({"title": "a"}, ("title",), "tidy")
    assert first.time == "2026-03-01T12:00:04.000+00:00"
    assert [one.version for one in changes_before(history, CHANGE, 1)] == [7]


def test_moves_between_stages_come_with_the_change_that_told_them():
    """A change of which only the moves were told has them, too."""
    steps = ({"stageId": "A", "categoryId": 0, "at": "x"}, {"stageId": "B", "at": "y"})
    (found,) = changes_before(table(past(7, {}, steps=steps)), CHANGE, 1)
    assert (found.steps, found.passed, found.changed) == (steps, ("A", "B"), ())


@pytest.mark.parametrize(
    ("entity", "name", "value"), [("deal", "updatedBy", 7), ("task", "changedBy", "7")]
)
def test_the_fields_that_follow_edits_are_not_todays(entity, name, value):
    """Who saved last is known of each change; the other such fields are left out."""
    today = {"stageId": "WON", "updatedTime": "x", "updatedBy": 1, "changedBy": "1"}
    change = replace(CHANGE, entity=entity, after=today)
    history = table(past(7, {"title": "a", "updatedTime": "w"}, saved_by="7"))
    (found,) = changes_before(history, change, 1)
    assert found.after == {"stageId": "PREPARATION", "title": None, name: value}
    assert (found.changed, found.superseded) == (("title",), True)


def test_a_life_before_a_deletion_is_read_too():
    """What reappeared was deleted before, with all fields; that deletion leaves nothing."""
    gone = past(7, {"title": "a", "stageId": "LOSE"}, "deleted", saved_by="7")
    restored = past(8, None, "added")
    added, deleted = changes_before(table(gone, restored), CHANGE, 10)
    assert (added.action, added.changed) == ("added", ("stageId", "title"))
    assert added.after == {"title": "b", "stageId": "PREPARATION"}
    assert (deleted.after, deleted.changed) == ({}, ())
    assert deleted.before == {"title": "a", "stageId": "LOSE"}


def test_a_field_that_the_message_left_out_is_known_where_a_later_row_has_it():
    """Until then it is named in `truncated`."""
    change = replace(CHANGE, after={"stageId": "WON"}, truncated=("title",))
    rows = [past(4, {"stageId": "OLD"}), past(6, {"title": "a"}), past(7, {"stageId": "NEW"})]
    newest, middle, first = changes_before(table(*rows), change, 10)
    assert (newest.truncated, middle.truncated, first.truncated) == (("title",), ("title",), ())
    assert first.after == {"title": "a", "stageId": "NEW"}


@pytest.mark.parametrize(
    "older", [past(3, {"title": "x"}, born=f"0{BORN}"), past(3, {}, FORGOTTEN)]
)
def test_nothing_is_read_beyond_what_is_known(older):
    """Rows of a mirror that is gone, and what was forgotten, end the list."""
    assert [one.version for one in changes_before(table(older, past(7, {})), CHANGE, 9)] == [7]


def test_without_its_own_row_the_change_itself_says_what_was_before():
    """A change that the history does not have hides no earlier one."""
    history = History(FakeDynamo(), "History")
    history.keep([past(7, {"stageId": "NEW"})])
    (found,) = changes_before(history, CHANGE, 10)
    assert found.after == {"title": "b", "stageId": "PREPARATION"}


class Refusing(FakeDynamo):
    """A table that refuses a query."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def query(self, **_):
        """Refuse."""
        raise self.error


@pytest.mark.parametrize(
    ("trouble", "error", "text"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "Query"),
            *(ConfigurationError, "tidy may not read .*write `History: deal`"),
        ),
        (
            ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "Query"),
            *(StateError, "the history: "),
        ),
        (EndpointConnectionError(endpoint_url="x"), StateError, "the history: "),
    ],
)
def test_a_missing_right_is_an_operators_and_names_the_entry(
    aws_clients, monkeypatch, trouble, error, text
):
    """A table that does not answer is waited for."""
    aws_clients["dynamodb"] = Refusing(trouble)
    monkeypatch.setenv("HISTORY_TABLE", "History")
    change = replace(CHANGE, past=reader_of(CHANGE, "tidy", None, None))
    with pytest.raises(error, match=text):
        asyncio.run(change.history())


def test_a_test_gives_a_change_its_past():
    """Without one the history is empty."""
    assert asyncio.run(CHANGE.history()) == []

    async def earlier(limit):
        return [CHANGE] * limit

    assert asyncio.run(replace(CHANGE, past=earlier).history(2)) == [CHANGE, CHANGE]

"""relay.history: the rows of past changes, their keys, and the table's answers."""

import string

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import NotOursError, RowError, StateError
from relay.history import History, PastChange, change_id_of, keys_of, state_before
from tests.tracking_dynamo import FakeDynamo

ID = "main.deal.662.19a0c4e2b7f3c1.7"


def past(version=7, **fields):
    """Return a change of a deal."""
    given = {
        "change_id": f"main.deal.662.19a0c4e2b7f3c1.{version}",
        "at": 1772366400.5,
        "action": "updated",
        "origin": "portal",
        "via": "event",
        "before": {"stageId": "NEW"},
    }
    return PastChange(**given | fields)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(before=st.none() | st.dictionaries(st.text(string.ascii_letters), VALUES, max_size=40))
def test_a_row_has_all_of_a_change(before):
    """A row that is read is the change that was written, whether or not it was compressed."""
    steps = ({"stageId": "WON", "categoryId": 0, "at": "2026-03-01T12:00:00Z"},)
    change = past(before=before, saved_by="5", reaction="tidy_phone", state="0a1b2c3d", steps=steps)
    assert PastChange.of(change.to_item(0)) == change


def test_a_large_row_is_compressed_and_a_usual_one_takes_one_write_unit():
    """A deleted deal of 2 KB is stored in less than 1 KB."""
    before = {f"ufCrm17000000{number}": f"a value of field {number}" for number in range(50)}
    item = past(before=before).to_item(0)
    assert len(str(before)) > 2000
    assert len(item["change"]["B"]) < 800
    assert "S" in past().to_item(0)["change"]


def test_rows_expire_only_where_days_are_set():
    """`expires` counts from the reading, so that a repeat puts the same row."""
    assert "expires" not in past().to_item(0)
    assert past().to_item(2)["expires"] == {"N": str(1772366400 + 2 * 86400)}


def test_keys_follow_from_a_changes_id_and_sort_by_version():
    """The tenth version comes after the ninth."""
    assert keys_of(ID) == ("main/deal/662", "19a0c4e2b7f3c1.0000000007")
    assert change_id_of(*keys_of(ID)) == ID
    ninth, tenth = (keys_of(past(version).change_id)[1] for version in (9, 10))
    assert ninth < tenth
    assert past(10).version == 10


@pytest.mark.parametrize("text", ["", "deal/662", "main.deal.662", f"{ID}.x", f"{ID[:-1]}seven"])
def test_what_is_no_changes_id_is_refused_with_an_example(text):
    """The error shows how an id looks."""
    with pytest.raises(NotOursError, match=r"one is main\.deal\.662\.\w+\.7"):
        keys_of(text)


def test_a_former_state_is_the_later_one_with_what_was_taken_away():
    """A field that was empty is empty again; an item that did not exist is None."""
    state = {"title": "A", "stageId": "WON"}
    before = {"stageId": "NEW", "title": None, "comments": "x"}
    assert state_before(state, past(before=before)) == {"stageId": "NEW", "comments": "x"}
    assert state_before(state, past(before=None)) is None
    assert state_before(state, past(before={})) == state  # only moves between stages were told
    assert state_before({}, past(before={"title": "A"})) == {"title": "A"}


def test_an_items_changes_are_read_from_the_newest_back():
    """Pages are followed; `until` and `limit` end the list; other items' rows stay apart."""
    dynamo = FakeDynamo()
    history = History(dynamo, "History")
    rows = [past(version).to_item(0) for version in range(1, 31)]
    other = {**rows[0], "pk": {"S": "main/deal/6"}}
    assert history.keep([*rows, other]) == [None] * 31
    found = [one.version for one in history.of_item("main", "deal/662")]
    assert found == list(range(30, 0, -1))
    until = keys_of(past(10).change_id)[1]
    assert [one.version for one in history.of_item("main", "deal/662", until=until, limit=2)] == [
        9, 8,
    ]  # fmt: skip


class Failing(FakeDynamo):
    """A table that leaves rows unwritten, or refuses a request with one row in it."""

    def __init__(self, unwritten=0, poison=None, error=None):
        super().__init__()
        self.unwritten, self.poison, self.error = unwritten, poison, error

    def batch_write_item(self, *, RequestItems):  # noqa: N803
        """Put the rows, all but the last while `unwritten` lasts."""
        puts = RequestItems["History"]
        if self.error:
            raise self.error
        if any(one["PutRequest"]["Item"]["sk"]["S"].endswith(str(self.poison)) for one in puts):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "BatchWriteItem")
        left = puts[-1:] if self.unwritten else []
        self.unwritten = max(self.unwritten - 1, 0)
        if puts != left:
            super().batch_write_item(RequestItems={"History": puts[: len(puts) - len(left)]})
        return {"UnprocessedItems": {"History": left} if left else {}}


pytestmark = pytest.mark.usefixtures("sleeps")


def test_what_the_table_left_out_is_put_again():
    """Three refusals for want of capacity cost nothing; a fourth is StateError of that row."""
    rows = [past(version).to_item(0) for version in range(1, 6)]
    assert History(Failing(unwritten=3), "History").keep(rows) == [None] * 5
    errors = History(Failing(unwritten=4), "History").keep(rows)
    assert errors[:4] == [None] * 4
    assert isinstance(errors[4], StateError)


def test_a_row_that_is_never_taken_costs_only_itself():
    """The others of its request are stored."""
    dynamo = Failing(poison=13)
    errors = History(dynamo, "History").keep([past(version).to_item(0) for version in range(1, 31)])
    assert [at for at, error in enumerate(errors, 1) if error] == [13]
    assert isinstance(errors[12], RowError)
    assert len(dynamo.history) == 29


def test_a_table_that_does_not_answer_is_no_row_error():
    """A missing right, or an outage, is StateError: the rows can be put later."""
    trouble = ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchWriteItem")
    (error,) = History(Failing(error=trouble), "History").keep([past().to_item(0)])
    assert isinstance(error, StateError)
    assert "AccessDenied" in str(error)

"""The stage history as a hint: moves whose events never came."""

from datetime import UTC, datetime

import pytest

from relay.errors import OperatorError, PermanentError, TransientError
from relay.tracking.sweep_state import SweepDocument
from tests.parts_portal import at
from tests.tracking_aws import OLD, changes
from tests.tracking_queues import URL

HISTORY = "crm.stagehistory.list"
DAY_SECONDS = 24 * 3600


@pytest.fixture
def deals(whole):
    """Return the handlers with three deals in the mirror, swept once more."""
    for number in (1, 2, 3):
        whole.portal.put(2, number, title="a", stageId="NEW", updatedTime=OLD)
        whole.portal.step(2, number, "NEW")
    whole.baseline()
    assert whole.sweep() == {"main": "done"}
    return whole


def found(relay):
    """Let a sweep run and all hints be handled; returns the Changes."""
    assert relay.sweep() == {"main": "done"}
    return changes(relay.settle())


def settled(relay):
    """Return the settled step of deals in the sweep's document."""
    text = relay.dynamo.state["sweep#main"]["document"]["S"]
    return SweepDocument.from_json(text).kinds["deal"].settled_step


def test_a_move_whose_event_never_came_is_found(deals):
    """A funnel move that changed no time is found by its row of the history, once."""
    deals.portal.step(2, 2, "C9:NEW", 1)
    deals.portal.items[2][2]["stageId"] = "C9:NEW"  # its time stays
    (change,) = found(deals)
    assert (change.id, change.via, change.passed) == ("2", "sweep", ("C9:NEW",))
    assert found(deals) == []


def test_a_sweep_at_rest_is_one_request(deals):
    """The histories are listed in the request of the other lists."""
    before = deals.portal.requests
    assert found(deals) == []
    assert deals.portal.requests == before + 1
    assert not deals.queues.messages[URL + "track"]


def test_a_row_that_appears_below_a_newer_one_is_found(deals):
    """A row that becomes visible late is found, as nothing young is taken for settled."""
    now = datetime.now(UTC).timestamp() - datetime.fromisoformat(at(0)).timestamp()
    late = deals.portal.step(2, 1, "WON", now - 5, hidden=True)
    deals.portal.step(2, 2, "WON", now - 4)
    assert [change.id for change in found(deals)] == ["2"]
    assert settled(deals) == 3
    late["hidden"] = False
    assert [change.id for change in found(deals)] == ["1"]
    assert found(deals) == []


def test_a_young_move_is_left_to_its_event(deals, monkeypatch):
    """A move within GraceSeconds is no hint, and stays unsettled."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    now = datetime.now(UTC).timestamp() - datetime.fromisoformat(at(0)).timestamp()
    deals.portal.step(2, 2, "WON", now - 2)
    assert found(deals) == []
    assert settled(deals) == 3


def test_an_old_move_is_settled(deals):
    """Once a move is older than rows need to appear, its id is the settled one."""
    deals.portal.step(2, 2, "WON", 1)
    found(deals)
    assert settled(deals) == 4


def test_a_move_that_a_wrong_clock_dated_ahead_is_found_and_settled(deals):
    """A move from a year ahead does not keep later ones from being settled."""
    year = 365 * DAY_SECONDS
    now = datetime.now(UTC).timestamp() - datetime.fromisoformat(at(0)).timestamp()
    deals.portal.step(2, 2, "WON", now + year)
    deals.portal.step(2, 3, "LOST", 1)
    assert sorted(change.id for change in found(deals)) == ["2", "3"]
    assert settled(deals) == 5


def test_moves_of_items_without_a_row_are_left_to_their_list(deals):
    """An item that the mirror does not know, or knows as deleted, gets no hint for its moves."""
    deals.portal.step(2, 99, "WON", 1)
    del deals.portal.items[2][3]
    deals.event(3, "delete")
    deals.settle()
    deals.portal.step(2, 3, "WON", 1)
    assert found(deals) == []


def test_an_item_whose_event_is_late_tells_its_first_steps(deals):
    """Its moves were settled before the mirror knew it; it is added with all of them."""
    deals.portal.step(2, 9, "NEW", 1)
    deals.portal.step(2, 9, "WON", 2)
    assert found(deals) == []
    assert settled(deals) == 5
    deals.portal.put(2, 9, title="a", stageId="WON", updatedTime=OLD)
    deals.event(9, "add")
    (change,) = changes(deals.settle())
    assert (change.action, change.passed) == ("added", ("NEW", "WON"))


def test_the_first_filling_reads_no_step_that_is_settled(deals):
    """Ten thousand items have years of moves, of which none is announced."""
    filters = [params.get("filter", {}) for _, params in deals.portal.calls]
    assert {one[">ID"] for one in filters if "@OWNER_ID" in one} == {3}


def test_steps_of_an_item_that_could_not_be_read_are_told_once(deals):
    """A right that is taken and given back changes nothing about what was announced."""
    now = datetime.now(UTC).timestamp() - datetime.fromisoformat(at(0)).timestamp()
    deals.portal.step(2, 2, "WON", now - 5)
    deals.event(2)
    assert [change.passed for change in changes(deals.settle())] == [("WON",)]
    deals.portal.forbidden.add((2, 2))
    deals.event(2)
    assert deals.settle() == []
    deals.portal.forbidden.clear()
    deals.event(2)
    assert deals.settle() == []


def test_a_restored_item_tells_no_move_again(deals):
    """It is added anew, with the moves since its deletion."""
    item = deals.portal.items[2].pop(2)
    deals.event(2, "delete")
    assert [change.action for change in changes(deals.settle())] == ["deleted"]
    deals.portal.items[2][2] = item
    deals.portal.step(2, 2, "WON", 1)
    deals.event(2)
    (change,) = changes(deals.settle())
    assert (change.action, change.passed) == ("added", ("WON",))


def test_ten_thousand_moves_are_listed_page_by_page(deals):
    """A hundred and twenty moves without an event are told by the next sweep."""
    for second in range(120):
        deals.portal.step(2, 1 + second % 3, f"S{second}", second)
    announced = [stage for change in found(deals) for stage in change.passed]
    assert sorted(announced) == sorted(f"S{second}" for second in range(120))


def test_a_history_that_was_never_readable_begins_nowhere(whole):
    """A kind whose history is refused from the start is swept, and its history begins later."""
    whole.portal.refusals[HISTORY] = PermanentError(HISTORY, "ACCESS_DENIED")
    whole.portal.put(2, 1, title="a", stageId="NEW", updatedTime=OLD)
    whole.baseline()
    assert settled(whole) is None


@pytest.mark.parametrize(
    "error",
    [
        PermanentError(HISTORY, "ENTITY_TYPE_NOT_SUPPORTED"),
        PermanentError(HISTORY, "0", "SMART_INVOICE entity is not supported"),
    ],
)
def test_a_refused_history_is_not_asked_for_each_time(deals, error):
    """A portal that gives no history costs nothing until its kinds are asked for again."""
    deals.portal.refusals[HISTORY] = error
    assert found(deals) == []
    deals.portal.calls.clear()
    assert found(deals) == []
    assert HISTORY not in {method for method, _ in deals.portal.calls}
    del deals.portal.refusals[HISTORY]
    deals.portal.step(2, 1, "WON", 1)
    with deals.document() as document:
        document.types_asked_at = 0
    assert [change.passed for change in found(deals)] == [("WON",)]


def test_a_history_that_fails_leaves_the_lists_alone(deals):
    """Its error is reported, the lists are read, and the next sweep goes on from the same step."""
    deals.portal.refusals[HISTORY] = TransientError(HISTORY, "QUERY_LIMIT_EXCEEDED")
    deals.portal.step(2, 1, "WON", 1)
    deals.portal.put(2, 2, title="b")
    assert "QUERY_LIMIT_EXCEEDED" in deals.sweep()["main"]
    del deals.portal.refusals[HISTORY]
    announced = changes(deals.settle()) + found(deals)
    assert {(change.id, change.passed) for change in announced} == {("2", ()), ("1", ("WON",))}


def test_trouble_of_the_whole_portal_ends_the_sweep(deals):
    """An error of the webhook is raised as it is."""
    deals.portal.refusals[HISTORY] = OperatorError(HISTORY, "OVERLOAD_LIMIT")
    assert "OVERLOAD_LIMIT" in deals.sweep()["main"]
    assert settled(deals) == 3


def test_product_rows_with_the_same_total_are_found_within_a_day(deals):
    """Once a day items with product rows are read, as replaced rows may move no time."""
    deals.portal.set_rows(2, 1, {"productName": "Tea", "price": 10})
    deals.portal.put(2, 1, opportunity=10, updatedTime=OLD)
    deals.event(1)
    deals.settle()
    deals.portal.set_rows(2, 1, {"productName": "Cup", "price": 10})
    assert found(deals) == []
    with deals.document() as document:
        document.kinds["deal"].audited_at = 1
    (change,) = found(deals)
    assert change.row_changes.added[0]["productName"] == "Cup"

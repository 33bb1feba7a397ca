"""relay.reaction.equal_calls: whose checkpoint a robot's event takes."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.errors import PermanentError
from relay.event import Event, robot_call_id
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.equal_calls import EqualCalls
from tests.batches import handle
from tests.samples import load

EDGE = 1_766_047_130.0  # a multiple of ten seconds
CALL = "main.robot.start_from_robot.0123"
COMMENT = "crm.timeline.comment.add"


def called(at, call=CALL, **changes):
    """Return the event of a robot's call that came at a time (epoch s)."""
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    event = replace(load("sqs_robot_called"), event_id=robot_call_id(call, at), time=moment)
    return replace(event, **changes).to_json()


@reaction
async def note(event: Event, portal: Portal) -> None:
    """Write a comment."""
    await portal.call(COMMENT, fields={"ENTITY_ID": event.id, "COMMENT": "x"})


@pytest.mark.parametrize(
    ("first", "second", "comments"),
    [
        (EDGE - 0.001, EDGE, 1),
        (EDGE, EDGE - 0.001, 1),
        (EDGE - 5, EDGE + 4.999, 1),
        (EDGE + 4.999, EDGE - 5, 1),
        (EDGE - 5, EDGE + 5, 2),
        (EDGE + 5, EDGE - 5, 2),
        (EDGE - 5, EDGE + 9, 2),
        (EDGE + 9, EDGE - 5, 2),
        (EDGE - 5, EDGE + 3600, 2),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_calls_less_than_ten_seconds_apart_are_one(portal, first, second, comments, together):
    """Both sides of an edge count, in any order, in one batch or in two."""
    portal.answers[COMMENT] = 7
    batches = [[called(first), called(second)]] if together else [[called(first)], [called(second)]]
    for batch in batches:
        assert handle(note, *batch) == []
    assert len(portal.calls) == comments


@pytest.mark.parametrize(
    "other",
    [
        {"call": "main.robot.start_from_robot.4567"},
        {"portal": "shop", "call": "shop.robot.start_from_robot.0123"},
    ],
)
def test_calls_that_are_not_equal_are_two(portal, other):
    """Another parameter, document or portal has another id, and so a checkpoint of its own."""
    portal.answers[COMMENT] = 7
    assert handle(note, called(EDGE - 1), called(EDGE, **other)) == []
    assert len(portal.calls) == 2


def test_an_equal_call_waits_for_the_run_of_the_first(portal):
    """While the first call's run may be alive, the second comes back; then it sends nothing."""
    portal.answers[COMMENT] = 7
    assert handle(note, called(EDGE - 1)) == []
    (row,) = (row for key, row in portal.sqs.table.rows.items() if key.startswith("done#"))
    running = row | {"owner": {"S": "another run"}, "until": {"N": "9999999999"}}
    portal.sqs.table.rows[row["pk"]["S"]] = running | {
        "writes": Checkpoint("x").to_item(0)["writes"]
    }
    assert handle(note, called(EDGE)) == ["m0"]
    portal.sqs.table.rows[row["pk"]["S"]] = row
    assert handle(note, called(EDGE)) == []
    assert len(portal.calls) == 1


def test_of_two_runs_that_load_at_once_one_goes_on_with_the_row_of_the_other(portal):
    """The run whose transaction fails sends nothing, and stores under the other call's key."""
    portal.answers[COMMENT] = 7
    table = portal.sqs.table
    store = table.transact_write_items

    def later(**request):
        table.transact_write_items = store
        assert handle(note, called(EDGE - 1)) == []
        return store(**request)

    table.transact_write_items = later
    assert handle(note, called(EDGE)) == []
    assert len(portal.calls) == 1
    (row,) = (row for key, row in table.rows.items() if key.startswith("done#"))
    assert row["pk"]["S"] == f"done#note#{robot_call_id(CALL, EDGE - 1)}"
    assert handle(note, called(EDGE)) == []
    assert table.rows[row["pk"]["S"]]["called_at"] == {"N": str(int(EDGE * 1000) - 1000)}
    assert len(portal.calls) == 1


def test_the_run_of_a_killed_call_is_continued_under_its_key(portal):
    """A row that appears after the load, and whose lease is over, is taken with its time."""
    portal.answers[COMMENT] = 7
    table = portal.sqs.table
    store = table.transact_write_items
    key = f"done#note#{robot_call_id(CALL, EDGE - 1)}"
    killed = Checkpoint(key, owner="killed", called_at=int(EDGE * 1000) - 1000)

    def later(**request):
        table.rows.setdefault(key, killed.to_item(time.time()))
        return store(**request)

    table.transact_write_items = later
    for at in (EDGE, EDGE - 1, EDGE):
        assert handle(note, called(at)) == []
    assert len(portal.calls) == 1
    (row,) = (row for name, row in table.rows.items() if name.startswith("done#"))
    stored = Checkpoint.of("", row, time.time())
    assert (stored.key, stored.called_at) == (key, killed.called_at)
    assert [write.result for write in stored.writes] == ["7"]


def test_the_own_row_counts_more_than_that_of_an_equal_call():
    """Without an own row that of a call less than 10 s away is taken, before or after."""
    calls = EqualCalls(("before", "after"), 20_000)
    near, far = ({"called_at": {"N": str(at)}} for at in (29_999, 30_000))
    assert calls.key_in({}, "own") == "own"
    assert EqualCalls().key_in({"after": near}, "own") == "own"
    assert calls.key_in({"after": near}, "own") == "after"
    assert calls.key_in({"before": near, "after": near}, "own") == "before"
    assert calls.key_in({"before": far, "after": far}, "own") == "own"
    assert calls.key_in({"own": far, "after": near}, "own") == "own"


def test_a_row_of_an_older_version_is_no_equal_call(portal):
    """A checkpoint without the time of its call makes no later call a repeat."""
    portal.answers[COMMENT] = 7
    assert handle(note, called(EDGE - 1)) == []
    for key, row in portal.sqs.table.rows.items():
        portal.sqs.table.rows[key] = {name: row[name] for name in row if name != "called_at"}
    assert handle(note, called(EDGE)) == []
    assert len(portal.calls) == 2


@pytest.mark.parametrize(
    "event",
    [
        replace(load("sqs_robot_called"), event_id="of.another.kind"),
        replace(load("sqs_robot_called"), time="yesterday"),
        replace(load("sqs_robot_called"), action="update"),
    ],
)
def test_only_a_robots_event_of_ingress_has_equal_calls(event):
    """An id without a window, a time that is none, or an event of the portal has none."""
    assert EqualCalls.of("note", event) == EqualCalls()


def test_what_a_dead_lettered_call_has_left_is_done_by_its_equal_once(portal):
    """The equal call goes on where the first was given up; sent back later, that does nothing."""

    @reaction
    async def two(event: Event, portal: Portal) -> None:
        """Write a task and a comment."""
        await portal.call("tasks.task.add", fields={"TITLE": event.id, "RESPONSIBLE_ID": 1})
        await portal.call(COMMENT, fields={"ENTITY_ID": event.id, "COMMENT": "x"})

    portal.answers |= {
        "tasks.task.add": {"task": {"id": "1"}},
        COMMENT: PermanentError(COMMENT, "ACCESS_DENIED"),
    }
    assert handle(two, called(EDGE - 1)) == []
    assert len(portal.sqs.sent) == 1
    portal.answers[COMMENT] = 7
    assert handle(two, called(EDGE)) == []
    assert handle(two, called(EDGE - 1)) == []
    methods = [method for method, _ in portal.calls]
    assert methods == ["tasks.task.add", COMMENT, COMMENT]
    assert len(portal.sqs.sent) == 1

"""relay.reaction.write_notes through the handler: the budget of an hour."""

import pytest
from botocore.exceptions import ClientError

from relay.change import Change
from relay.echo.ledger import BUDGET
from relay.errors import OperatorError, PermanentError, TransientError
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.newest import Newest
from tests.batches import handle
from tests.samples import change_of

CHANGE = change_of()


def test_a_loop_waits_for_the_end_of_the_hour(portal, times, capsys):
    """The thirty-first write to an item waits for the hour's end, with the metric `loops`."""
    clock = [1_772_366_400.0]  # an hour begins
    times.source = lambda: clock[0]
    portal.answers["crm.item.update"] = {"item": {}}

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        title = {"title": f"{change.version}"}
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields=title)

    for number in range(BUDGET):
        assert handle(tidy, change_of(version=number).to_json()) == []
    clock[0] += 600
    stopped = change_of(version=BUDGET + 1).to_json()
    assert handle(tidy, stopped) == ["m0"]
    assert len(portal.calls) == BUDGET
    out = capsys.readouterr().out
    assert '"loops":[1.0]' in out
    assert "tidy has written to deal 5 30 times within an hour" in out
    assert 3000 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 3151
    assert handle(tidy, change_of("deal/6", 1).to_json()) == []
    assert len(portal.calls) == BUDGET + 1
    clock[0] += 3000
    assert handle(tidy, stopped) == []
    assert len(portal.calls) == BUDGET + 2
    assert not portal.sqs.sent


NOT_SENT = [
    TransientError("m", "NOT_CONNECTED", retry_after=15),
    TransientError("m", "NO_SLOT", retry_after=40),
    TransientError("m", "QUERY_LIMIT_EXCEEDED"),
    TransientError("m", "OPERATION_TIME_LIMIT"),
    TransientError("m", "NO_TIME", retry_after=0),
    OperatorError("m", "OVERLOAD_LIMIT"),
    PermanentError("m", "ACCESS_DENIED"),
]


LOST = [TransientError("m", "NO_ANSWER", retry_after=15), PermanentError("m", "ANSWER_TOO_LARGE")]


def budget_of(table, reaction="tidy"):
    """Return the number of writes that count in the hours of a table."""
    rows = [row for key, row in table.rows.items() if key.startswith("echo#")]
    return [len(row.get(f"sent {reaction}", {"SS": []})["SS"]) for row in rows]


@pytest.mark.parametrize(
    ("error", "tries"), [(one, BUDGET + 2 if one is NOT_SENT[0] else 3) for one in NOT_SENT + LOST]
)
def test_only_a_write_that_was_sent_counts_and_only_once(portal, error, tries):
    """A write that did not leave uses up no budget; one whose answer was lost counts once."""
    portal.answers["crm.item.update"] = error

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})

    for _ in range(tries):
        handle(tidy, CHANGE.to_json())
    assert len(portal.calls) == tries
    assert budget_of(portal.sqs.table) == [int(error in LOST)]
    portal.answers["crm.item.update"] = {"item": {}}
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [1]


def test_a_note_that_can_not_be_taken_back_counts_once(portal):
    """A write whose note can't be taken back has the same id at its next try, and counts once."""
    table = portal.sqs.table

    def update(**_):
        table.trouble["UpdateItem"] = ClientError({"Error": {"Code": "X"}}, "UpdateItem")
        raise NOT_SENT[0]

    portal.answers["crm.item.update"] = update

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})

    for _ in range(3):
        assert handle(tidy, CHANGE.to_json()) == ["m0"]
        assert budget_of(table) == [1]
        table.trouble.clear()
    portal.answers["crm.item.update"] = {"item": {}}
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(table) == [1]


@reaction
async def comment(change: Change, portal: Portal) -> None:
    """Write a comment into the item that changed, which sets none of its fields."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": change.id, "COMMENT": "a"}
    await portal.call("crm.timeline.comment.add", fields=fields)
    if change.origin == "relay":
        raise ZeroDivisionError


def test_comments_on_the_item_of_a_change_use_up_the_same_budget(portal, times, capsys):
    """The first half costs no row of its own; the thirty-first waits for the hour's end."""
    clock = [1_772_366_400.0]
    times.source = lambda: clock[0]
    portal.answers["crm.timeline.comment.add"] = 7
    for number in range(BUDGET // 2):
        assert handle(comment, change_of(version=number).to_json()) == []
    assert budget_of(portal.sqs.table, "comment") == []
    for number in range(BUDGET // 2, BUDGET):
        assert handle(comment, change_of(version=number).to_json()) == []
    assert budget_of(portal.sqs.table, "comment") == [BUDGET - BUDGET // 2]
    assert handle(comment, change_of(version=BUDGET).to_json()) == ["m0"]
    assert len(portal.calls) == BUDGET
    assert "comment has written to deal 5 30 times within an hour" in capsys.readouterr().out
    clock[0] += 3600
    assert handle(comment, change_of(version=BUDGET).to_json()) == []


def test_records_of_one_item_in_a_batch_share_its_budget(portal):
    """Forty changes of one item at once write thirty comments."""
    portal.answers["crm.timeline.comment.add"] = 7
    back = handle(comment, *(change_of(version=number).to_json() for number in range(40)))
    assert (len(portal.calls), len(back)) == (BUDGET, 40 - BUDGET)


@pytest.mark.parametrize("error", [*NOT_SENT, None])
def test_a_comment_that_was_sent_counts_though_its_record_fails(portal, error):
    """What did not leave counts nothing; what was sent counts, whether it is handled or not."""
    portal.answers["crm.timeline.comment.add"] = error or 7
    handle(comment, change_of(version=2, origin="portal" if error else "relay").to_json())
    (row,) = (row for key, row in portal.sqs.table.rows.items() if key.startswith("newest#"))
    assert row.get("writes") == (None if error else {"N": "1"})
    assert int(row["version"]["N"]) < 2


def test_an_hour_that_turns_during_a_call_takes_back_no_more_than_was_counted():
    """A write that was not sent is taken back from the hour's count, which is never below zero."""
    row = Newest("newest#r#main#deal/5")
    assert row.count(0.0)
    row.take_back(1)
    row.take_back(1)
    assert row.writes_in(0.0) == 0
    assert row.count(3600.0)
    assert (row.writes_in(3600.0), row.writes_in(0.0)) == (1, 0)


@pytest.mark.parametrize("before", [0, 10, BUDGET])
def test_of_writes_noted_together_as_many_pass_as_fit(portal, times, before):
    """A hundred writes to one company at once get the 30 writes that the hour has left."""
    clock = [1_772_366_400.0]
    times.source = lambda: clock[0]
    portal.answers["crm.item.update"] = {"item": {}}

    @reaction
    async def total(change: Change, portal: Portal) -> None:
        """Write to the company of a deal."""
        await portal.call("crm.item.update", entityTypeId=4, id=1, fields={"title": change.id})

    if before:
        handle(total, *(change_of(f"deal/1{number}", 2).to_json() for number in range(before)))
    bodies = [change_of(f"deal/2{number}", 2).to_json() for number in range(100)]
    back = handle(total, *bodies)
    assert len(portal.calls) == BUDGET
    assert len(back) == 100 - (BUDGET - before)
    clock[0] += 3600
    assert len(handle(total, *(bodies[int(name[1:])] for name in back))) == len(back) - BUDGET
    assert budget_of(portal.sqs.table, "total") == [BUDGET, BUDGET]
    assert not portal.sqs.sent


def test_each_write_of_a_record_counts(portal):
    """Equal writes of one record count one by one, also in a batch; a repeat counts nothing."""
    portal.answers |= {"crm.item.update": {"item": {}}}
    update = {"entityTypeId": 2, "id": 5, "fields": {"title": "x"}}

    @reaction
    async def tidy(_change: Change, portal: Portal) -> None:
        """Write four times."""
        await portal.call("crm.item.update", **update)
        await portal.call("crm.item.update", **update)
        await portal.batch(dict.fromkeys("ab", ("crm.item.update", update)))

    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [4]
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [4]

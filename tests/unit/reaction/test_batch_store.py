"""relay.reaction.batch_store: what is stored of a batch, and what happens without the table."""

import threading

import pytest
from botocore.exceptions import ClientError

from relay.change import Change
from relay.portal import Portal
from relay.reaction import reaction
from tests.batches import batch_of, context_of, handle, noting, raising
from tests.samples import change_of, event_of

CHANGE = change_of()


def test_a_double_in_one_batch_is_replayed(portal, capsys):
    """Two messages with one change make one write; the second is replayed."""
    portal.answers["im.notify.system.add"] = 1

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE=change.id)

    assert handle(tell, CHANGE.to_json(), CHANGE.to_json()) == []
    assert len(portal.calls) == 1
    # One lease, its row put with the result and after the double: both share the checkpoint.
    assert portal.sqs.table.asked.count("PutItem") == 1
    out = capsys.readouterr().out
    assert '"replayed":[1.0]' in out
    assert '"change_id":"main.deal.5.b.2","subject":"deal/5","portal":"main"' in out


@pytest.mark.parametrize(
    ("receives", "reason", "loads"), [(1, "", False), (2, "", True), (1, "made up", True)]
)
def test_a_change_that_comes_for_the_first_time_loads_no_checkpoint(
    portal, receives, reason, loads
):
    """It has none; a double of it meets the row at its first write, and replays it all the same."""
    table, loaded = portal.sqs.table, []
    real = table.batch_get_item
    portal.answers["im.notify.system.add"] = 1

    def loading(**ask):
        loaded.extend(key["pk"]["S"] for key in ask["RequestItems"]["state"]["Keys"])
        return real(**ask)

    table.batch_get_item = loading

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE=change.id)

    batch = batch_of(CHANGE.to_json())
    (record,) = batch["Records"]
    record["attributes"]["ApproximateReceiveCount"] = str(receives)
    if reason:
        record["messageAttributes"] = {"reason": {"stringValue": reason}}
    for _ in range(2):
        assert tell.handler(batch, context_of(60.0)) == {"batchItemFailures": []}
    assert len(portal.calls) == 1
    assert ("done#tell#main.deal.5.b.2" in loaded) is loads


def test_waiting_uses_up_no_attempt(portal):
    """After 900 receives a record's first failure counts as the first, the fifth as the last."""
    errors = [ZeroDivisionError()]

    @reaction
    async def fails(_change: Change) -> None:
        """Fail as told."""
        raise errors[0]

    batch = batch_of(CHANGE.to_json())
    batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = "900"
    context = type("C", (), {"get_remaining_time_in_millis": lambda: 60_000})
    for number in range(5):
        answer = fails.handler(batch, context)
        assert bool(answer["batchItemFailures"]) is (number < 4)
    (dead,) = portal.sqs.sent
    assert dead["MessageAttributes"]["error"]["StringValue"] == "ZeroDivisionError"


def test_a_missing_right_lets_everything_wait(portal, capsys):
    """Without the right to read the table no record runs, and the log names the right."""
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "dynamodb:BatchGetItem"}}
    portal.sqs.table.trouble["BatchGetItem"] = ClientError(denied, "BatchGetItem")
    received = []
    assert handle(noting(received), CHANGE.to_json()) == ["m0"]
    assert not received
    assert "dynamodb:BatchGetItem" in capsys.readouterr().out
    portal.sqs.table.trouble = {"BatchWriteItem": ClientError(denied, "BatchWriteItem")}
    assert handle(noting(received), CHANGE.to_json()) == []
    assert "not noted" in capsys.readouterr().out


def test_a_missing_setting_lets_everything_wait(monkeypatch, portal):
    """Without the table's name in the environment every record comes back."""
    monkeypatch.delenv("STATE_TABLE")
    assert handle(noting([]), CHANGE.to_json()) == ["m0"]
    assert not portal.sqs.sent


def test_a_slow_table_holds_up_no_webhook(portal, written):
    """The webhooks of a batch are read while the table is."""
    resolved = threading.Event()

    def get(*_):
        resolved.set()
        return portal

    def slow(**request):
        assert resolved.wait(5)
        return read(**request)

    read = portal.sqs.table.batch_get_item
    written.get = get
    portal.sqs.table.batch_get_item = slow
    received = []
    assert handle(noting(received), CHANGE.to_json()) == []
    assert len(received) == 1


def test_a_reaction_of_which_nothing_is_kept_needs_no_table(portal, monkeypatch):
    """A reaction to events without a portal runs without the table, and counts receives."""
    monkeypatch.delenv("STATE_TABLE")
    assert handle(raising(ZeroDivisionError()), event_of().to_json()) == ["m0"]
    batch = batch_of(event_of().to_json())
    batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"
    assert raising(ZeroDivisionError()).handler(batch, context_of())["batchItemFailures"] == []
    assert not portal.sqs.table.asked

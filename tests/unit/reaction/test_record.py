"""relay.reaction.record: which records run one after the other, and what an operator decided."""

import json

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from relay.change import Change
from relay.portal import Portal
from relay.reaction import reaction
from relay.reaction.record import Record
from relay.reaction.run import Operator
from tests.batches import batch_of, handle, noting, raising
from tests.samples import change_of

CHANGE = change_of()


def test_changes_of_one_item_run_in_their_order(portal):
    """Changes of one item run by version, while those of another item do not wait for them."""
    received = []
    changes = [
        change_of(version=3),
        change_of(version=2),
        change_of("deal/6", 9),
        change_of(version=4),
    ]
    assert handle(noting(received), *(one.to_json() for one in changes)) == []
    assert [one.version for one in received if one.id == "5"] == [2, 3, 4]
    assert received[0].id == "6"
    assert not portal.sqs.sent


@pytest.mark.parametrize(
    ("code", "sent", "calls"),
    [("UNDECIDED", 2**42, 2), ("UNDECIDED", 0, 1), ("NOT_FOUND", 2**42, 1), (None, 2**42, 1)],
)
def test_only_an_undecided_dead_letter_confirms_earlier_writes(portal, times, code, sent, calls):
    """Only a dead letter with the code UNDECIDED confirms, and only writes sent before it was."""
    portal.fail("im.notify.system.add", "MayHaveRunError")

    @reaction
    async def tell(_change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE="x")

    assert handle(tell, CHANGE.to_json()) == []
    batch = batch_of(CHANGE.to_json())
    batch["Records"][0]["attributes"]["SentTimestamp"] = str(sent)
    if code:
        texts = {"reason": "it", "code": code}
        attributes = {
            name: {"stringValue": text, "dataType": "String"} for name, text in texts.items()
        }
        batch["Records"][0]["messageAttributes"] = attributes
    times.offset = 1000
    tell.handler(batch, type("C", (), {"get_remaining_time_in_millis": lambda: 60_000}))
    assert len(portal.calls) == calls
    assert len(portal.sqs.sent) == 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, Operator()),
        ("NOT_FOUND", Operator(sent_back=True)),
        ("UNDECIDED", Operator(sent_back=True, confirmed_at=4.5)),
    ],
)
def test_a_record_with_a_reason_was_sent_back_by_an_operator(code, expected):
    """A record that comes from the dead letters bears a reason; only then may its code differ."""
    batch = batch_of(CHANGE.to_json())
    batch["Records"][0]["attributes"]["SentTimestamp"] = "4500"
    if code:
        texts = {"reason": "it", "code": code}
        attributes = {name: {"stringValue": text} for name, text in texts.items()}
        batch["Records"][0]["messageAttributes"] = attributes
    assert Record(SQSRecord(batch["Records"][0]), CHANGE).operator == expected


def test_a_change_of_a_future_format_is_dead_lettered(portal):
    """A change with an unknown action is dead-lettered as NotOursError."""
    body = json.loads(CHANGE.to_json())
    body["data"]["action"] = "archived"
    assert handle(noting([]), json.dumps(body)) == []
    assert portal.sqs.sent[0]["MessageAttributes"]["error"]["StringValue"] == "NotOursError"


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"type": "com.bitrix24.event.a"}'])
def test_a_record_of_somebody_else_is_dead_lettered(sqs, body):
    """A body that is no event of this relay is dead-lettered as NotOursError."""
    assert handle(raising(ZeroDivisionError()), body) == []
    assert sqs.sent[0]["MessageAttributes"]["error"]["StringValue"] == "NotOursError"

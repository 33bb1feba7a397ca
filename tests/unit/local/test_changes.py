"""local.changes: a change as one line for a terminal of 80 columns, and as a step of the page."""

import json
from dataclasses import replace
from typing import ClassVar

import pytest

from local.changes import PATIENCE_SECONDS, Changes, Reading, Readings, step, words
from tests.samples import change_of

WON = change_of(
    "deal/662",
    time="2026-01-01T00:00:00Z",
    changed=("closed", "movedTime", "stageId", "stageSemanticId"),
    before={"closed": "N", "stageId": "NEW"},
    after={"closed": "Y", "stageId": "WON", "updatedBy": 1},
)


def test_a_change_is_told_by_what_a_person_did():
    """A line has the edited field with both values, the user and the way; not derived fields."""
    assert words(WON) == "deal 662 stageId NEW -> WON by user 1, event"


def test_what_only_followed_is_told_where_there_is_nothing_else():
    """A change of derived fields only shows those."""
    assert words(replace(WON, changed=("closed",))) == "deal 662 closed N -> Y by user 1, event"


def test_many_and_long_values_are_cut():
    """Long and many values are cut so that the line stays short."""
    names = tuple(f"UF_{number}" for number in range(5))
    long = replace(WON, changed=names, before={}, after=dict.fromkeys(names, "x" * 99))
    assert words(long).startswith(f"deal 662 UF_0 - -> {'x' * 29}…, UF_1")
    assert words(long).endswith("and 2 more, event")


def test_what_came_or_went_and_what_a_reaction_wrote_are_told():
    """An added or deleted item is shown without fields; an echo is called one."""
    assert words(replace(WON, action="added", before={})) == "deal 662 added by user 1, event"
    detail = step(replace(WON, action="added", before={}))["detail"]
    assert (detail["action"], detail["changed"]) == ("added", [])
    gone = replace(WON, action="deleted", changed=(), after={}, via="sweep", origin="relay")
    assert words(gone) == "deal 662 deleted, sweep, written by a reaction"


def test_stages_that_were_passed_are_named():
    """Steps in between are named; the one step that the field shows is not named again."""
    assert words(replace(WON, passed=("WON",))) == words(WON)
    line = "deal 662 stageId NEW -> WON, passed LOSE, WON by user 1, event"
    assert words(replace(WON, passed=("LOSE", "WON"))) == line
    alone = replace(WON, changed=(), before={}, passed=("WON",))
    assert words(alone) == "deal 662 updated, passed WON by user 1, event"


def test_product_rows_are_counted():
    """Product rows are shown by how many were added, changed and removed."""
    rows = [{"id": 1, "productName": "Tea", "price": 1}, {"id": 2, "productName": "Cup"}]
    changed = {"changed": ("productRows",), "before": {"productRows": rows}}
    after = {"productRows": [rows[0] | {"price": 2}, {"id": 3, "productName": "Pot"}]}
    found = words(replace(WON, after=after, **changed))
    assert found == "deal 662 productRows +1 ~1 -1, event"


def test_the_page_gets_what_a_person_edited():
    """The step has the changed fields with both values."""
    described = step(WON)
    assert (described["step"], described["subject"]) == ("changed", "deal/662")
    assert described["detail"]["changed"] == ["stageId"]
    assert described["detail"]["before"] == {"stageId": "NEW"}
    assert described["detail"]["after"] == {"stageId": "WON"}


def line(began, seconds, items, requests):
    """Return a log line of track's reads."""
    about = {"began": began, "seconds": seconds, "items": items, "requests": requests}
    return {"service": "track", "message": "read"} | about


def test_a_change_is_told_with_what_its_reading_cost():
    """A change gets the reading during which it was read, even if that is logged later."""
    readings = Readings()
    at = 1767225600.0  # the change's time
    readings.add({"service": "journal", "message": "read"})
    readings.add(line(at - 9, 1, 7, 2))
    later = replace(WON, id="663", time="2026-01-01T00:00:09Z")
    assert list(readings.join([WON, later], 0)) == []
    readings.add(line(at - 0.5, 1, 3, 1))
    assert list(readings.join([], 1)) == [(WON, Reading(at - 0.5, at + 0.5, 3, 1))]
    assert list(readings.join([], PATIENCE_SECONDS)) == [(later, None)]


def test_readings_are_told_in_words():
    """One read and one request are singular."""
    assert words(WON, Reading(0, 0, 3, 1)).endswith("by user 1, event, 3 reads in 1 request")
    assert str(Reading(0, 0, 1, 2)) == "1 read in 2 requests"
    assert step(WON, Reading(0, 0, 3, 1))["detail"]["reading"] == "3 reads in 1 request"


class Queue:
    """The clients and the topic that `Changes` uses, with messages that are there at once."""

    outputs: ClassVar = {"ChangesTopicArn": "topic"}

    def __init__(self, *bodies):
        self.messages = [{"Body": body, "ReceiptHandle": body} for body in bodies]
        self.gone = []

    def client(self, _service):
        """Return the client of any service."""
        return self

    def receive_message(self, **_):
        """Return the next message."""
        found, self.messages = self.messages[:1], self.messages[1:]
        return {"Messages": found} if found else {}

    def delete_message(self, *, ReceiptHandle, **_):  # noqa: N803
        """Forget a message."""
        self.gone.append(ReceiptHandle)

    def __getattr__(self, _name):
        """Return a fixed answer to each other call."""
        return lambda **_: {
            "QueueUrl": "q",
            "Attributes": {"QueueArn": "q"},
            "SubscriptionArn": "s",
        }


def other(**values):
    """Return a change's document with other members."""
    document = json.loads(WON.to_json())
    data = {name: values.pop(name) for name in list(values) if name in document["data"]}
    return json.dumps(document | values | {"data": document["data"] | data})


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "null",
        "[" * 100_000,
        '{"specversion": "1.0"}',
        other(time="yesterday"),
        other(time=5),
        other(changed=[1, []]),
        other(before="no fields"),
        other(entity="\ud800"),
        other(source=7),
    ],
)
def test_a_message_that_is_no_change_is_one_line_and_skipped(body):
    """Any message of others on the topic is reported in one line; the next change is yielded."""
    strays, queue = [], Queue(body, other())
    assert list(Changes(queue, queue, stray=strays.append).new()) == [WON]
    (text,) = strays
    assert text.startswith("a message that is no change: ")
    assert "\n" not in text
    assert len(text) < 250
    assert len(queue.gone) == 2

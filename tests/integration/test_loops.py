"""Loops of writes that answer each other stop by themselves, and hold nothing else up."""

from types import SimpleNamespace

import pytest

from relay.change import Change, Fields
from relay.echo.detect import mark_echoes
from relay.echo.ledger import BUDGET
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.reaction import Reaction
from relay.state_requests import StateRequests
from relay.tracking.difference import difference
from tests.dynamo import Dynamo


class Circle:
    """A portal, and what the relay makes of its changes: mirror, echoes, filter, reactions."""

    def __init__(self, rule=None):
        self.table, self.rule, self.dead, self.writes = Dynamo(), rule, [], 0
        self.waits = {}
        self.items = {"5": {"title": "a"}, "6": {"title": "a"}}
        self.mirror = {name: dict(item) for name, item in self.items.items()}
        self.version = 1
        self.portal = FakePortal({"crm.item.update": self.update, "crm.item.add": self.add})
        self.portal.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)

    def update(self, *, id, fields, **_):  # noqa: A002  the method's name for it
        """Change an item as a reaction wants, then as the portal's automation rule does."""
        self.writes += 1
        self.items[id] |= fields | {"updatedBy": 1}
        if self.rule:
            self.rule(self.items[id])
        return {"item": self.items[id]}

    def add(self, *, entityTypeId, fields):  # noqa: N803  the method's name for it
        """Make a quote: of all kinds the one that nothing can be found by."""
        assert entityTypeId == 7
        self.writes += 1
        number = str(100 + self.writes)
        self.items[number] = {"title": f"Quote #{number}", "createdBy": 1} | fields
        return {"item": {"id": number}}

    def changes(self):
        """Return what has changed, marked, as the default filter lets it through."""
        found = []
        for name, item in self.items.items():
            before, self.mirror[name] = self.mirror.get(name), dict(item)
            changed = difference(before or {}, item)
            if changed:
                self.version += 1
                found.append(
                    Change(
                        change_id=f"main.deal.{name}.b.{self.version}",
                        portal="main",
                        entity="deal" if before else "quote",
                        entity_type_id=2 if before else 7,
                        id=name,
                        action="updated" if before else "added",
                        version=self.version,
                        time="2026-03-01T12:00:00.000+00:00",
                        changed=tuple(changed),
                        before=Fields(before or {}),
                        after=Fields(item),
                    )
                )
        marked = mark_echoes(found, StateRequests(self.table, "State").load)
        return [change for change in marked if change.origin == "portal"]

    def run(self, *reactions):
        """Let reactions answer changes until there are no more; returns the rounds."""
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
        for number in range(1000):
            records = [
                {
                    "messageId": change.change_id,
                    "receiptHandle": change.change_id,
                    "body": change.to_json(),
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSource": "aws:sqs",
                }
                for change in self.changes()
            ]
            if not records:
                return number
            for each in reactions:
                each.handler({"Records": records}, context)
        pytest.fail("it never ends")

    def send_message(self, **message):
        """Take a dead letter."""
        self.dead.append(message)

    def get_queue_attributes(self, **_):
        """Say that few records are in flight."""
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "0"}}

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: ARG002, N803
        """Note how long records wait."""
        self.waits |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {}


def writing(name, field):
    """Return a reaction that writes another value of a field at each change."""

    async def write(change: Change, portal: Portal) -> None:
        """Write."""
        value = f"{name} of version {change.version}"
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={field: value})

    write.__name__ = name
    return Reaction(write)


@pytest.fixture
def circle(monkeypatch, aws_clients, written, times):
    """Return the function that makes the circle."""

    def make(rule=None):
        loop = Circle(rule)
        aws_clients.update(sqs=loop, dynamodb=loop.table)
        written.portal = loop.portal
        times.stand(1_772_366_399.0)
        for name in ("STATE_TABLE", "QUEUE_URL", "DEAD_LETTERS_URL"):
            monkeypatch.setenv(name, "State")
        return loop

    return make


def test_two_reactions_that_answer_each_other_stop_at_once(circle):
    """What a reaction wrote is an echo, and no reaction gets it by default."""
    loop = circle()
    loop.items["5"]["title"] = "edited by a person"
    assert loop.run(writing("one", "comments"), writing("two", "sourceDescription")) == 1
    assert loop.writes == 2
    assert not loop.dead


def test_a_rule_that_answers_every_edit_is_stopped_by_the_budget(circle):
    """The rule's part of a change is nobody's echo; after the budget of an hour it waits."""
    edits = iter(range(10_000))
    loop = circle(lambda item: item.update(opportunity=next(edits)))
    loop.items["5"]["title"] = "edited by a person"
    one = writing("one", "comments")
    assert loop.run(one) == BUDGET + 1
    assert loop.writes == BUDGET
    assert not loop.dead
    assert len(loop.waits) == 1
    loop.rule = None
    loop.items["6"]["title"] = "edited by a person"
    assert loop.run(one) == 1
    assert loop.writes == BUDGET + 1


@pytest.mark.parametrize("fields", [{"title": "Copy &amp; more"}, {"comments": "no title"}])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_reaction_that_answers_each_quote_with_a_quote_makes_one(circle, fields, at_once):
    """Nothing can be set on a quote to know it by: that it was to be made is noted before."""

    async def copy(change: Change, portal: Portal) -> None:
        """Make another."""
        assert change.action == "added"
        if at_once:
            await portal.batch({"a": ("crm.item.add", {"entityTypeId": 7, "fields": fields})})
        else:
            await portal.call("crm.item.add", entityTypeId=7, fields=fields)

    loop = circle()
    for number in range(50):  # more than a budget: there is none on creates
        loop.items[f"9{number}"] = {"title": f"A person's {number}", "createdBy": 1}
    assert loop.run(Reaction(copy)) == 1
    assert loop.writes == 50
    assert not loop.dead


def test_writes_of_a_batch_are_echoes_too(circle):
    """What a reaction sends together is noted call by call."""

    async def together(change: Change, portal: Portal) -> None:
        """Write another value at each change, in a batch."""
        fields = {"comments": f"version {change.version}"}
        update = {"entityTypeId": 2, "id": change.id, "fields": fields}
        await portal.batch({"a": ("crm.item.update", update)})

    loop = circle()
    loop.items["5"]["title"] = "edited by a person"
    assert loop.run(Reaction(together)) == 1
    assert loop.writes == 1

"""Loops of writes that answer each other stop by themselves, and hold nothing else up."""

from types import SimpleNamespace

import pytest

from relay import settings
from relay.change import Change, Fields
from relay.echo import BUDGET, mark
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.portals import Portals
from relay.reaction import Reaction
from relay.state import State
from relay.tracking.projection import difference
from tests.dynamo import Dynamo


class Circle:
    """A portal, and what the relay makes of its changes: mirror, echoes, filter, reactions."""

    def __init__(self, rule=None):
        self.table, self.rule, self.dead, self.writes = Dynamo(), rule, [], 0
        self.items = {"5": {"title": "a"}, "6": {"title": "a"}}
        self.mirror = {name: dict(item) for name, item in self.items.items()}
        self.version = 1
        self.portal = FakePortal({"crm.item.update": self.update})
        self.portal.webhook = SimpleNamespace(host="main.bitrix24.com")

    def update(self, *, id, fields, **_):  # noqa: A002  the method's name for it
        """Change an item as a reaction wants, then as the portal's automation rule does."""
        self.writes += 1
        self.items[id] |= fields
        if self.rule:
            self.rule(self.items[id])
        return {"item": self.items[id]}

    def changes(self):
        """Return what has changed, marked, as the default filter lets it through."""
        found = []
        for name, item in self.items.items():
            before, self.mirror[name] = self.mirror[name], dict(item)
            changed = difference(before, item)
            if changed:
                self.version += 1
                found.append(
                    Change(
                        change_id=f"main.deal.{name}.b.{self.version}",
                        portal="main",
                        entity="deal",
                        entity_type_id=2,
                        id=name,
                        action="updated",
                        version=self.version,
                        time="2026-03-01T12:00:00.000+00:00",
                        changed=tuple(changed),
                        before=Fields(before),
                        after=Fields(item),
                    )
                )
        marked = mark(found, State(self.table, "State").load)
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


def writing(name, field):
    """Return a reaction that writes another value of a field at each change."""

    async def write(change: Change, portal: Portal) -> None:
        """Write."""
        value = f"{name} of version {change.version}"
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={field: value})

    write.__name__ = name
    return Reaction(write)


@pytest.fixture
def circle(monkeypatch):
    """Return the function that makes the circle."""

    def make(rule=None):
        its = Circle(rule)
        clients = {"sqs": its, "dynamodb": its.table}
        monkeypatch.setattr(settings, "client", lambda service: clients[service])
        monkeypatch.setattr(Portals, "get", lambda *_: its.portal)
        monkeypatch.setattr("relay.reaction.time.time", lambda: 1_772_366_399.0)
        for name in ("STATE_TABLE", "QUEUE_URL", "DEAD_LETTERS_URL"):
            monkeypatch.setenv(name, "State")
        return its

    return make


def test_two_reactions_that_answer_each_other_stop_at_once(circle):
    """What a reaction wrote is an echo, and no reaction gets it by default."""
    its = circle()
    its.items["5"]["title"] = "edited by a person"
    assert its.run(writing("one", "comments"), writing("two", "sourceDescription")) == 1
    assert its.writes == 2
    assert not its.dead


def test_a_rule_that_answers_every_edit_is_stopped_by_the_budget(circle):
    """The rule's part of a change is nobody's echo; after the budget of an hour it is over."""
    edits = iter(range(10_000))
    its = circle(lambda item: item.update(opportunity=next(edits)))
    its.items["5"]["title"] = "edited by a person"
    one = writing("one", "comments")
    assert its.run(one) == BUDGET + 1
    assert its.writes == BUDGET
    assert its.dead[0]["MessageAttributes"]["error"]["StringValue"] == "LoopError"
    its.rule = None
    its.items["6"]["title"] = "edited by a person"
    assert its.run(one) == 1
    assert its.writes == BUDGET + 1

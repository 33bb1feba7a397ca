"""ops.prove: a marked contact proves the outgoing webhook, and is deleted whatever happens."""

import json
import re
import time
from types import SimpleNamespace

import pytest

from ops import prove
from ops.deployed import Deployed
from ops.unproven import why
from relay.errors import MayHaveRunError, PermanentError
from relay.portal.fake import FakePortal
from tests.dynamo import Dynamo

STACK = Deployed(
    "relay",
    {"LogGroup": "logs", "HookUrl": "https://hook/bitrix24"},
    {"TrackWindowSeconds": "1", "LogLevel": "INFO"},
    {"StateTable": "State", "Mirror": "Mirror"},
)
CONTACT = {"item": {"id": 7}}


class World:
    """A portal, the tables and the log; time passes only where the command waits."""

    def __init__(self):
        self.portal = FakePortal({"crm.item.add": CONTACT, "crm.item.delete": []})
        self.portal.webhook = SimpleNamespace(host="main.bitrix24.com", user_id=1)
        self.table, self.lines, self.via = Dynamo(), [], {}
        self.table.get_item = self.row
        self.now = 1000.0

    def client(self, service):
        """Return a client of an AWS service."""
        return {"dynamodb": self.table, "logs": self, "ssm": None}[service]

    def row(self, *, TableName, Key, ConsistentRead):  # noqa: N803
        """Return the mirror's row of the contact, from the time on that `via` says."""
        assert (TableName, Key["pk"]["S"], ConsistentRead) == ("Mirror", "main/contact", True)
        ways = [how for at, how in self.via.items() if at <= self.now]
        return {"Item": {"via": {"S": ways[-1]}}} if ways else {}

    def get_paginator(self, _name):
        """Return this object: it is the paginator too."""
        return self

    def paginate(self, *, filterPattern, **_):  # noqa: N803
        """Return the lines of the log that contain a text."""
        stamp = {"timestamp": "2026-11-30 20:00:00,000+0000"}
        found = [line | stamp for line in self.lines if filterPattern.strip('"') in str(line)]
        return [{"events": [{"message": json.dumps(one), "timestamp": 0} for one in found]}]

    def log(self, message, **fields):
        """Let ingress log a line."""
        self.lines.append({"message": message, "service": "ingress", **fields})

    def ended(self):
        """Let the reaction to new contacts end."""
        self.log("handled", event_id="main.contact.7.add")
        self.lines[-1]["service"] = "GreetContact"

    @property
    def methods(self):
        """Return the methods that were called."""
        return [method for method, _ in self.portal.calls]


@pytest.fixture
def world(monkeypatch):
    """Return a world in which the event of a contact can come."""
    world = World()

    def wait(_stop, seconds):
        world.now += seconds

    monkeypatch.setattr(prove, "open_portal", lambda *_: world.portal)
    monkeypatch.setattr(prove.Stop, "sleep", wait)
    monkeypatch.setattr(prove, "monotonic", lambda: world.now)
    return world


def test_an_event_that_comes_proves_the_webhook(world, capsys):
    """Its time is told, the contact is marked as the relay's own and deleted."""
    world.via[1003.0] = "event"
    world.ended()
    proof = prove.prove(world.client, STACK, "main")
    assert proof == ("contact/7", 3.0, "", True)
    assert proof.is_left is False
    assert world.methods == ["crm.item.add", "crm.item.delete"]
    fields = world.portal.calls[0][1]["fields"]
    assert fields["lastName"].startswith("proof-")
    assert fields["originId"] == f"relay-{fields['lastName']}"
    assert {f"made#main#{fields['originId']}", "gone#main#contact/7"} <= set(world.table.rows)
    assert "the event of contact/7 came, and it was read within 3.0 s" in capsys.readouterr().out


def test_the_contact_stays_until_the_reactions_to_it_have_ended(world):
    """They would find no contact, and leave dead letters."""
    world.via[1001.0] = "event"
    prove.prove(world.client, STACK, "main")
    assert world.now == 1001.0 + prove.REACTIONS_SECONDS  # the log tells of none


def test_a_token_counts_five_seconds_after_it_was_stored(world):
    """A process that has just read the tokens would refuse the event, and it would be lost."""
    world.via[0.0] = "event"
    world.ended()
    prove.prove(world.client, STACK, "main", stored_at=999.0)
    assert world.now == 1004.0


def test_a_sweep_proves_nothing(world, capsys):
    """A row that a sweep brought is no event; the contact is deleted all the same."""
    world.via[1002.0] = "sweep"
    proof = prove.prove(world.client, STACK, "main")
    assert (proof.seconds, proof.deleted, proof.is_left) == (None, True, True)
    assert "no event came: is the outgoing webhook's handler" in proof.reason
    assert "not proven" in capsys.readouterr().out
    assert world.methods[-1] == "crm.item.delete"


def test_a_stopped_proof_deletes_its_contact(world, monkeypatch):
    """Ctrl-C ends the waiting, not the command."""
    monkeypatch.setattr(prove.Stop, "__bool__", lambda _stop: True)
    assert prove.prove(world.client, STACK, "main") == ("contact/7", None, "interrupted", True)


def test_a_contact_that_can_not_be_deleted_is_named(world, capsys):
    """Who may not delete has to ask somebody who may."""
    world.via[0.0] = "event"
    world.ended()
    world.portal.answers["crm.item.delete"] = PermanentError("crm.item.delete", "ACCESS_DENIED")
    proof = prove.prove(world.client, STACK, "main")
    assert proof.is_left is True
    assert "contact/7 is left in the portal, delete it there: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermanentError("crm.item.add", "ACCESS_DENIED"), "no contact could be written: crm.item"),
        (MayHaveRunError("crm.item.add", "TIMEOUT"), "; if the portal has a contact named proof-"),
    ],
)
def test_a_contact_that_can_not_be_written_is_no_proof(world, error, text):
    """The portal's error is told; where the contact may be there its name is."""
    world.portal.answers["crm.item.add"] = error
    proof = prove.prove(world.client, STACK, "main")
    assert text in proof.reason
    assert proof.is_left is True
    assert "crm.item.delete" not in world.methods


PUBLISHED = {"event_name": "ONCRMCONTACTADD", "subject": "contact/7", "portal": "main"}


@pytest.mark.parametrize(
    ("message", "fields", "cause"),
    [
        ("published", PUBLISHED, r"it is not in the mirror yet: `make trace ITEM=contact/7"),
        ("published", PUBLISHED | {"portal": "second"}, "its event bore a token of portal second"),
        ("published", PUBLISHED | {"subject": "contact/77"}, "no event came"),
        ("published", {"event_name": "ONCRMDEALADD", "portal": "main"}, "no ONCRMCONTACTADD: tick"),
        ("published", {"event_name": "ONCRMDEALADD", "portal": "second"}, "no event came"),
        ("refused", {"code": "not_verified"}, "requests with an unknown token were refused"),
        ("refused", {"code": "not_verified", "route": "/robot"}, "no event came"),
        ("spilled", {"reason": "SNS is down"}, "stored to be published later.*SNS is down"),
        ("published by whoever", {"portal": "main"}, "no event came: .*https://hook/bitrix24"),
    ],
)
def test_each_cause_of_a_missing_event_is_told_apart(world, message, fields, cause):
    """Wrong handler, event not ticked, wrong token, another portal's token, trouble in AWS."""
    world.log(message, **fields)
    reason = why(world.client, STACK, "main", "7", time.time())
    assert re.search(cause, reason), reason


def test_a_quiet_log_is_no_evidence(world):
    """At LogLevel=WARNING neither events nor refusals are logged."""
    quiet = STACK.__class__("relay", STACK.outputs, {"LogLevel": "WARNING"}, STACK.resources)
    reason = why(world.client, quiet, "main", "7", time.time())
    assert reason.endswith("(LogLevel is WARNING: the log does not tell what came)")

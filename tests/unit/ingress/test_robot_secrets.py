"""relay.ingress: when the secret of a robot counts, and what is spilled while it can't be read."""

import json
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from relay.ingress import app, republish, robot_cache
from relay.ingress.tokens import MAX_SPILLED, REFRESH_SECONDS
from tests.ingress_aws import DEAL_ADD, DOWN, HANGS, counted
from tests.parameter_store import ParameterStore
from tests.plain import plain
from tests.robots import DEAL_42, MEMBER, SECRET, published, robot_request


def test_a_member_that_is_not_the_portals_is_refused_once_it_is_known(portal, request_of):
    """After an event of the portal told its member id, an address in another portal is refused."""
    elsewhere = DEAL_42.replace(MEMBER, "f" * 32)
    assert portal.ask(robot_request(body=elsewhere))[0] == 200
    assert portal.ask(robot_request())[0] == 200, "a robot's member id is not learnt"
    assert portal.ask(request_of(DEAL_ADD))[0] == 200
    assert portal.ask(robot_request(body=elsewhere))[0] == 401
    assert portal.ask(robot_request())[0] == 200
    assert portal.ask(robot_request(body="document_id=DEAL_42"))[0] == 200


def test_a_new_secret_counts_within_seconds_and_an_old_one_until_it_is_removed(portal):
    """A secret that was stored after the last read is accepted; one that was removed is not."""
    assert portal.ask(robot_request())[0] == 200
    new = robot_request(secret="new")
    assert portal.ask(new)[0] == 401
    portal.secrets["main"], portal.now = f"new\n{SECRET}", REFRESH_SECONDS
    assert portal.ask(new)[0] == 200
    assert portal.ask(robot_request())[0] == 200
    portal.secrets["main"], portal.now = "new", 10_000
    assert portal.ask(robot_request())[0] == 401


def test_without_any_robot_every_call_is_refused(aws):
    """An address can't be anybody's before `make robot` has stored a secret."""
    assert aws.ask(robot_request())[0] == 401
    assert not aws.sent


@pytest.mark.parametrize("trouble", [DOWN, HANGS])
def test_a_call_that_can_not_be_published_is_spilled_and_republished(portal, capsys, trouble):
    """With SNS failing, the call is spilled without its secret and published unchanged later."""
    portal.failing["sns"] = trouble
    query = urlencode({"a": "Ёлка & Сын"})
    assert portal.ask(robot_request(query)) == (202, {"id": "request-1"})
    spilled = portal.spilled()
    log = capsys.readouterr().out
    assert counted(log) == {"received": 1, "spilled": 1}
    portal.failing.clear()
    assert portal.republish(spilled) == []
    (message,) = portal.published
    portal.ask(robot_request(query))
    assert message == portal.published[1]
    assert SECRET not in plain(spilled + log)


def test_a_get_is_spilled_and_republished_too(portal):
    """A GET without a body is published from what was spilled of it."""
    portal.failing["sns"] = DOWN
    for headers in ({}, None):
        request = robot_request(DEAL_42, method="GET", body=None) | {"headers": headers}
        assert portal.ask(request)[0] == 202
    portal.failing.clear()
    assert portal.republish(portal.spilled()) == []
    assert published(portal).document == ("deal", "42")


def test_a_call_is_spilled_while_its_secret_can_not_be_read(portal, capsys):
    """With SSM failing and nothing read before, calls are spilled; a forged one is given up."""
    portal.failing["ssm"] = DOWN
    for _ in range(2 * MAX_SPILLED):
        assert portal.ask(robot_request())[0] == 202
    good = portal.spilled()
    portal.sent.clear()
    assert portal.ask(robot_request(secret="forged"))[0] == 202
    forged = portal.spilled()
    portal.failing.clear()
    portal.now = 60
    assert portal.republish(good, forged) == []
    assert len(portal.published) == 1
    (dead,) = portal.sent
    assert dead["MessageBody"] == forged
    assert "not one of" in dead["MessageAttributes"]["reason"]["StringValue"]
    assert SECRET not in plain(capsys.readouterr().out)


def test_while_ssm_fails_a_few_unknown_secrets_are_spilled(portal):
    """Stored secrets stay valid while SSM fails; of unknown ones a few may be new."""
    assert portal.ask(robot_request())[0] == 200
    portal.failing["ssm"], portal.now = DOWN, 10_000
    assert portal.ask(robot_request())[0] == 200
    statuses = [portal.ask(robot_request(secret="x"))[0] for _ in range(2 * MAX_SPILLED)]
    assert statuses == [202] * MAX_SPILLED + [401] * MAX_SPILLED


def test_a_spilled_digest_that_is_none_is_set_aside(portal, capsys):
    """A spilled message with a broken digest is dead-lettered as no request of ingress."""
    request = robot_request(digest="zz")
    assert portal.republish(json.dumps(request)) == []
    assert portal.sent[0]["MessageAttributes"]["error"]["StringValue"] == "NotOursError"
    assert capsys.readouterr().out


def test_the_functions_verify_robots_with_the_stored_secrets(portal, monkeypatch):
    """Lambda's handlers of both functions accept a robot's call."""
    monkeypatch.setattr(app, "robot_cache", portal.robots)
    monkeypatch.setattr(republish, "robot_cache", portal.robots)
    context = SimpleNamespace(aws_request_id="invocation-1")
    assert app.handler(robot_request(), context)["statusCode"] == 200
    record = {"messageId": "m", "receiptHandle": "r", "body": json.dumps(robot_request())}
    assert republish.handler({"Records": [record]}, context) == {"batchItemFailures": []}
    assert len(portal.published) == 2


def test_the_secrets_are_read_from_their_own_branch(aws_clients):
    """Secrets of robots lie beside the application tokens, not among them."""
    names = {"/relay/test/robots/main": "robots", "/relay/test/application-tokens/main": "t"}
    aws_clients["ssm"] = ParameterStore(**names)
    assert robot_cache.RobotCache().tokens() == {"main": ["robots"]}

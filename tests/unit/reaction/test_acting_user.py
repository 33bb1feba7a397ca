"""relay.reaction.acting_user: when a portal is asked who writes, and what its answer changes."""

import asyncio

import pytest

from relay.echo.calls import BatchResult, Call
from relay.errors import PermanentError
from relay.portal.fake import FakePortal
from relay.portal.webhook import Webhook
from relay.reaction import acting_user as module
from relay.reaction.acting_user import ASK_SECONDS, ActingUser, acting_user, forget

UPDATE = Call("crm.item.update", {"entityTypeId": 2, "id": 5, "fields": {"title": "b"}})
BY_SYSTEM = {"item": {"id": 5, "updatedBy": 55}}


def check(user, portal, result=BY_SYSTEM, call=UPDATE):
    """Let a user be checked with a write's result."""
    asyncio.run(user.check(portal, call, result))


@pytest.mark.parametrize(
    "result",
    [
        *(True, None, [], {"item": None}, {"item": {"id": 5}}, {"item": {"updatedBy": 7}}),
        *({"task": {"id": "5", "changedBy": "7"}}, {"task": True}),
    ],
)
def test_an_answer_that_names_nobody_else_asks_nothing(result):
    """Neither does one without a user."""
    user = ActingUser(7)
    check(user, FakePortal(), result)
    assert user.id == 7


@pytest.mark.parametrize("result", [BY_SYSTEM, {"task": {"id": "5", "changedBy": "55"}}])
def test_an_answer_that_names_another_user_asks_once_an_hour(result, times):
    """The portal's profile decides, not the answer."""
    user, portal = ActingUser(7), FakePortal({"profile": {"ID": "7"}})
    check(user, portal, result)
    check(user, portal, result)
    assert (user.id, portal.requests) == (7, 1)
    later = times.source() + ASK_SECONDS
    times.source = lambda: later
    portal.answers["profile"] = {"ID": "55"}
    check(user, portal, result)
    check(user, portal, result)
    assert (user.id, portal.requests) == (55, 2)


def test_a_batch_is_looked_through():
    """One of its results is enough."""
    user, portal = ActingUser(7), FakePortal({"profile": {"ID": "55"}})
    call = Call.batch({"a": ("crm.deal.update", {}), "b": ("crm.item.update", {})}, halt=False)
    check(user, portal, BatchResult({"a": True, "b": BY_SYSTEM}, {}), call)
    assert user.id == 55


@pytest.mark.parametrize("answer", [[], {}, {"ID": ""}, PermanentError("profile", "ANY")])
def test_no_answer_leaves_the_address_s_user(answer):
    """A write that is done does not fail for it."""
    user = ActingUser(7)
    check(user, FakePortal({"profile": answer}))
    assert user.id == 7


def test_a_process_knows_one_user_for_a_webhook(monkeypatch):
    """Until it ends."""
    monkeypatch.setattr(module, "_users", {})
    webhook = Webhook.parse("https://acme.bitrix24.com/rest/7/s3cr3ts3cr3ts3cr/")
    user = acting_user(webhook)
    assert user == ActingUser(7)
    assert acting_user(webhook) is user
    forget()
    assert acting_user(webhook) is not user

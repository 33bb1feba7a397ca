"""relay.reactions.notify_stage: which methods it calls, with what."""

import asyncio
from dataclasses import replace

from relay.portal.fake import FakePortal
from relay.reactions.notify_stage import notify_stage
from tests.samples import load

NAMES = {"FINAL_INVOICE": [{"NAME": "Final invoice"}], "WON": [{"NAME": "Won"}]}


def answer(portal_names=NAMES):
    """Return a portal that knows some stages by their ids."""

    def stages(**params):
        return portal_names.get(params["filter"]["STATUS_ID"], [])

    return FakePortal({"crm.status.list": stages, "im.notify.system.add": 1})


def asked(directory, stage):
    """Return the call that asks for a stage's name."""
    return "crm.status.list", {"filter": {"ENTITY_ID": directory, "STATUS_ID": stage}}


def test_each_stage_that_was_passed_is_named():
    """A deal that went through two stages between two readings is told with both, in order."""
    portal = answer()
    asyncio.run(notify_stage(load("sqs_deal_won"), portal))
    message = "Ten chairs has reached Final invoice, then Won"
    assert portal.calls == [
        asked("DEAL_STAGE", "FINAL_INVOICE"),
        asked("DEAL_STAGE", "WON"),
        ("im.notify.system.add", {"USER_ID": 5, "MESSAGE": message}),
    ]


def test_a_stage_that_was_removed_is_named_by_its_id():
    """The name comes from the directory of the step's funnel; without one its id stands there."""
    portal = answer({})
    asyncio.run(notify_stage(load("sqs_deal_stage_reached"), portal))
    message = "Two tables has reached C3:EXECUTING"
    assert portal.calls == [
        asked("DEAL_STAGE_3", "C3:EXECUTING"),
        ("im.notify.system.add", {"USER_ID": 5, "MESSAGE": message}),
    ]


def test_steps_that_did_not_fit_are_named_by_their_ids():
    """If the Change has no room for its steps, the stages passed are told as they are."""
    portal = answer()
    sample = replace(load("sqs_deal_won"), steps=(), truncated=("steps",))
    asyncio.run(notify_stage(sample, portal))
    message = "Ten chairs has reached FINAL_INVOICE, then WON"
    assert portal.calls == [("im.notify.system.add", {"USER_ID": 5, "MESSAGE": message})]

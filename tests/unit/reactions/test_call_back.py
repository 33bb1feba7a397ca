"""relay.reactions.call_back: which methods it calls, with what."""

import asyncio
from dataclasses import replace

import pytest

from relay.portal.fake import FakePortal
from relay.reactions.call_back import call_back
from tests.samples import load

EVENT = load("sqs_call_missed")
NUMBER = "+499061234567"


def react(event, found):
    """Return the calls of the reaction in a portal where these items have the number."""
    portal = FakePortal(
        {
            "crm.duplicate.findbycomm": found,
            "crm.activity.todo.add": {"id": 1},
            "tasks.task.add": {"task": {"id": "1"}},
        }
    )
    asyncio.run(call_back(event, portal))
    assert portal.calls[0] == (
        "crm.duplicate.findbycomm",
        {"type": "PHONE", "values": [NUMBER]},
    )
    return portal.calls[1:]


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        ({"LEAD": [31], "CONTACT": [5, 6]}, (3, 5)),
        ({"LEAD": [31], "COMPANY": [12]}, (4, 12)),
        ({"LEAD": [31]}, (1, 31)),
    ],
)
def test_a_caller_who_is_known_gets_a_to_do(found, owner):
    """The to-do is in the card of the contact, else of the company, else of the lead."""
    todo = {
        "ownerTypeId": owner[0],
        "ownerId": owner[1],
        "deadline": "2026-03-11T15:29:10+00:00",
        "title": f"Call {NUMBER} back",
        "responsibleId": 1269,
    }
    assert react(EVENT, found) == [("crm.activity.todo.add", todo)]


@pytest.mark.parametrize(("rung", "responsible"), [("1269", 1269), ("", 1)])
def test_a_caller_whom_nobody_knows_gets_a_task(rung, responsible):
    """The task is for the user who was rung, or for FALLBACK_USER_ID."""
    event = replace(EVENT, payload=EVENT.payload | {"PORTAL_USER_ID": rung})
    task = {
        "TITLE": f"Call {NUMBER} back",
        "RESPONSIBLE_ID": responsible,
        "DEADLINE": "2026-03-11T15:29:10+00:00",
    }
    assert react(event, []) == [("tasks.task.add", {"fields": task})]

"""relay.reactions.find_duplicates: which methods it calls, with what."""

import asyncio
from dataclasses import replace

from relay.change import Fields
from relay.portal.fake import FakePortal
from relay.reactions.find_duplicates import find_duplicates
from tests.samples import load

LEAD = load("sqs_lead_added")


def react(change, **found):
    """Return the calls of the reaction where the portal finds these owners, by kind of address."""
    portal = FakePortal(
        {
            "crm.duplicate.findbycomm": lambda **asked: found[asked["type"]],
            "crm.timeline.comment.add": 1,
        }
    )
    asyncio.run(find_duplicates(change, portal))
    return portal.calls


def test_who_is_known_by_phone_or_e_mail_is_named_once():
    """The comment names each owner once, and not the lead itself."""
    calls = react(
        LEAD, PHONE={"LEAD": [31, 12], "CONTACT": [5]}, EMAIL={"LEAD": [31], "CONTACT": [5]}
    )
    comment = {
        "ENTITY_TYPE": "lead",
        "ENTITY_ID": "31",
        "COMMENT": "Same phone or e-mail: contact 5, lead 12",
    }
    assert calls == [
        ("crm.duplicate.findbycomm", {"type": "EMAIL", "values": ["ada@example.com"]}),
        ("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["+4990612345"]}),
        ("crm.timeline.comment.add", {"fields": comment}),
    ]


def test_a_lead_that_nobody_knows_gets_no_comment():
    """Without another owner (the portal answers an empty list, or the lead) there is no comment."""
    assert [method for method, _ in react(LEAD, PHONE=[], EMAIL={"LEAD": [31]})] == [
        "crm.duplicate.findbycomm"
    ] * 2


def test_a_lead_without_addresses_costs_no_call():
    """A lead without phone and e-mail causes no call."""
    without = Fields({"fm": [{"id": 1, "typeId": "WEB", "value": "example.com"}]})
    assert react(replace(LEAD, after=without)) == []
    assert react(replace(LEAD, after=Fields())) == []


def test_no_more_values_are_asked_for_than_a_call_takes():
    """Of more than MAX_VALUES values only the first are sent."""
    rows = [{"typeId": "PHONE", "value": f"+49906{number:05}"} for number in range(21)]
    ((_, asked),) = react(replace(LEAD, after=Fields({"fm": rows})), PHONE=[])
    assert len(asked["values"]) == 20

"""relay.reactions.assign_in_turn: which methods it calls, with what."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from relay.change import Fields
from relay.portal.fake import FakePortal
from relay.reactions.assign_in_turn import assign_in_turn
from tests.samples import load

LEAD = load("sqs_lead_added")
PEOPLE = [{"ID": "1"}, {"ID": "4"}, {"ID": "7"}, {"ID": "9"}]


def react(change, people=PEOPLE):
    """Return the calls of the reaction in a portal with these people."""
    portal = FakePortal({"user.get": people, "crm.item.update": {"item": {}}})
    asyncio.run(assign_in_turn(change, portal))
    return portal.calls


def test_a_lead_of_nobodys_gets_the_person_whose_turn_it_is():
    """The user who is responsible for leads that nobody took takes no turn."""
    department = {"UF_DEPARTMENT": 1, "ACTIVE": True}
    assert react(LEAD) == [
        ("user.get", {"sort": "ID", "order": "ASC", "FILTER": department}),
        ("crm.item.update", {"entityTypeId": 1, "id": "31", "fields": {"assignedById": 7}}),
    ]


def test_everybody_gets_as_many_whatever_the_order():
    """The lead's id alone decides whose turn it is."""
    leads = [replace(LEAD, id=str(number)) for number in range(120, 30, -1)]
    turns = Counter(react(lead)[1][1]["fields"]["assignedById"] for lead in leads)
    assert turns == {4: 30, 7: 30, 9: 30}


def test_a_lead_that_somebody_took_stays_theirs():
    """A lead with a responsible person is left as it is."""
    assert react(replace(LEAD, after=Fields({"assignedById": 5}))) == []
    assert len(react(replace(LEAD, after=Fields()))) == 2


def test_a_department_without_people_is_told():
    """An empty department raises, so that the lead is dead-lettered with the reason."""
    with pytest.raises(LookupError, match="department 1 has no active user"):
        react(LEAD, PEOPLE[:1])

"""relay.reactions.greet_contact: which methods it calls, with what."""

import asyncio
import json

import pytest

from relay.event import Event
from relay.portal.fake import FakePortal
from relay.reactions.greet_contact import greet_contact


@pytest.mark.parametrize(
    ("names", "called"),
    [
        ({"name": "Ada", "lastName": "King"}, "Ada King"),
        ({"name": "Ada", "lastName": None}, "Ada"),
        ({"name": "", "lastName": ""}, "a contact"),
    ],
)
def test_a_contact_is_greeted_by_name(load_event, names, called):
    """The timeline gets a comment and the responsible person a notification, however named."""
    record = load_event("sqs_contact_added")["Records"][0]
    event = Event.from_cloudevent(json.loads(record["body"]))
    portal = FakePortal(
        {
            "crm.item.get": {"item": {"id": 89, "assignedById": 5, **names}},
            "crm.timeline.comment.add": 1,
            "im.notify.system.add": 2,
        }
    )
    asyncio.run(greet_contact(event, portal))
    assert portal.calls == [
        ("crm.item.get", {"entityTypeId": 3, "id": "89"}),
        (
            "crm.timeline.comment.add",
            {
                "fields": {
                    "ENTITY_TYPE": "contact",
                    "ENTITY_ID": "89",
                    "COMMENT": f"Welcome, {called}!",
                }
            },
        ),
        (
            "im.notify.system.add",
            {"USER_ID": 5, "MESSAGE": f"{called} is a new contact of yours"},
        ),
    ]

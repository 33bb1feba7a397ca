"""relay.reactions.start_from_robot: which method it calls, with what."""

import asyncio
from dataclasses import replace

import pytest

from relay.portal.fake import FakePortal
from relay.reactions.start_from_robot import start_from_robot
from tests.samples import load

EVENT = load("sqs_robot_called")


@pytest.mark.parametrize(
    ("kind", "params", "comment"),
    [
        (
            "deal",
            EVENT.params,
            "A robot called.\nsum: 123.45|RUB\nwho: user_23\ntitle: Ёлка",
        ),
        ("dynamic_128", {}, "A robot called."),
        (
            "lead",
            {"a": ["1", "2"], "b": {"x": "3", "y": ["4"]}},
            "A robot called.\na: 1, 2\nb: 3, 4",
        ),
    ],
)
def test_what_was_typed_is_in_a_comment(kind, params, comment):
    """The item's timeline gets one comment with each parameter on a line."""
    portal = FakePortal({"crm.timeline.comment.add": 1})
    asyncio.run(start_from_robot(replace(EVENT, entity=kind, payload=params), portal))
    fields = {"ENTITY_TYPE": kind, "ENTITY_ID": "42", "COMMENT": comment}
    assert portal.calls == [("crm.timeline.comment.add", {"fields": fields})]

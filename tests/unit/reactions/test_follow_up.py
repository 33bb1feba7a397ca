"""relay.reactions.follow_up: which methods it calls, with what."""

import asyncio

import pytest

from relay.portal.fake import FakePortal
from relay.reactions.follow_up import follow_up
from tests.samples import load


@pytest.mark.parametrize(
    ("sample", "title", "number"),
    [("sqs_deal_won", "Ten chairs", "662"), ("sqs_deal_born_won", "Six stools", "664")],
)
def test_a_won_deal_gets_a_task_and_a_comment_that_names_it(sample, title, number):
    """A deal that is added as won counts too; the comment has the task's number."""
    portal = FakePortal(
        {"tasks.task.add": {"task": {"id": "3711"}}, "crm.timeline.comment.add": 999}
    )
    asyncio.run(follow_up(load(sample), portal))
    task = {"TITLE": f"Call {title}", "RESPONSIBLE_ID": 5, "UF_CRM_TASK": [f"D_{number}"]}
    comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": number, "COMMENT": "Follow-up: task 3711"}
    assert portal.calls == [
        ("tasks.task.add", {"fields": task}),
        ("crm.timeline.comment.add", {"fields": comment}),
    ]

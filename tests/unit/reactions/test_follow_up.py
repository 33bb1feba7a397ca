"""relay.reactions.follow_up: which methods it calls, with what."""

import asyncio

from relay.portal.fake import FakePortal
from relay.reactions.follow_up import follow_up
from tests.samples import load


def test_a_won_deal_gets_a_task_and_a_comment_that_names_it():
    """The task is the responsible person's and linked to the deal; the comment has its number."""
    portal = FakePortal(
        {"tasks.task.add": {"task": {"id": "3711"}}, "crm.timeline.comment.add": 999}
    )
    asyncio.run(follow_up(load("sqs_deal_won"), portal))
    task = {"TITLE": "Call Ten chairs", "RESPONSIBLE_ID": 5, "UF_CRM_TASK": ["D_662"]}
    comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": "662", "COMMENT": "Follow-up: task 3711"}
    assert portal.calls == [
        ("tasks.task.add", {"fields": task}),
        ("crm.timeline.comment.add", {"fields": comment}),
    ]

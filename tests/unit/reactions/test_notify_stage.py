"""relay.reactions.notify_stage: which methods it calls, with what."""

import asyncio

import pytest

from relay.portal.fake import FakePortal
from relay.reactions.notify_stage import notify_stage
from tests.samples import load


@pytest.mark.parametrize(
    ("sample", "directory", "stage", "names", "message"),
    [
        ("sqs_deal_won", "DEAL_STAGE", "WON", [{"NAME": "Won"}], "Ten chairs has reached Won"),
        (
            "sqs_deal_stage_reached",
            "DEAL_STAGE_3",
            "C3:EXECUTING",
            [],
            "Two tables has reached C3:EXECUTING",
        ),
    ],
)
def test_the_responsible_person_reads_the_stages_name(sample, directory, stage, names, message):
    """The name comes from the funnel's directory; a deleted stage is named by its code."""
    portal = FakePortal({"crm.status.list": names, "im.notify.system.add": 1})
    asyncio.run(notify_stage(load(sample), portal))
    assert portal.calls == [
        ("crm.status.list", {"filter": {"ENTITY_ID": directory, "STATUS_ID": stage}}),
        ("im.notify.system.add", {"USER_ID": 5, "MESSAGE": message}),
    ]

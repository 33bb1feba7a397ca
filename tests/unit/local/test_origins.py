"""local.ordeal.origins: a wrong origin and a wrong write of the guest are found."""

from dataclasses import replace

import pytest

from local.ordeal import origins
from local.ordeal.guest import ASK, FIELD, OURS
from local.ordeal.judge import DeadLetter
from relay.change import Change

OF_GUEST = Change(
    change_id="main.deal.5.b.2",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="5",
    action="updated",
    version=2,
    time="2026-03-01T12:00:00.000+00:00",
    origin="relay",
    changed=(FIELD,),
    after={FIELD: f"{OURS}hello"},
)
ASKED = replace(OF_GUEST, origin="portal", changed=("comments",), after={"comments": ASK})
LEAD = f"{OURS}{ASKED.change_id}"
LETTER = DeadLetter(change_id=ASKED.change_id, deal="5", method="", undecided=True, reason="")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (OF_GUEST, 0),
        (replace(OF_GUEST, changed=(FIELD, "title")), 1),
        (replace(OF_GUEST, after={FIELD: "by a person"}), 1),
        (replace(OF_GUEST, after={}), 1),
        (replace(OF_GUEST, action="added"), 1),
        (replace(OF_GUEST, action="deleted"), 1),
        (replace(OF_GUEST, origin="portal", changed=("title",)), 0),
        (replace(OF_GUEST, entity="lead", action="added"), 0),
        (replace(OF_GUEST, entity="lead"), 1),
        (replace(OF_GUEST, entity="contact", action="added"), 1),
        (replace(OF_GUEST, entity="task", action="added"), 0),
    ],
)
def test_a_persons_change_is_not_ours(change, found):
    """A Change with a person's edit and a reaction's origin is a finding."""
    assert len(origins.marked_as_ours([change])) == found


@pytest.mark.parametrize(
    ("titles", "letters", "found"),
    [
        ([LEAD], [], 0),
        ([LEAD, LEAD], [], 1),
        ([], [], 1),
        ([], [LETTER], 0),
        ([], [replace(LETTER, undecided=False)], 1),
        ([LEAD, f"{OURS}else"], [], 1),
    ],
)
def test_a_lead_is_made_once_for_each_asking(titles, letters, found):
    """A doubled, a missing and an unwanted lead are findings, an undecided one is none."""
    assert len(origins.lead_findings([ASKED], titles, letters)) == found


def test_text_is_passed_on_as_it_was_typed():
    """A reference that was resolved on the way is a finding."""
    assert origins.text_findings([f"{OURS}$total[x]"], {"$total[x]"}) == []
    assert len(origins.text_findings([OURS], {"$total[x]"})) == 1

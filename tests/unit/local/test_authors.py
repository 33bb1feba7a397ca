"""local.ordeal.authors: a person's change that is marked ours, and a write of the guest, found."""

from dataclasses import replace

import pytest

from local.ordeal import authors
from local.ordeal.guest import ASK, FIELD, OURS
from local.ordeal.judge import Letter
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
LETTER = Letter(change_id=ASKED.change_id, deal="5", method="", undecided=True, reason="")


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
    """Only what the guest alone has written may be."""
    assert len(authors.origins([change])) == found


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
    """None only where a dead letter says that nobody can decide."""
    assert len(authors.guests([ASKED], titles, letters, ([], set()))) == found


def test_text_is_passed_on_as_it_was_said():
    """A reference that was resolved on the way is found."""
    assert authors.guests([], [], [], ([f"{OURS}$total[x]"], {"$total[x]"})) == []
    assert len(authors.guests([], [], [], ([OURS], {"$total[x]"}))) == 1

"""local.ordeal.judge: each fault is found; else a suite without findings would prove nothing."""

from dataclasses import replace

import pytest

from local.ordeal import judge
from local.ordeal.judge import DeadLetter, DealState, Effects
from relay.change import Fields
from relay.tracking.difference import difference
from tests.samples import change_of

FORM = {"title": "a", "stageId": "NEW", "opportunity": 5, "updatedTime": "1"}
EDIT = change_of(after=Fields(FORM | {"title": "b", "updatedTime": "2"}))
WON = replace(
    EDIT,
    changed=("stageId", "stageSemanticId"),
    after=Fields(FORM | {"stageId": "WON", "stageSemanticId": "S"}),
)
ADDED = replace(
    EDIT, action="added", changed=tuple(difference({}, FORM)), before=Fields(), after=Fields(FORM)
)
DELETED = replace(EDIT, action="deleted", changed=(), before=Fields(FORM), after=Fields())
UNDECIDED = DeadLetter(
    change_id=WON.change_id, deal="5", method="crm.timeline.comment.add", undecided=True, reason=""
)


def follow(state, *changes):
    """Return the state to which Changes lead, and the findings."""
    findings = []
    return judge.chain(state, changes, findings), findings


def test_a_chain_leads_to_what_it_tells():
    """An edited, deleted and re-added deal has no finding; volatile fields do not count."""
    gone = replace(DELETED, version=3, before=EDIT.after)
    back = replace(ADDED, version=4)
    assert follow(DealState(1, FORM), EDIT, gone, back) == (DealState(4, FORM), [])
    assert follow(DealState(1, FORM), EDIT, gone)[0].form is None


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (DealState(1, FORM | {"title": "x"}), EDIT),  # a Change between was lost
        (DealState(1, FORM | {"opportunity": 6}), EDIT),  # a field that changed is not said to
        (DealState(1, None), EDIT),
        (DealState(1, FORM), ADDED),
        (DealState(1, None), replace(ADDED, changed=())),
        (DealState(1, None), DELETED),
        (DealState(1, FORM | {"title": "x"}), DELETED),
        (DealState(1, FORM), replace(EDIT, before=Fields(title="a", stageId="NEW"))),
    ],
)
def test_a_gap_in_a_chain_is_found(state, change):
    """A Change that does not begin where the last one ended is one finding."""
    assert len(follow(state, change)[1]) == 1


def test_a_field_that_is_not_said_to_have_changed_is_found():
    """A changed field that `changed` does not name is found, and so is its needless `before`."""
    assert len(follow(DealState(1, FORM), replace(EDIT, changed=()))[1]) == 2


def test_what_was_told_before_is_no_link():
    """A Change with a version of the begin or before is ignored."""
    assert follow(DealState(2, FORM), EDIT) == (DealState(2, FORM), [])


def test_one_id_has_one_content_and_one_version_one_id():
    """A repeated Change counts once; another content or id of one version is a finding."""
    findings = []
    assert judge.distinct([EDIT, EDIT], findings) == {"5": [EDIT]}
    assert findings == []
    judge.distinct([EDIT, replace(EDIT, origin="relay")], findings)
    judge.distinct([EDIT, replace(EDIT, change_id="main.deal.5.c.2")], findings)
    assert len(findings) == 2


def test_states_must_be_the_portals_in_its_order():
    """Changes may skip states of the portal, but must not go back to an earlier one."""
    a, b = ("a", "NEW", 5, None), ("b", "NEW", 5, None)
    edits = [ADDED, EDIT]
    assert judge.order([a, ("x", "NEW", 5, None), b], edits, "5") == []
    assert judge.order([a, b, a], [*edits, ADDED, DELETED], "5") == []
    beside = replace(EDIT, changed=("sourceDescription",))
    assert judge.order([a, b], [*edits, beside, beside], "5") == []
    assert len(judge.order([a, b], [*edits, EDIT], "5")) == 1
    assert len(judge.order([b, a], edits, "5")) == 1
    assert len(judge.order([a], edits, "5")) == 1


def test_a_value_that_no_change_has_room_for_is_taken_for_any():
    """A field that did not fit is not compared; the others are, and the chain goes on."""
    huge = replace(EDIT, changed=("comments", "title"), truncated=("comments",))
    end, findings = follow(DealState(1, FORM), huge)
    assert findings == judge.end("5", "the last Change", end.form, FORM | {"title": "b"}) == []
    assert len(judge.end("5", "the last Change", end.form, FORM)) == 1
    less = replace(huge, version=3, before=Fields(title="b"), after=Fields(FORM))
    assert follow(end, less)[1] == []
    state = ("b", "NEW", 5, "x" * 300_000)
    assert judge.order([state], [huge], "5") == []
    assert len(judge.order([("a", *state[1:])], [huge], "5")) == 1


@pytest.mark.parametrize(
    ("form", "item", "found"),
    [
        (FORM, FORM, 0),
        (None, None, 0),
        (FORM, None, 1),
        (None, FORM, 1),
        (FORM, FORM | {"title": "b"}, 1),
        (FORM, FORM | {"comments": "new"}, 1),
        (FORM, FORM | {"updatedTime": "9"}, 0),
    ],
)
def test_the_end_must_be_what_the_portal_shows(form, item, found):
    """A differing field, and a deal that only one side has, are findings."""
    assert len(judge.end("5", "the mirror", form, item)) == found


@pytest.mark.parametrize(
    ("tasks", "comments", "letters", "found"),
    [
        (["7"], ["Follow-up: task 7"], [], 0),
        ([], [], [], 2),
        (["7", "8"], ["Follow-up: task 7"], [], 1),
        (["7"], [], [], 1),
        (["7"], [], [UNDECIDED, UNDECIDED], 0),
        (["7"], ["Follow-up: task 7"], [UNDECIDED], 0),
        (["7"], ["Follow-up: task 7"] * 2, [UNDECIDED], 2),
        (["7"], ["Follow-up: task 8"], [], 1),
        ([], [], [replace(UNDECIDED, method="tasks.task.add")], 0),
        (["7"], ["Follow-up: task 7"], [replace(UNDECIDED, undecided=False)], 1),
    ],
)
def test_a_won_deal_has_one_task_and_one_comment(tasks, comments, letters, found):
    """A missing task or comment is a finding, unless a dead letter says that it is undecided."""
    effects = Effects(tasks={"5": tasks}, comments={"5": comments})
    assert len(judge.effects([WON], effects, letters)) == found


def test_a_task_has_the_title_that_was_passed_on():
    """A task with another title than the Change's is a finding."""
    won = replace(WON, after=Fields(WON.after | {"title": "$result[c0]"}))
    made = Effects(tasks={"5": ["7"]}, comments={"5": ["Follow-up: task 7"]})
    assert judge.effects([won], replace(made, titles={"5": ["Call $result[c0]"]}), []) == []
    assert len(judge.effects([won], replace(made, titles={"5": ["Call "]}), [])) == 1


def test_what_nobody_won_has_no_effects():
    """A task of a deal that was not won is a finding; an added won deal is won, an echo is not."""
    effects = Effects(tasks={"6": ["7"]}, comments={"6": []})
    assert len(judge.effects([], effects, [])) == 1
    assert judge.is_won(WON)
    assert not judge.is_won(replace(WON, origin="relay"))
    assert judge.is_won(replace(WON, action="added"))
    assert not judge.is_won(replace(WON, action="deleted"))
    assert not judge.is_won(EDIT)


def test_forms_differ_by_what_is_announced():
    """Existence is a difference, a volatile time is none."""
    assert not judge.differs(FORM, FORM | {"updatedTime": "2"})
    assert not judge.differs(None, None)
    assert judge.differs(FORM, None)
    assert judge.differs(FORM, FORM | {"title": "b"})

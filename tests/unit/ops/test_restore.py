"""ops.restore: what is written to an item so that it is as it was before some changes."""

import pytest

from ops.restore import CanNotUndoError, plan_of
from ops.timeline import Step
from relay.history import PastChange
from relay.tracking.row import Key

DEAL = Key("main", "deal", 1)


def step(before, after, version=2, action="updated"):
    """Return a change of a deal with the states around it."""
    past = PastChange(
        change_id=f"main.deal.1.b.{version}",
        at=1.0,
        action=action,
        origin="portal",
        via="event",
        before=before,
    )
    return Step(past, before, after)


def fields_of(now, *steps, key=DEAL, only=""):
    """Return the fields that undoing the changes writes."""
    ((_, params),) = plan_of(key, now, steps, only).calls()
    return params["fields"]


def test_the_former_values_are_written_and_nothing_else():
    """A field that another change set since is left alone."""
    before, after = {"title": "a", "stageId": "NEW"}, {"title": "a", "stageId": "WON"}
    assert fields_of({"title": "b", "stageId": "WON"}, step(before, after)) == {"stageId": "NEW"}


def test_a_field_that_was_changed_again_refuses_the_change():
    """Neither that field nor another of the change is written; FIELD= names the ones to spare."""
    before, after = {"title": "a", "stageId": "NEW"}, {"title": "b", "stageId": "WON"}
    now = {"title": "c", "stageId": "WON"}
    with pytest.raises(CanNotUndoError, match=r"title was changed again after main\.deal\.1\.b\.2"):
        plan_of(DEAL, now, [step(before, after)])
    assert fields_of(now, step(before, after), only="stageId") == {"stageId": "NEW"}


def test_changes_on_each_other_are_undone_together():
    """Newest first, each finds the field as it left it; the first state is written at once."""
    first, second = step({"title": "a"}, {"title": "b"}), step({"title": "b"}, {"title": "c"}, 3)
    assert fields_of({"title": "c"}, second, first) == {"title": "a"}


def test_what_is_so_already_is_not_written():
    """Whoever set the former value by hand has undone the change."""
    plan = plan_of(DEAL, {"title": "a"}, [step({"title": "a"}, {"title": "b"})])
    assert (plan.fields, plan.changes) == ({}, ["main.deal.1.b.2"])


def test_what_the_portal_sets_itself_is_not_written():
    """The stage brings its semantics and its mover with it."""
    before = {"stageId": "NEW", "stageSemanticId": "P", "movedBy": 1, "MOVED_TIME": "x"}
    after = {"stageId": "WON", "stageSemanticId": "S", "movedBy": 2, "MOVED_TIME": "y"}
    assert fields_of(after, step(before, after)) == {"stageId": "NEW"}
    with pytest.raises(CanNotUndoError, match="did not change a field that can be written"):
        plan_of(DEAL, {"movedBy": 2}, [step({"movedBy": 1}, {"movedBy": 2})])
    with pytest.raises(CanNotUndoError, match="did not change title"):
        plan_of(DEAL, after, [step(before, after)], "title")


@pytest.mark.parametrize(
    ("now", "then", "written"),
    [
        ("x", None, ""),
        (7, None, ""),
        ([1, 2], None, []),
        (True, None, "N"),
        (None, True, "Y"),
        (None, [1], [1]),
        ("N", "Y", "Y"),
        (None, 0, 0),
    ],
)
def test_an_empty_value_is_written_as_its_field_takes_it(now, then, written):
    """The present value shows what kind of field it is."""
    fields = fields_of({"x": now}, step({"x": then}, {"x": now}))
    assert fields == {"x": written}


def test_phones_are_written_row_by_row():
    """A row that came is deleted, one that went is made, one that changed is set back."""
    kept = {"id": 1, "typeId": "PHONE", "valueType": "WORK", "value": "+71"}
    gone = {"id": 2, "typeId": "PHONE", "valueType": "HOME", "value": "+72"}
    came = {"id": 4, "typeId": "EMAIL", "valueType": "WORK", "value": "a@b"}
    set_ = {"id": 3, "typeId": "PHONE", "valueType": "WORK", "value": "+73"}
    before = {"fm": [kept, gone, set_]}
    after = {"fm": [kept, {**set_, "value": "+79"}, came]}
    assert fields_of(after, step(before, after), key=Key("main", "contact", 1)) == {
        "fm": {
            "4": {"typeId": "EMAIL", "value": ""},
            "n1": {"typeId": "PHONE", "valueType": "HOME", "value": "+72"},
            "3": {"typeId": "PHONE", "valueType": "WORK", "value": "+73"},
        }
    }


def test_product_rows_are_set_by_their_own_method():
    """All rows are replaced; what the portal computes of a row is not written."""
    row = {"id": 7, "productName": "Desk", "price": 5, "quantity": 2, "priceNetto": 4, "type": 1}
    before, after = {"title": "a", "productRows": [row]}, {"title": "b"}
    update, rows = plan_of(DEAL, after, [step(before, after)]).calls()
    assert update[1]["fields"] == {"title": "a"}
    assert rows == (
        "crm.item.productrow.set",
        {
            "ownerType": "D",
            "ownerId": 1,
            "productRows": [{"productName": "Desk", "price": 5, "quantity": 2}],
        },
    )
    (emptied,) = plan_of(DEAL, before, [step({"title": "a"}, before)]).calls()
    assert emptied[1]["productRows"] == []


def test_a_task_is_written_by_its_own_method_and_names():
    """`responsibleId` is RESPONSIBLE_ID there."""
    plan = plan_of(Key("main", "task", 9), {"responsibleId": "5"}, [
        step({"responsibleId": "4"}, {"responsibleId": "5"})
    ])  # fmt: skip
    fields = {"RESPONSIBLE_ID": "4"}
    assert next(plan.calls()) == ("tasks.task.update", {"taskId": 9, "fields": fields})


def test_an_item_is_written_by_its_kinds_number_and_original_names():
    """User fields keep the names that the mirror has."""
    plan = plan_of(
        Key("main", "dynamic_130", 9), {"UF_A": "b"}, [step({"UF_A": "a"}, {"UF_A": "b"})]
    )
    assert next(plan.calls()) == (
        "crm.item.update",
        {"entityTypeId": 130, "id": 9, "useOriginalUfNames": "Y", "fields": {"UF_A": "a"}},
    )


def test_a_deletion_is_refused_with_what_can_be_done():
    """The recycle bin restores it, and `asof` shows what it held."""
    gone = step({"title": "a"}, None, action="deleted")
    with pytest.raises(
        CanNotUndoError, match=r"deleted deal/1; the portal's recycle bin .*make asof"
    ):
        plan_of(DEAL, {"title": "a"}, [gone])
    with pytest.raises(CanNotUndoError, match=r"deal/1 is deleted; the portal's recycle bin"):
        plan_of(DEAL, None, [step({"title": "a"}, {"title": "b"})])


def test_an_addition_is_refused():
    """To undo it would delete the item."""
    for before in (None, {"title": "a"}):
        with pytest.raises(CanNotUndoError, match="added deal/1: to undo it is to delete"):
            plan_of(DEAL, {"title": "b"}, [step(before, {"title": "b"}, action="added")])


def test_a_value_too_large_to_be_kept_is_refused():
    """A digest is no value to write back."""
    before = {"comments": {"$sha256": "0" * 64}}
    with pytest.raises(CanNotUndoError, match="too large to be kept"):
        plan_of(DEAL, {"comments": "b"}, [step(before, {"comments": "b"})])

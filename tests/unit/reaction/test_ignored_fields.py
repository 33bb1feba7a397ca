"""relay.reaction.ignored_fields: names that the portal takes without a word."""

import pytest

from relay.echo.calls import Finished
from relay.portal.fake import FakePortal
from relay.reaction.ignored_fields import ignored_fields
from tests.runs import calls

DEAL = {"item": {"id": 5, "stageId": "WON", "ufCrm_7_1": "x", "opportunity": 3}}
TASK = {"task": {"id": "5", "title": "t", "responsibleId": "1"}}


def ignored(result, *names):
    """Return what is told of fields of these names."""
    params = {"id": 5, "fields": dict.fromkeys(names, "a")}
    return dict(ignored_fields(Finished("crm.item.update", params, params, result)))


def test_a_field_that_the_answer_does_not_have_is_told():
    """The portal answers all fields of an item; one that resembles another is misspelt."""
    assert ignored(DEAL, "stagId", "amount") == {
        "stagId": "the answer has no such field; did you mean stageId?",
        "amount": "the answer has no such field",
    }


def test_another_spelling_is_a_field():
    """The portal takes capitals and camel case; phones are not in every answer."""
    assert ignored(DEAL, "stageId", "STAGE_ID", "UF_CRM_7_1", "ufCrm7_1", "fm") == {}


def test_of_a_task_only_what_resembles_a_field_counts():
    """Its answers leave some fields out."""
    assert ignored(TASK, "TITLE", "UF_CRM_TASK", "TAGS") == {}
    assert ignored(TASK, "RESPONSIBLE") == {
        "RESPONSIBLE": "the answer has no such field; did you mean responsibleId?"
    }


@pytest.mark.parametrize("result", [True, None, [], 7, {}, {"item": None}, {"item": {}}])
def test_an_answer_without_an_item_tells_nothing(result):
    """Most methods answer an id, or that it worked."""
    assert ignored(result, "stagId") == {}


@pytest.mark.parametrize("params", [{}, {"fields": "x"}, {"fields": []}])
def test_a_call_without_fields_is_none(params):
    """Whatever a reaction gives goes to the portal."""
    assert not list(ignored_fields(Finished("crm.item.update", params, params, DEAL)))


def test_a_reactions_log_names_the_field(record):
    """A write that changed nothing says why, with its method, and only when it is sent."""
    portal = FakePortal({"crm.item.update": DEAL})
    update = calls("crm.item.update", entityTypeId=2, id=5, fields={"stagId": "WON"})
    record.deliver(portal, update)
    record.deliver(portal, update)
    ((message, about),) = record.logged
    assert (message, about["method"], about["field"]) == (
        "field ignored",
        "crm.item.update",
        "stagId",
    )

"""relay.reaction.lookup: creates whose answer was lost."""

import asyncio
import time

import pytest

from relay.echo.stamps import stamp_of
from relay.errors import MayHaveRunError, TransientError
from relay.portal.fake import FakePortal
from relay.reaction.lookup import Lookup
from tests.runs import ADMIN, TASK, calls


@pytest.mark.parametrize(
    ("method", "params", "listed", "found", "expected"),
    [
        (
            *("crm.item.add", {"entityTypeId": 2, "fields": {"title": "x"}}, "crm.item.list"),
            *({"id": 9, "title": "x", "companyId": 4}, {"item": {"id": 9}}),
        ),
        (
            "crm.item.add",
            {"entityTypeId": 128, "fields": {}},
            "crm.item.list",
            None,
            {"item": {"id": 1}},
        ),
        ("crm.deal.add", {"fields": {"TITLE": "x"}}, "crm.deal.list", {"ID": "9"}, 9),
        ("crm.lead.add", {"FIELDS": {"TITLE": "x"}}, "crm.lead.list", None, 1),
    ],
)
def test_a_lost_create_is_looked_up_when_it_can_not_be_running(  # noqa: PLR0913, PLR0917  a table
    record, method, params, listed, found, expected
):
    """A create without an answer is looked up by its stamp after 65 s, and sent if not found."""
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(TransientError) as lost:
        record.deliver(portal, calls(method, **params))
    assert (lost.value.code, lost.value.retry_after) == ("ANSWER_LOST", 65)
    sent = portal.calls[0][1]
    with pytest.raises(TransientError, match="IN_PROGRESS"):
        record.deliver(portal, calls(method, **params))
    record.offset = 70
    portal = FakePortal(ADMIN | {listed: [found] if found else [], method: expected})
    assert record.deliver(portal, calls(method, **params)) == expected
    by = portal.calls[0][1]["filter"]
    marks = next(value for name, value in sent.items() if name.lower() == "fields")
    assert all(marks[name.removeprefix("=")] == value for name, value in by.items())
    asked = [listed] if found else [listed, "profile", method]
    assert [method for method, _ in portal.calls] == asked


@pytest.mark.parametrize("profile", [{"ID": "1", "ADMIN": False}, {"ID": "1", "ADMIN": "N"}, []])
@pytest.mark.parametrize(
    ("method", "params", "listed"),
    [
        ("crm.item.add", {"entityTypeId": 2, "fields": {"assignedById": 9}}, "crm.item.list"),
        ("crm.deal.add", {"fields": {"ASSIGNED_BY_ID": 9}}, "crm.deal.list"),
        ("tasks.task.add", TASK, "tasks.task.list"),
    ],
)
def test_an_item_that_may_be_hidden_needs_an_operator(record, method, params, listed, profile):
    """An item that the webhook's user may not be able to read needs an operator's decision."""
    record.lose(method, **params)
    portal = FakePortal({listed: [], "profile": profile, method: 7})
    with pytest.raises(MayHaveRunError, match=r"UNDECIDED: .*no administrator .*may read every"):
        record.deliver(portal, calls(method, **params))
    assert method not in dict(portal.calls)
    record.offset = 200
    assert record.deliver(portal, calls(method, **params), confirmed_at=time.time()) == 7


def test_a_lookup_waits_for_the_users_profile(record):
    """Without an answer to `profile` the create is neither sent nor given to an operator."""
    record.lose("crm.deal.add", fields={})
    portal = FakePortal({"crm.deal.list": []})
    portal.fail("profile", "QUERY_LIMIT_EXCEEDED")
    with pytest.raises(TransientError, match="QUERY_LIMIT"):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    assert record.deliver(portal, calls("crm.deal.add", fields={})) == 9


def test_a_create_is_looked_up_even_after_an_operators_decision(record):
    """A create with a stamp is looked up even after an operator has sent the record back."""
    record.lose("crm.deal.add", 200, fields={})
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    repeat = calls("crm.deal.add", fields={})
    assert record.deliver(portal, repeat, sent_back=True, confirmed_at=time.time()) == 9


def looked_for(method, params, answers, since=1_800_000_000.0):
    """Look for a create; returns what was found and what was asked."""
    portal = FakePortal(ADMIN | answers)
    mark = stamp_of(method, params, "key")
    return asyncio.run(Lookup(portal).find(method, params, mark, since)), portal.calls[0]


def test_a_create_is_looked_up_in_the_list_of_its_kind():
    """A create is looked up in the list of its kind, by the stamp, with its other parameters."""
    params = {"entityTypeId": 128, "useOriginalUfNames": "Y", "fields": {}}
    found, asked = looked_for("crm.item.add", params, {"crm.item.list": [{"id": 9}]})
    assert found == {"item": {"id": 9}}
    more = {"entityTypeId": 128, "useOriginalUfNames": "Y", "select": ["*"]}
    assert asked == ("crm.item.list", more | {"filter": {"=xmlId": "relay-key"}})
    found, asked = looked_for("CRM.Deal.Add", {"fields": {}}, {"crm.deal.list": [{"ID": "9"}]})
    assert found == 9
    by = {"=ORIGINATOR_ID": "bitrix24-relay", "=ORIGIN_ID": "relay-key"}
    assert asked == ("crm.deal.list", {"filter": by, "select": ["ID"]})

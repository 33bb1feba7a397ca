"""relay.reaction.lookup: creates whose answer was lost."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from relay.echo.stamps import stamp_of
from relay.errors import (
    MayHaveRunError,
    TransientError,
)
from relay.portal.fake import FakePortal
from relay.reaction.lookup import find
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
    portal = FakePortal()
    portal.fail(method, "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls(method, **params))
    record.offset = 70
    portal = FakePortal({listed: [], "profile": profile, method: 7})
    with pytest.raises(MayHaveRunError, match=r"UNDECIDED: .*no administrator .*may read every"):
        record.deliver(portal, calls(method, **params))
    assert method not in dict(portal.calls)
    record.offset = 200
    assert record.deliver(portal, calls(method, **params), confirmed_at=time.time()) == 7


def test_a_lookup_waits_for_the_users_profile(record):
    """Without an answer to `profile` the create is neither sent nor given to an operator."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 70
    portal = FakePortal({"crm.deal.list": []})
    portal.fail("profile", "QUERY_LIMIT_EXCEEDED")
    with pytest.raises(TransientError, match="QUERY_LIMIT"):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    assert record.deliver(portal, calls("crm.deal.add", fields={})) == 9


@pytest.mark.parametrize("unclear", [False, True])
def test_a_lost_task_is_recognised_by_its_stamp_only(record, unclear):
    """A task with the stamp is the lost one; a task of that title and time without it may be."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("tasks.task.add", **TASK))
    mark = portal.calls[0][1]["fields"]["XML_ID"]
    record.offset = 70
    task = {"id": "9", "title": "Call", "createdDate": "2126-01-01T00:00:00+03:00"}
    task["xmlId"] = None if unclear else mark
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            record.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}


@pytest.mark.parametrize(
    ("task", "unclear"),
    [
        ({"title": "Renamed", "xmlId": "another's"}, False),
        ({"title": "Call", "xmlId": "another's"}, False),
        ({"title": "Call", "createdDate": "2020-01-01T00:00:00+03:00"}, False),
        ({"title": "Other"}, False),
        ({"title": "Call"}, True),
    ],
)
def test_only_a_task_that_may_be_the_lost_one_needs_an_operator(record, task, unclear):
    """Only a task of the same title, without a stamp and made since, needs an operator."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("tasks.task.add", **TASK))
    record.offset = 70
    found = {"id": "9", "createdDate": "2126-01-01T00:00:00+03:00"} | task
    answers = {"tasks.task.list": {"tasks": [found]}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    if unclear:
        with pytest.raises(MayHaveRunError):
            record.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": 1}}


def test_a_lost_task_that_was_renamed_and_reassigned_is_found(record):
    """Tasks are filtered by time only, so a renamed task is found by its stamp."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("tasks.task.add", **TASK))
    mark = portal.calls[0][1]["fields"]["XML_ID"]
    record.offset = 70
    task = {"id": "9", "title": "Renamed", "responsibleId": "3", "xmlId": mark}
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}
    assert list(portal.calls[0][1]["filter"]) == [">=CREATED_DATE"]


def test_a_lost_task_that_is_not_found_is_sent(record):
    """A task that is not found is sent, whatever characters its title has."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    odd = {"fields": {"TITLE": "A & B ", "RESPONSIBLE_ID": 1}}
    with pytest.raises(TransientError):
        record.deliver(portal, calls("tasks.task.add", **odd))
    record.offset = 70
    answers = {"tasks.task.list": {"tasks": []}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    assert record.deliver(portal, calls("tasks.task.add", **odd)) == {"task": {"id": 1}}


def test_a_create_is_looked_up_even_after_an_operators_decision(record):
    """A create with a stamp is looked up even after an operator has sent the record back."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    repeat = calls("crm.deal.add", fields={})
    assert record.deliver(portal, repeat, sent_back=True, confirmed_at=time.time()) == 9


def looked_for(method, params, answers, since=1_800_000_000.0):
    """Look for a create; returns what was found and what was asked."""
    portal = FakePortal(ADMIN | answers)
    mark = stamp_of(method, params, "key")
    return asyncio.run(find(portal, method, params, mark, since)), portal.calls[0]


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


@pytest.mark.parametrize(("seconds", "unclear"), [(-299, True), (-300, True), (-301, False)])
def test_a_task_is_looked_up_from_five_minutes_before_it_was_sent(seconds, unclear):
    """Tasks made up to 300 s before the intent count; the filter goes 14 h further back."""
    since = 1_800_000_000.0
    made = datetime.fromtimestamp(since + seconds, UTC).isoformat()
    answers = {"tasks.task.list": {"tasks": [{"id": "9", "title": "Call", "createdDate": made}]}}
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            looked_for("tasks.task.add", TASK, answers)
    else:
        found, (_, asked) = looked_for("tasks.task.add", TASK, answers)
        assert found is None
        begin = datetime.fromtimestamp(since - 300 - 14 * 3600, UTC).isoformat()
        assert asked["filter"] == {">=CREATED_DATE": begin}
        assert {"XML_ID", "TITLE", "CREATED_DATE"} <= set(asked["select"])

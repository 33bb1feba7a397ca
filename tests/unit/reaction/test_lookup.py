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
def test_a_lost_create_is_looked_for_when_it_can_not_be_running(  # noqa: PLR0913, PLR0917  a table
    record, method, params, listed, found, expected
):
    """Found by its mark it is the result; not found it is sent; a minute later, not before."""
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
def test_what_may_be_invisible_is_for_a_person_to_decide(record, method, params, listed, profile):
    """The user of a webhook may make an item for somebody else and not be allowed to read it."""
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


def test_a_lookup_waits_while_the_portal_does_not_say_who_asks(record):
    """Neither sent, nor given to a person."""
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
def test_a_lost_task_is_told_by_its_mark_only(record, unclear):
    """One without a mark but of the same title and time may be it or not: a person decides."""
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
def test_a_task_without_a_mark_is_a_question_only_where_it_may_be_the_one(record, task, unclear):
    """Of the title that was sent, made since."""
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
    """Before it was looked for: only the time is filtered by."""
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


def test_a_lost_task_that_is_nowhere_is_made(record):
    """Whatever is odd in its title."""
    portal = FakePortal()
    portal.fail("tasks.task.add", "MayHaveRunError")
    odd = {"fields": {"TITLE": "A & B ", "RESPONSIBLE_ID": 1}}
    with pytest.raises(TransientError):
        record.deliver(portal, calls("tasks.task.add", **odd))
    record.offset = 70
    answers = {"tasks.task.list": {"tasks": []}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    assert record.deliver(portal, calls("tasks.task.add", **odd)) == {"task": {"id": 1}}


def test_what_a_person_sends_back_is_looked_for_where_it_can_be(record):
    """Whoever sends all dead letters back has not looked for each of them."""
    portal = FakePortal()
    portal.fail("crm.deal.add", "MayHaveRunError")
    with pytest.raises(TransientError):
        record.deliver(portal, calls("crm.deal.add", fields={}))
    record.offset = 200
    portal = FakePortal({"crm.deal.list": [{"ID": "9"}]})
    again = calls("crm.deal.add", fields={})
    assert record.deliver(portal, again, sent_back=True, confirmed_at=time.time()) == 9


def looked_for(method, params, answers, since=1_800_000_000.0):
    """Look for a create; returns what was found and what was asked."""
    portal = FakePortal(ADMIN | answers)
    mark = stamp_of(method, params, "key")
    return asyncio.run(find(portal, method, params, mark, since)), portal.calls[0]


def test_what_is_looked_for_and_where():
    """In the list of the same kind, by the mark alone, with all that the create needed beside."""
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
def test_a_task_is_looked_for_from_five_minutes_before_it_was_sent(seconds, unclear):
    """Clocks differ; a portal reads a filter's time in a zone that is up to 14 hours away."""
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

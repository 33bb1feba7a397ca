"""What the portal answers of an item: there, deleted, forbidden, or not to be read now."""

import pytest

from relay.errors import (
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.tracking.row import UNREADABLE
from tests.tracking_aws import OLD, changes, metric
from tests.tracking_queues import URL


def test_an_owner_who_lost_all_rights_changes_nothing(relay, capsys):
    """If the owner may read nothing, rows are marked, keep their content, and no Change is made."""
    for number in range(1, 61):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.forbidden.add((2, None))
    capsys.readouterr()
    relay.sweep()
    assert relay.settle() == []
    assert metric(capsys, "unreadable") == 20  # the canaries; the audit finds the others
    rows = relay.dynamo.mirror.values()
    assert all("content" in row for row in rows)
    relay.portal.forbidden.clear()
    relay.portal.put(2, 60, title="b")
    relay.sweep()
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_deletion_without_an_event_is_confirmed_then_announced(relay):
    """A missing item is read by itself, its kind is listed, then the deletion is announced."""
    for number in (1, 2, 3):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][3]
    relay.sweep()
    relay.portal.calls.clear()
    (change,) = changes(relay.settle())
    assert change.action == "deleted"
    assert [name for name, _ in relay.portal.calls] == [
        "crm.item.list", "crm.item.get", "crm.item.list",
    ]  # fmt: skip


def test_an_item_that_may_not_be_read_costs_no_second_list(relay):
    """Only a deletion is confirmed by a second list."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.forbidden.add((2, 1))
    relay.event(1)
    relay.portal.calls.clear()
    assert relay.settle() == []
    assert [name for name, _ in relay.portal.calls] == ["crm.item.list", "crm.item.get"]


def test_a_failing_command_returns_its_own_hints_only(relay):
    """If the list of one kind fails, only the hints of this kind come back."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.put(3, 1, name="b")
    relay.portal.trouble["crm.item.list", 3] = TransientError("crm.item.list", "X", retry_after=70)
    relay.event(1, "add")
    relay.event(1, "add", entity="contact", type_id=3)
    assert [one["subject"] for one in relay.settle()] == ["deal/1"]
    assert list(relay.queues.waits.values()) == [pytest.approx(80, abs=10)]
    relay.portal.trouble.clear()
    assert [one["subject"] for one in relay.settle()] == ["contact/1"]


def test_a_type_that_disappeared_takes_nothing_along(relay, monkeypatch, capsys):
    """Of a deleted smart process only items with a deletion event are announced as deleted."""
    relay.portal.items[128] = {}
    relay.portal.put(128, 5, title="a", updatedTime=OLD)
    relay.portal.put(128, 6, title="a", updatedTime=OLD)
    relay.baseline()
    capsys.readouterr()
    del relay.portal.items[128]
    relay.event(5, entity="dynamic_128", type_id=128)
    relay.event(6, "delete", entity="dynamic_128", type_id=128)
    monkeypatch.setenv("GRACE_SECONDS", "30")
    (change,) = changes(relay.settle())
    assert (change.entity, change.id, change.action) == ("dynamic_128", "6", "deleted")
    assert relay.queues.bodies("track") == []
    assert metric(capsys, "gone_type") == 1
    relay.sweep()
    assert relay.settle() == []


def test_a_task_that_is_gone_without_an_event_is_not_called_deleted(relay, capsys):
    """A missing task counts as unreadable: the portal's error is the same for a hidden one."""
    relay.portal.put(0, 6, title="b", changedDate=OLD)
    relay.baseline()
    del relay.portal.items[0][6]
    relay.event(6, entity="task", type_id=None)
    assert relay.settle() == []
    assert metric(capsys, "unreadable") == 1


def test_a_late_event_of_a_deleted_task_leaves_it_deleted(relay, monkeypatch, capsys):
    """Its update comes after its deletion: nobody lost a right, and once restored it is added."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.portal.put(0, 6, title="t", changedDate=OLD)
    relay.baseline()
    task = relay.portal.items[0].pop(6)
    for action in ("delete", "update"):
        relay.event(6, action, entity="task", type_id=None)
        relay.settle()
    assert [one["type"] for one in relay.topic.published] == ["com.bitrix24.task.deleted"]
    assert relay.queues.bodies("track") == []
    assert metric(capsys, "unreadable") == 0
    relay.portal.items[0][6] = task
    relay.event(6, entity="task", type_id=None)
    assert [one["type"] for one in relay.settle()] == ["com.bitrix24.task.added"]


def test_a_task_that_was_deleted_at_once_is_left_to_its_event(relay, monkeypatch, capsys):
    """A task that nobody has read and that is not listed is judged at its second receive.

    Of a deal that nobody has read `crm.item.get` says at once that it is deleted.
    """
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.baseline()
    relay.event(6, "add", entity="task", type_id=None)
    relay.event(7, "add")
    relay.settle()
    assert len(relay.queues.bodies("track")) == 1
    relay.event(6, "delete", entity="task", type_id=None)
    assert relay.settle() == []
    assert metric(capsys, "unreadable") == 0
    assert not relay.queues.messages[URL + "track"]


def test_a_task_that_the_portal_can_not_read_now_waits(relay, capsys):
    """A task whose list left it out and whose get fails for a while is neither gone nor hidden."""
    relay.portal.put(0, 6, title="b", changedDate=OLD)
    relay.baseline()
    del relay.portal.items[0][6]
    relay.portal.trouble["tasks.task.get", 0] = TransientError("tasks.task.get", "X")
    relay.event(6, entity="task", type_id=None)
    assert relay.settle() == []
    assert len(relay.queues.bodies("track")) == 1
    assert metric(capsys, "unreadable") == 0


def failing(relay, is_refused, error):
    """Let readings fail whose ids are refused; returns how many ids each asked for."""
    answer, asked = relay.portal.answer, []

    def answer_or_fail(method, params):
        ids = params.get("filter", {}).get("@id")
        if ids and params["select"] == ["*"]:
            asked.append(len(ids))
            if is_refused(ids):
                raise error
        return answer(method, params)

    relay.portal.answer = answer_or_fail
    return asked


@pytest.mark.parametrize(
    "error",
    [
        TransientError("crm.item.list", "INTERNAL_SERVER_ERROR"),
        PermanentError("crm.item.list", "UNKNOWN"),
    ],
)
def test_an_item_that_can_not_be_listed_holds_up_no_other(relay, error):
    """Of fifty items asked for together the portal fails at one: the others are read."""
    for number in range(1, 51):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    asked = failing(relay, lambda ids: 13 in ids, error)
    assert {one["subject"] for one in relay.settle()} == {
        f"deal/{number}" for number in range(1, 51) if number != 13
    }
    assert len(asked) <= 13


def test_items_too_large_to_be_read_together_are_read_apart(relay):
    """An answer of fifty items of 2 MB each is too large: they are read few at a time."""
    for number in range(1, 51):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    failing(relay, lambda ids: len(ids) > 15, PermanentError("crm.item.list", "ANSWER_TOO_LARGE"))
    assert len(relay.settle()) == 50
    assert relay.queues.bodies("dead") == []


def test_a_portal_that_fails_at_everything_is_not_asked_item_by_item(relay):
    """If both halves of a page fail too, its hints come back; so they do if no call ran."""
    for number in range(1, 51):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    asked = failing(relay, bool, TransientError("crm.item.list", "INTERNAL_SERVER_ERROR"))
    assert relay.settle() == []
    assert asked == [50, 25, 25]
    for error in (
        TransientError("crm.item.list", "NO_SLOT"),
        OperatorError("crm.item.list", "NO_AUTH_FOUND"),
    ):
        asked = failing(relay, bool, error)
        assert relay.settle() == []
        assert asked == [50]


def test_an_item_whose_own_get_fails_has_no_other_read_again(relay):
    """Of two missing items one can't be confirmed: its page is not read in halves."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    answer, asked = relay.portal.answer, []

    def answer_or_fail(method, params):
        asked.append(method)
        if (method, params.get("id")) == ("crm.item.get", 1):
            raise TransientError("crm.item.get", "X")
        return answer(method, params)

    relay.portal.answer = answer_or_fail
    relay.event(1)
    relay.event(2)
    assert [one["subject"] for one in relay.settle()] == ["deal/2"]
    # The list of both, their gets, and the list that confirms the deletion.
    assert asked.count("crm.item.list") == 2


def test_an_item_that_appears_while_it_is_confirmed_waits(relay):
    """A hint comes back if its item is listed after the get did not find it."""
    relay.baseline()
    answer = relay.portal.answer

    def restoring(method, params):
        if method == "crm.item.get":
            relay.portal.put(2, 1, title="back")
            raise PermanentError(method, "NOT_FOUND")
        return answer(method, params)

    relay.portal.answer = restoring
    relay.event(1)
    relay.track_all()
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_portal_that_dies_while_absence_is_confirmed_deletes_nothing(relay):
    """Without the last list the hint comes back and nothing is announced."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    answer = relay.portal.answer

    def dying(method, params):
        if method == "crm.item.get":
            relay.portal.trouble["crm.item.list", 2] = TransientError(method, "")
        return answer(method, params)

    relay.portal.answer = dying
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_an_empty_answer_to_a_get_is_no_deletion(relay):
    """An empty answer to a get marks the row as unreadable."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    answer = relay.portal.answer
    relay.portal.answer = lambda method, params: (
        [] if method == "crm.item.get" else answer(method, params)
    )
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_that_only_get_shows_is_put(relay):
    """An item that only the get returns is put like one of a list."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b")
    answer = relay.portal.answer
    relay.portal.answer = lambda method, params: (
        {"items": []} if method == "crm.item.list" else answer(method, params)
    )
    relay.event(1)
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_kind_that_may_not_be_read_waits_for_the_right(relay):
    """Events of a kind that the owner may not read wait for an operator."""
    error = PermanentError("crm.item.list", "ACCESS_DENIED")
    relay.portal.trouble["crm.item.list", 2] = error
    relay.event(1)
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 1
    assert relay.queues.bodies("dead") == []
    assert 720 <= relay.queues.waits["1"] <= 900

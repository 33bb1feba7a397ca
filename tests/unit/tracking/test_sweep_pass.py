"""One sweep of one portal."""

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest

from relay.errors import (
    OperatorError,
    PermanentError,
    StateError,
    TransientError,
)
from relay.tracking import sweep_lists, sweep_pass, wiring
from relay.tracking.sweep_plan import NEW, set_kinds
from relay.tracking.sweep_state import REFUSED, ListJob, SweepState
from tests.tracking_aws import LATER, OLD, metric


def test_a_sweep_at_rest_costs_one_request(relay):
    """The clock and the lists of all kinds are one request."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.sweep()
    relay.portal.requests = 0
    relay.sweep()
    assert relay.portal.requests == 1


def test_a_blocked_portal_is_not_a_refused_kind(relay):
    """An error of the whole portal ends the sweep."""
    for method, number in (("crm.type.list", 0), ("crm.item.list", 2), ("crm.item.list", 3)):
        relay.portal.trouble = {(method, number): OperatorError(method, "OVERLOAD_LIMIT")}
        assert "OVERLOAD_LIMIT" in relay.sweep()["main"]


def test_a_portal_that_is_blocked_in_the_middle_is_swept_later(relay):
    """After an error of the whole portal in a list, the next sweep completes the lists."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = OperatorError("crm.item.list", "OVERLOAD_LIMIT")
    assert "OVERLOAD_LIMIT" in relay.sweep()["main"]
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}


def test_a_kind_that_went_is_kept_for_its_return(relay):
    """A smart process that is gone is not listed, and continues when the portal offers it again."""
    relay.portal.items[128] = {}
    relay.baseline()
    kept = relay.portal.items.pop(128)
    for back, expected in ((False, REFUSED), (False, REFUSED), (True, "done")):
        relay.portal.items |= {128: kept} if back else {}
        with relay.document() as document:
            document.types_asked_at = 0
        relay.sweep()
        relay.portal.calls.clear()
        relay.sweep()
        assert wiring.sweep_state().read("main").progress()["dynamic_128"] == expected
        asked = any(params.get("entityTypeId") == 128 for _, params in relay.portal.calls)
        assert asked is back


def test_a_kind_that_fails_leaves_the_others_swept(relay, capsys):
    """A list that must wait is continued, and the other kinds are swept meanwhile."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 3] = TransientError("crm.item.list", "X")
    later = datetime.now(UTC).isoformat(timespec="seconds")
    for title in ("b", "c"):
        relay.portal.put(2, 1, title=title, updatedTime=later)
        assert relay.sweep()["main"].startswith("TransientError")
        assert metric(capsys, "unfinished") == 1
        assert [one["data"]["after"]["title"] for one in relay.settle()] == [title]
    relay.portal.put(3, 1, name="b", updatedTime=later)
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert [one["subject"] for one in relay.settle()] == ["contact/1"]


def test_a_list_that_was_read_is_not_read_again_for_another_that_failed(relay):
    """Of a kind's two lists, only the one that failed is read by the next sweep."""
    relay.portal.put(3, 1, name="a", updatedTime=OLD)
    relay.baseline()
    answer = relay.portal.answer

    def failing(method, params):
        if params.get("entityTypeId") == 3 and ">=updatedTime" not in params["filter"]:
            raise TransientError(method, "X")
        return answer(method, params)

    relay.portal.answer = failing
    assert relay.sweep()["main"].startswith("TransientError")
    relay.portal.answer = answer
    relay.portal.calls.clear()
    assert relay.sweep() == {"main": "done"}
    (again,) = [params for _, params in relay.portal.calls if params.get("entityTypeId") == 3]
    assert ">=updatedTime" not in again["filter"]


def test_a_permanent_error_refuses_no_kind(relay, capsys):
    """A permanent error that is no refusal is counted, and its list begins anew."""
    for number in (2, 3):
        relay.portal.put(number, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = PermanentError("crm.item.list", "INVALID_ARG_VALUE")
    with relay.document() as document:
        for kind in ("deal", "contact"):
            document.kinds[kind].swept_at = before = document.types_asked_at - 60
    for _ in range(2):
        assert "INVALID_ARG_VALUE" in relay.sweep()["main"]
        assert metric(capsys, "unfinished") == 1
        document = wiring.sweep_state().read("main")
        assert document.progress()["deal"] == "done"
        assert document.kinds["deal"].swept_at == before
        assert document.kinds["contact"].swept_at > before
        assert document.jobs == []
    relay.portal.trouble.clear()
    assert relay.sweep() == {"main": "done"}
    assert wiring.sweep_state().read("main").kinds["deal"].swept_at > before


def test_lists_of_a_refused_kind_are_dropped(relay):
    """Lists that an earlier sweep left of a refused kind are dropped."""
    relay.baseline()
    with relay.document() as document:
        document.jobs = [ListJob("deal", NEW)]
        document.kinds["deal"].refused = True
    relay.portal.calls.clear()
    assert relay.sweep() == {"main": "done"}
    assert wiring.sweep_state().read("main").jobs == []
    assert not any(params.get("entityTypeId") == 2 for _, params in relay.portal.calls)


@pytest.mark.parametrize("edited", [4, 5, 6, 25])
def test_an_edited_item_gets_one_hint_wherever_the_lists_meet(relay, edited):
    """An item below, at and above the id where the two lists of a sweep meet is found once."""
    for number in range(1, 26):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, edited, title="b", updatedTime=LATER)
    assert relay.sweep() == {"main": "done"}
    assert [json.loads(body)["ids"] for body in relay.queues.bodies("track")] == [[edited]]


def test_a_list_that_is_continued_covers_its_first_start(relay):
    """What changed between a list's start and its continuation is listed by the next sweep."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    began = int(relay.portal.clock()) + 600
    relay.portal.clock = lambda: began
    assert relay.sweep()["main"].startswith("TransientError")
    relay.portal.trouble.clear()
    relay.portal.clock = lambda: began + 600
    assert relay.sweep() == {"main": "done"}
    document = wiring.sweep_state().read("main")
    assert document.kinds["deal"].swept_at == began
    assert document.kinds["contact"].swept_at > began
    assert document.zone_offset_seconds == 3 * 3600


def test_a_refused_kind_is_counted(relay, capsys):
    """A kind that the portal begins to refuse is counted by the sweep that met it."""
    relay.baseline()
    relay.portal.trouble["crm.item.list", 2] = PermanentError("crm.item.list", "ACCESS_DENIED")
    capsys.readouterr()
    assert relay.sweep() == {"main": "done"}
    assert metric(capsys, "refused") == 1


def test_a_list_that_fails_leaves_the_others_to_their_end():
    """The first error is raised when all work has ended, so that no list is cut off."""
    ended = []

    async def work(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        ended.append(turns)
        if turns == 1:
            raise StateError("first")

    with pytest.raises(StateError):
        asyncio.run(sweep_pass._together(work(1), work(9)))  # noqa: SLF001
    assert ended == [1, 9]


def test_a_long_list_is_continued_after_its_last_saved_part(relay, monkeypatch):
    """Ids that the queue took before a sweep failed get no second hint."""
    monkeypatch.setattr(sweep_lists, "SEGMENT_ITEMS", 50)
    for number in range(1, 201):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    send, room = relay.queues.send_message_batch, [1, 1]

    def failing(**request):
        relay.queues.full = not room
        del room[:1]
        return send(**request)

    relay.queues.send_message_batch = failing
    assert relay.sweep()["main"].startswith("StateError")
    room.extend([1] * 9)
    assert relay.sweep() == {"main": "done"}
    hinted = [one for body in relay.queues.bodies("track") for one in json.loads(body)["ids"]]
    assert hinted == list(range(1, 201))


def test_trouble_of_the_whole_portal_stops_every_list(relay, monkeypatch):
    """A long list ends with the part that it is at, when another list shows the trouble."""
    monkeypatch.setattr(sweep_lists, "SEGMENT_ITEMS", 50)
    for number in range(1, 201):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.portal.trouble["crm.item.list", 3] = OperatorError("crm.item.list", "OVERLOAD_LIMIT")
    with relay.document() as document:
        set_kinds(document, {"deal", "contact"}, time.time())
    assert "OVERLOAD_LIMIT" in relay.sweep()["main"]
    assert len(relay.queues.bodies("track")) == 1


def test_a_list_that_goes_on_is_saved_after_each_part(relay, monkeypatch):
    """A sweep that is killed in a long list is continued, so each sweep gets further."""
    monkeypatch.setattr(sweep_lists, "SEGMENT_ITEMS", 50)
    for number in range(1, 201):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    with relay.document() as document:
        set_kinds(document, {"deal"}, time.time())
    state, saved, leases = wiring.sweep_state(), [], []

    def save(portal, owner, document, lease_until):
        saved.extend(job.after for job in document.jobs)
        leases.append(lease_until)
        SweepState.save(state, portal, owner, document, lease_until)

    state.save = save
    assert relay.sweep() == {"main": "done"}
    assert saved == [50, 100, 150, 200]
    *during, last = leases
    assert min(during) > time.time() + 60
    assert last == 0


def test_a_new_item_gets_one_hint(relay):
    """An item that is both new and changed is in two lists, and read once."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 2, title="b", updatedTime=LATER)
    assert relay.sweep() == {"main": "done"}
    assert [json.loads(body)["ids"] for body in relay.queues.bodies("track")] == [[2]]

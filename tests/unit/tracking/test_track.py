"""Reading: what is absent, forbidden, gone or can not be read now."""

import pytest
from botocore.exceptions import ClientError

from relay import settings
from relay.errors import (
    ItemChangedError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    StateError,
    TransientError,
)
from relay.tracking import brake as brake_module
from relay.tracking import wiring
from relay.tracking.row import UNREADABLE, Base, Reading
from tests.tracking_aws import KEY, OLD, URL, Context, refused


def test_the_brake_counts_over_all_functions(relay, monkeypatch):
    """A function that meets another's count counts on from there; one that never wins waits."""
    held = wiring.brake()
    assert held.take("main", 5, 1000, 7200) == 5
    update, others = relay.dynamo.update_item, [7]

    def after_another(**ask):
        if others:
            relay.dynamo.state["brake#main"]["used"] = {"N": str(5 + others.pop())}
        return update(**ask)

    monkeypatch.setattr(relay.dynamo, "update_item", after_another)
    assert held.take("main", 60, 1000, 7200) == 50 - 12
    assert held.tripped("main") == 7200
    assert held.take("main", 1, 1000, 7200) == 0
    relay.dynamo.state.clear()
    monkeypatch.setattr(relay.dynamo, "update_item", lambda **_: (_ for _ in ()).throw(refused()))
    with pytest.raises(StateError):
        held.take("main", 5, 1000, 7200)
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
    monkeypatch.setattr(relay.dynamo, "update_item", lambda **_: (_ for _ in ()).throw(broken))
    with pytest.raises(ClientError):
        held.take("main", 5, 1000, 7200)
    assert brake_module.LEAST == 20


def test_a_forbidden_item_is_marked_under_the_same_rule(relay):
    """The mark of what can't be read meets conflicts as any put does."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    look = Reading(
        key=KEY, kind=UNREADABLE, text="", updated="", read_at=1.0, via="event", quiet=False
    )
    conflict = wiring.mirror().put_one(look, Base(5, "b"))
    assert conflict.seq == 1
    assert wiring.mirror().put_one(look, Base(1, "b")) is None
    assert relay.dynamo.mirror["main/deal", 1]["kind"] == {"S": UNREADABLE}


def test_an_item_that_comes_back_while_it_is_confirmed_is_asked_for_again(relay):
    """Gone in the list and by itself, there in the last look: the hint comes back."""
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
    """Without the last look the hint comes back."""
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
    """A portal that says neither yes nor no leaves the row as it is."""
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
    """What the list left out and the get returns is an item like any other."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b")
    answer = relay.portal.answer
    relay.portal.answer = lambda method, params: (
        {"items": []} if method == "crm.item.list" else answer(method, params)
    )
    relay.event(1)
    assert [one["data"]["changed"] for one in relay.settle()] == [["title"]]


def test_a_portal_is_read_through_its_reading_webhook(monkeypatch):
    """The client that handlers use holds the URL of the branch `read`."""
    for name, value in {
        "STATE_TABLE": "S", "PORTAL_BURST": "50", "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked = []

    def url(kind, name):
        asked.append((kind, name))
        return "https://demo.bitrix24.example/rest/1/fakesecret0fakesecret/"

    monkeypatch.setattr(settings, "webhook_url", url)
    portal = wiring.portal("main", wiring.deadline(Context))
    assert asked == [("read", "main")]
    assert portal.webhook.user_id == 1
    assert 290 < wiring.deadline(Context)() <= 295


@pytest.mark.parametrize("body", ["[]", "{}", '{"type":"x"}', '{"type":"com.bitrix24.relay.hint"}'])
def test_messages_of_nobodys_are_dead_lettered(relay, body):
    """What is neither event nor hint goes away with its reason."""
    relay.send(body)
    relay.track_all()
    assert len(relay.queues.bodies("dead")) == 1


def test_patience_grows(relay):
    """A portal that goes on saying "later" is asked ever less often."""
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1)
    waits = []
    for _ in range(4):
        relay.track_all()
        waits.append(max(relay.queues.waits.values()))
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0] / 2


def test_a_queue_that_does_not_answer_keeps_the_message(relay, monkeypatch):
    """Where visibility can't be changed, the queue's own timeout brings the message back."""
    relay.portal.trouble["crm.item.list", 2] = OperatorError("crm.item.list", "NO_AUTH_FOUND")

    def fail(**_):
        raise ClientError({"Error": {"Code": "Unavailable"}}, "ChangeMessageVisibilityBatch")

    monkeypatch.setattr(relay.queues, "change_message_visibility_batch", fail)
    relay.event(1)
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 1


def test_what_vanished_is_left_to_its_event_first(relay, monkeypatch):
    """Edited and deleted at once, a hundred deals trip no brake, whichever event comes first."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    for number in range(1, 101):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.items[2].clear()
    for number in range(1, 101):
        relay.event(number)
    assert relay.settle() == []
    assert not any(method == "crm.item.get" for method, _ in relay.portal.calls)
    assert all(30 <= wait <= 60 for wait in relay.queues.waits.values())
    for number in range(1, 101):
        relay.event(number, "delete")
    gone = relay.settle()
    assert len(gone) == 100
    assert {one["type"] for one in gone} == {"com.bitrix24.deal.deleted"}
    assert relay.queues.bodies("track") == []
    assert "tripped" not in relay.dynamo.state.get("brake#main", {})


def test_a_deletion_without_its_event_is_put_when_it_was_waited_for(relay, monkeypatch):
    """On the second look absence is judged."""
    monkeypatch.setenv("GRACE_SECONDS", "30")
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    del relay.portal.items[2][1]
    relay.event(1)
    assert relay.settle() == []
    (gone,) = relay.settle()
    assert gone["type"] == "com.bitrix24.deal.deleted"


def test_waiting_uses_up_no_attempt_of_a_message(relay):
    """After 300 receives a bug has its five tries all the same; then its reason is told."""
    relay.event(1)
    relay.received = dict.fromkeys(map(str, range(1, 10)), 300)
    bug = {"Error": {"Code": "X"}}
    waiting = [StateError("no capacity"), ClientError(bug, "Query"), MayHaveRunError("m", "x")]
    for error in [*waiting, ItemChangedError("changed meanwhile")]:
        relay.portal.trouble["crm.item.list", 2] = error
        for _ in range(6):
            (answer,) = relay.track_all()
            assert answer["batchItemFailures"]
        assert 720 <= max(relay.queues.waits.values()) <= 901
    relay.portal.trouble["crm.item.list", 2] = ZeroDivisionError("a bug")
    answers = [bool(relay.track_all()[0]["batchItemFailures"]) for _ in range(5)]
    assert answers == [True] * 4 + [False]
    ((_, options),) = relay.queues.messages[URL + "dead"].values()
    assert options["MessageAttributes"]["reason"]["StringValue"] == "ZeroDivisionError: a bug"


def test_what_a_process_remembers_of_failures_is_bounded(relay, monkeypatch):
    """A forgotten failure gives a message more tries, and no less."""
    monkeypatch.setattr(relay.track, "MOST_REMEMBERED", 1)
    relay.portal.trouble["crm.item.list", 2] = ZeroDivisionError("a bug")
    relay.event(1)
    relay.event(2)
    for _ in range(9):
        relay.track_all()
    assert len(relay.track._failures) == 1  # noqa: SLF001  its memory


def test_a_batch_of_too_many_items_leaves_the_rest_to_the_next(relay, monkeypatch):
    """Nothing was tried: the message comes back in a second, however often it was received."""
    monkeypatch.setattr(relay.track, "MOST_ITEMS", 1)
    relay.received = {"2": 500}
    relay.event(1)
    relay.event(2)
    relay.track_all()
    assert relay.queues.waits == {"2": 1}


def test_what_comes_back_is_spread_before_it_is_read(relay, monkeypatch):
    """Should the function be killed, old messages come back apart; fresh ones cost no request."""
    for number in range(1, 41):
        relay.event(number)
    relay.received = {str(number): 1 for number in range(1, 21)}
    spread = {}

    async def no_look(*_):
        spread.update(relay.queues.waits)
        return {}

    monkeypatch.setattr(relay.track, "look", no_look)
    relay.track_all()
    assert spread.keys() == {str(number) for number in range(1, 21)}
    assert all(420 <= wait <= 1260 for wait in spread.values())
    assert max(spread.values()) - min(spread.values()) > 300
    assert relay.queues.bodies("track") == []


@pytest.mark.parametrize("silent", ["get_queue_attributes", "change_message_visibility_batch"])
def test_what_can_not_be_spread_is_read_all_the_same(relay, monkeypatch, silent):
    """Without an answer of SQS only a kill would be dearer."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b")
    broken = ClientError({"Error": {"Code": "Unavailable"}}, silent)
    monkeypatch.setattr(relay.queues, silent, lambda **_: (_ for _ in ()).throw(broken))
    relay.event(1)
    relay.received = dict.fromkeys(relay.queues.messages[URL + "track"], 1)
    assert len(relay.settle()) == 1


def test_a_kind_that_may_not_be_read_waits_for_the_right(relay):
    """Its events are no mistakes: somebody must give the right back, and the log says so."""
    error = PermanentError("crm.item.list", "ACCESS_DENIED")
    relay.portal.trouble["crm.item.list", 2] = error
    relay.event(1)
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 1
    assert relay.queues.bodies("dead") == []
    assert 720 <= relay.queues.waits["1"] <= 900

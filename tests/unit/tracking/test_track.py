"""The track function: batches, waiting, dead letters."""

import json

import pytest
from botocore.exceptions import ClientError

from relay.errors import (
    MayHaveRunError,
    OperatorError,
    PermanentError,
    StateError,
    TransientError,
)
from relay.tracking import track_messages
from relay.tracking.hint import to_message
from tests.tracking_aws import OLD, logged, metric
from tests.tracking_queues import URL


def test_a_full_batch_costs_one_request(relay):
    """1,000 hints are read with one request of 20 lists, and put."""
    for number in range(1, 1001):
        relay.portal.put(2, number, title="a")
        relay.event(number, "add")
    relay.track_all()
    assert relay.portal.requests == 1
    assert len(relay.dynamo.mirror) == 1000


def test_the_log_names_the_events_of_each_item(relay, capsys):
    """A reading's line has the items that were read, each with the events that hinted at it."""
    for number in (1, 2):
        relay.portal.put(2, number, title="a")
    relay.event(1, "add")
    relay.event(2, "add")
    relay.event(2)
    capsys.readouterr()
    relay.track_all()
    (line,) = logged(capsys, "read")
    assert line["hinted"] == {
        "deal/1": ["ONCRMDEALADD-1"],
        "deal/2": ["ONCRMDEALADD-2", "ONCRMDEALUPDATE-2"],
    }


@pytest.mark.parametrize(
    ("error", "least"),
    [
        (OperatorError("crm.item.list", "NO_AUTH_FOUND"), 720),
        (TransientError("crm.item.list", "QUERY_LIMIT_EXCEEDED"), 12),
        (ConnectionError("reset"), 30),
    ],
)
def test_an_error_that_passes_waits(relay, error, least):
    """A message waits while the portal is blocked, at its limit, or not reached."""
    relay.portal.trouble["crm.item.list", 2] = error
    relay.event(1)
    assert relay.settle() == []
    assert list(relay.queues.messages[URL + "track"])
    assert min(relay.queues.waits.values()) >= least


def test_a_permanent_error_is_dead_lettered(relay, capsys):
    """A command that the portal refuses for good dead-letters its message with the code."""
    capsys.readouterr()
    relay.portal.trouble["crm.item.list", 2] = PermanentError("crm.item.list", "INVALID_ARG_VALUE")
    relay.event(1)
    relay.send("no JSON")
    relay.settle()
    assert not relay.queues.messages[URL + "track"]
    reasons = [
        options["MessageAttributes"]["reason"]["StringValue"]
        for _, options in relay.queues.messages[URL + "dead"].values()
    ]
    assert len(reasons) == 2
    assert any("INVALID_ARG_VALUE" in reason for reason in reasons)
    assert metric(capsys, "waiting") == 0


def test_more_than_a_function_can_do_goes_into_the_next_batch(relay):
    """Hints beyond 2,500 items come back within seconds."""
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    for number in range(60):
        ids = list(range(number * 50 + 1, number * 50 + 51))
        relay.send(json.dumps(hint | {"ids": ids, "baseline": True}))
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 10
    assert max(relay.queues.waits.values()) <= 2
    assert len(relay.dynamo.mirror) == 2500


def test_a_portal_without_a_webhook_holds_nobody_up(relay):
    """Of two portals in a batch, only the one that can't be read waits."""

    def portal(name, _remaining):
        if name == "other":
            raise OperatorError("webhook", "NONE")
        return relay.portal

    relay.connect = portal
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.event(1, "add", portal="other")
    assert len(relay.settle()) == 1
    assert len(relay.queues.messages[URL + "track"]) == 1


def test_a_message_that_can_wait_is_not_dead_lettered(relay):
    """A message waits if some of its items can be read later and others never."""
    relay.baseline()
    relay.portal.put(2, 1, title="a")
    relay.portal.trouble["crm.item.get", 2] = PermanentError("crm.item.get", "ODD")
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    relay.settle()
    assert len(relay.queues.bodies("dead")) == 1
    relay.portal.trouble["crm.item.get", 2] = TransientError("crm.item.get", "")
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    relay.settle()
    assert len(relay.queues.bodies("track")) == 1


def test_tracking_goes_on_without_the_times_of_events(relay):
    """Items are read even if the times of their events can't be noted."""

    def fail(*_):
        raise ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")

    relay.track.wiring.last_events().note = fail
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    assert len(relay.settle()) == 1
    assert relay.queues.bodies("track") == []


def test_the_time_of_a_kinds_events_is_written_once_a_minute(relay, times):
    """A write for each run of track would be a tenth of what a single event costs."""
    noted, clock = [], [1_772_366_400.0]
    times.source = lambda: clock[0]
    relay.track.wiring.last_events().note = lambda _, names, now: noted.append((names, now))
    for seconds in (0, 30, 59, 61):
        clock[0] = 1_772_366_400.0 + seconds
        relay.portal.put(2, 1, title=f"at {seconds}")
        relay.event(1)
        relay.settle()
    assert noted == [({"deal"}, 1_772_366_400.0), ({"deal"}, 1_772_366_461.0)]


@pytest.mark.parametrize("waiting", [1, 3])
def test_an_item_that_waits_outweighs_one_that_is_refused(relay, waiting):
    """A message waits for its item that can be read later, whichever item comes first."""
    relay.baseline()
    relay.portal.put(2, 2, title="a")
    answer = relay.portal.answer
    late = [TransientError("crm.item.get", "X")]

    def strange(method, params):
        if method == "crm.item.get":
            if params["id"] == waiting and late:
                raise late[0]
            raise PermanentError(method, "ODD")
        return answer(method, params)

    relay.portal.answer = strange
    hint = {"type": "com.bitrix24.relay.hint", "portal": "main", "entity": "deal"}
    relay.send(json.dumps(hint | {"ids": [1, 2, 3], "baseline": False}))
    assert len(relay.settle()) == 1
    assert (len(relay.queues.bodies("track")), relay.queues.bodies("dead")) == (1, [])
    late.clear()
    assert relay.settle() == []
    assert (relay.queues.bodies("track"), len(relay.queues.bodies("dead"))) == ([], 1)


def test_waits_grow(relay):
    """A message that must wait comes back after longer times with each receive."""
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1)
    waits = []
    for _ in range(4):
        relay.track_all()
        waits.append(max(relay.queues.waits.values()))
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0] / 2


def test_a_queue_that_does_not_answer_keeps_the_message(relay):
    """A message whose visibility can't be changed is returned to the queue."""
    relay.portal.trouble["crm.item.list", 2] = OperatorError("crm.item.list", "NO_AUTH_FOUND")

    def fail(**_):
        raise ClientError({"Error": {"Code": "Unavailable"}}, "ChangeMessageVisibilityBatch")

    relay.queues.change_message_visibility_batch = fail
    relay.event(1)
    (answer,) = relay.track_all()
    assert len(answer["batchItemFailures"]) == 1


def test_waiting_uses_up_no_attempt_of_a_message(relay):
    """After 300 receives a bug has its five attempts all the same, then its reason is kept."""
    relay.event(1)
    relay.received = dict.fromkeys(map(str, range(1, 10)), 300)
    for error in (StateError("no capacity"), MayHaveRunError("m", "x")):
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


def test_a_table_that_does_not_answer_uses_up_no_attempt(relay):
    """Any error of AWS waits, a missing right included, which an operator gives back."""
    broken = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem")
    relay.dynamo.get_item = lambda **_: (_ for _ in ()).throw(broken)
    relay.event(1)
    for _ in range(6):
        (answer,) = relay.track_all()
        assert answer["batchItemFailures"]
    assert relay.queues.bodies("dead") == []


def test_the_memory_of_failures_is_bounded(relay, monkeypatch):
    """A forgotten failure gives a message more attempts, and no fewer."""
    monkeypatch.setattr(track_messages, "MOST_REMEMBERED", 1)
    relay.portal.trouble["crm.item.list", 2] = ZeroDivisionError("a bug")
    relay.event(1)
    relay.event(2)
    for _ in range(9):
        relay.track_all()
    assert len(track_messages._failures) == 1  # noqa: SLF001  its memory


def test_a_batch_of_too_many_items_leaves_the_rest_to_the_next(relay, monkeypatch):
    """A message beyond the limit of items comes back after one second, at any receive."""
    monkeypatch.setattr(track_messages, "MOST_ITEMS", 1)
    relay.received = {"2": 500}
    for number in (1, 2):
        relay.portal.put(2, number, title="a")
        relay.event(number)
    relay.track_all()
    assert relay.queues.waits == {"2": 1}
    assert set(relay.dynamo.mirror) == {("main/deal", 1)}


def test_a_message_of_more_items_than_a_batch_may_have_is_read_alone(relay, monkeypatch):
    """A message that no batch has room for would come back for ever."""
    monkeypatch.setattr(track_messages, "MOST_ITEMS", 1)
    for number in (1, 2):
        relay.portal.put(2, number, title="a")
    relay.send(to_message("main", "deal", [1, 2], baseline=True))
    relay.track_all()
    assert relay.queues.bodies("track") == []
    assert len(relay.dynamo.mirror) == 2


@pytest.mark.parametrize(("name", "number"), [("tracked", 2), ("requests", 1), ("waiting", 1)])
def test_what_was_read_is_counted(relay, capsys, name, number):
    """The metrics count the items that are up to date, those that wait, and the requests."""
    relay.portal.trouble["crm.item.list", 4] = TransientError("crm.item.list", "X")
    for _ in range(2):
        for item_id in (1, 2):
            relay.portal.put(2, item_id, title="a")
            relay.event(item_id)
        relay.event(9, entity="company", type_id=4)
        capsys.readouterr()
        relay.track_all()
        assert metric(capsys, name) == number
        relay.queues.messages.clear()


@pytest.mark.parametrize(("error", "number"), [(OperatorError, 1), (TransientError, 0)])
def test_what_an_operator_must_mend_is_counted(relay, capsys, error, number):
    """A message that waits for an operator counts as blocked, one that waits for time does not."""
    relay.portal.trouble["crm.item.list", 2] = error("crm.item.list", "X")
    relay.event(1)
    capsys.readouterr()
    relay.track_all()
    assert metric(capsys, "blocked") == number


def test_the_end_of_a_first_filling_is_seen_at_once(relay):
    """A new item just after the first filling is announced, without its ADD event too.

    How far the sweeps of a filled kind are is read once a minute.
    """
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.sweep()
    relay.track_all()
    relay.sweep()
    relay.portal.put(2, 2, title="b")
    relay.event(2)
    assert len(relay.settle()) == 1
    reads = []
    state = relay.track.wiring.sweep_state()
    read = state.read
    state.read = lambda portal: reads.append(portal) or read(portal)
    for _ in range(2):
        relay.event(1)
        relay.track_all()
    assert reads == []
    relay.track._documents["main"] = -61.0, relay.track._documents["main"][1]  # noqa: SLF001
    relay.event(1)
    relay.track_all()
    assert reads == ["main"]


def test_messages_received_before_are_spread_before_reading(relay, monkeypatch):
    """Messages that were received before are hidden for random times before anything is read."""
    for number in range(1, 41):
        relay.event(number)
    relay.received = {str(number): 1 for number in range(1, 21)}
    spread = {}

    async def no_refresh(*_):
        spread.update(relay.queues.waits)
        return {}

    monkeypatch.setattr(relay.track, "refresh_items", no_refresh)
    relay.track_all()
    assert spread.keys() == {str(number) for number in range(1, 21)}
    assert all(420 <= wait <= 1260 for wait in spread.values())
    assert max(spread.values()) - min(spread.values()) > 300
    assert relay.queues.bodies("track") == []


@pytest.mark.parametrize("silent", ["get_queue_attributes", "change_message_visibility_batch"])
def test_messages_that_can_not_be_spread_are_read(relay, silent):
    """Messages are read even if SQS does not hide them first."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    relay.portal.put(2, 1, title="b")
    broken = ClientError({"Error": {"Code": "Unavailable"}}, silent)
    setattr(relay.queues, silent, lambda **_: (_ for _ in ()).throw(broken))
    relay.event(1)
    relay.received = dict.fromkeys(relay.queues.messages[URL + "track"], 1)
    assert len(relay.settle()) == 1


def test_fresh_messages_cost_no_request_to_sqs(relay):
    """SQS is asked for the queue's timeout only if a message was received before."""
    asked = []
    answer = relay.queues.get_queue_attributes
    relay.queues.get_queue_attributes = lambda **ask: asked.append(ask) or answer(**ask)
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "X")
    relay.event(1)
    relay.track_all()
    assert not asked
    relay.track_all()
    assert len(asked) == 1

"""The sweep function: leases, several portals, the report."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from relay.errors import (
    LostLeaseError,
    OperatorError,
    TransientError,
)
from relay.tracking import sweep, wiring
from relay.tracking.event_times import is_silent
from tests.parameter_store import ParameterStore
from tests.samples import event_of
from tests.tracking_aws import LATER, OLD, metric
from tests.tracking_portal import ItemsPortal


def test_a_sweep_that_is_overtaken_stops(relay):
    """A sweep that finds its lease taken returns this, and leaves the document alone."""

    def save(*_):
        raise LostLeaseError("another sweep of main has taken over")

    wiring.sweep_state().save = save
    assert relay.sweep() == {"main": "another sweep of main has taken over"}


def test_a_sweep_that_fails_goes_on_with_the_next(relay):
    """After an error of the portal or the queue, the next sweep completes the lists."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "")
    assert relay.sweep()["main"].startswith("TransientError")
    relay.portal.trouble.clear()
    relay.queues.full = True
    assert relay.sweep()["main"].startswith("StateError")
    relay.queues.full = False
    relay.baseline()
    assert len(relay.dynamo.mirror) == 120


def test_a_portal_without_a_client_is_returned_with_the_reason(relay):
    """A portal whose client can't be made is returned with the error."""

    def broken(*_):
        raise OperatorError("webhook", "NONE")

    relay.connect = broken
    assert relay.sweep() == {"main": "OperatorError: webhook: NONE"}


def test_a_completed_sweep_is_counted(relay, capsys):
    """The metric counts completed sweeps, and 1 for a stack without portals."""
    relay.sweep()
    assert metric(capsys, "swept") == 1
    relay.portal.trouble["crm.item.list", 2] = TransientError("crm.item.list", "")
    relay.sweep()
    assert metric(capsys, "swept") == 0
    relay.clients["ssm"] = ParameterStore()
    relay.sweep()
    assert metric(capsys, "swept") == 1


def test_hinted_items_are_counted_where_there_are_some(relay, capsys):
    """A sweep counts the items that track must read; a sweep at rest reports no such metric."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    capsys.readouterr()
    relay.sweep()
    assert '"hinted":[' not in capsys.readouterr().out
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.sweep()
    assert metric(capsys, "hinted") == 1


def test_changes_without_events_raise_the_alarm(relay, capsys):
    """A portal with changes but no event for hours raises the alarm of a dead webhook."""
    now = time.time()
    wiring.last_events().note("main", {"deal"}, now - 7 * 3600)
    wiring.last_events().note("main", {"missed"}, now)
    relay.sweep()
    assert '"silent":[1.0]' in capsys.readouterr().out
    assert not is_silent({"deal": now - 60, "missed": now}, now, 6)


def test_a_schema_that_changed_is_published(relay, monkeypatch, caplog):
    """What a sweep finds renamed is an event of the portal on the Events topic."""
    event = event_of()
    published = []

    async def found(_portal, _client, _kinds, _store, publish):
        publish(event)
        return 1

    monkeypatch.setenv("EVENTS_TOPIC_ARN", "arn:events")
    monkeypatch.setattr(sweep, "watch", found)
    relay.topic.publish = lambda **message: published.append(message)
    assert relay.sweep() == {"main": "done"}
    assert published == [
        {
            "TopicArn": "arn:events",
            "Message": event.to_json(),
            "MessageGroupId": event.portal,
        }
    ]
    assert "schema changed" in caplog.text


def test_of_two_sweeps_at_once_one_works(relay):
    """The second sweep of a portal makes no request, and every item gets one hint."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    answer = relay.portal.answer
    outcomes = []

    def while_asked(method, params):
        if method == "server.time":
            asked = relay.portal.requests
            with ThreadPoolExecutor(1) as second:
                outcomes.append(second.submit(relay.sweep).result())
            assert relay.portal.requests == asked
        return answer(method, params)

    relay.portal.answer = while_asked
    assert relay.sweep() == {"main": "done"}
    assert outcomes == [{"main": "under way elsewhere"}]
    hinted = [one for body in relay.queues.bodies("track") for one in json.loads(body)["ids"]]
    assert sorted(hinted) == list(range(1, 121))


def test_a_sweep_that_was_thought_dead_gives_way(relay):
    """A sweep whose lease was taken ends at its next save, and the other's document stays."""
    for number in range(1, 121):
        relay.portal.put(2, number, title="a", updatedTime=OLD)
    answer = relay.portal.answer
    outcomes = []

    def while_asked(method, params):
        if method == "server.time" and not outcomes:
            outcomes.append("asked")
            relay.dynamo.state["sweep#main"]["lease_until"] = {"N": "1"}  # it stood still for long
            with ThreadPoolExecutor(1) as second:
                outcomes.append(second.submit(relay.sweep).result())
        return answer(method, params)

    relay.portal.answer = while_asked
    assert relay.sweep() == {"main": "another sweep of main has taken over"}
    assert outcomes[1] == {"main": "done"}
    assert relay.dynamo.state["sweep#main"]["lease_until"] == {"N": "0"}
    hinted = {one for body in relay.queues.bodies("track") for one in json.loads(body)["ids"]}
    assert hinted == set(range(1, 121))
    assert relay.settle() == []


def two_portals(relay):
    """Connect two portals; returns them by name."""
    portals = {"a": ItemsPortal(), "b": ItemsPortal()}
    for portal in portals.values():
        portal.clock = time.time
        for number in range(1, 121):
            portal.put(2, number, title="x", updatedTime=OLD)
    names = (f"/relay/test/webhook-urls/read/{name}" for name in portals)
    relay.clients["ssm"] = ParameterStore(**dict.fromkeys(names, "a URL"))
    relay.connect = lambda name, _remaining: portals[name]
    return portals


@pytest.mark.parametrize("step", ["acquire", "save", "last save", "report"])
def test_a_portal_in_trouble_leaves_the_others_swept(relay, capsys, step):
    """A table that fails at any step of one portal's sweep does not affect the other's."""
    two_portals(relay)
    broken = ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
    update, put, get = relay.dynamo.update_item, relay.dynamo.put_item, relay.dynamo.get_item

    def fails(name, item=None):
        last = item is None or item["lease_until"] == {"N": "0"}
        return name == "sweep#a" and (step == "save" or (step == "last save" and last))

    def update_item(*, Key, **ask):  # noqa: N803
        if step == "acquire" and Key["pk"]["S"] == "sweep#a":
            raise broken
        return update(Key=Key, **ask)

    def put_item(*, Item, **ask):  # noqa: N803
        if fails(Item["pk"]["S"], Item):
            raise broken
        return put(Item=Item, **ask)

    def get_item(*, Key, **ask):  # noqa: N803
        if step == "report" and Key["pk"]["S"] == "seen#a":
            raise broken
        return get(Key=Key, **ask)

    relay.dynamo.update_item = update_item
    relay.dynamo.put_item = put_item
    relay.dynamo.get_item = get_item
    outcomes = relay.sweep()
    assert outcomes["b"] == "done"
    assert outcomes["a"] == "done" if step == "report" else outcomes["a"].startswith("ClientError")
    assert metric(capsys, "swept") == 1 + (step == "report")
    assert json.loads(relay.dynamo.state["sweep#b"]["document"]["S"])["jobs"] == []

"""Tracking through the real client, while the simulated portal fails in every way it can."""

import asyncio

import pytest

from local.portal.daylight import change_clocks, change_users_clocks
from local.portal.faults import make_fault
from local.portal.server import PortalServer
from relay.portal import Portal, Webhook
from relay.portal.slots import OwnSlots, Pace
from relay.portal.webhook_state import forget
from relay.tracking import track
from tests.plain import plain
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

COUNT = 60  # two commands of a batch
SECRET = "s3cr3ts3cr3ts3cr"


class Short:
    """A function that has little time left."""

    @staticmethod
    def get_remaining_time_in_millis():
        """Return a second and a half more than what is kept to hand back the rest."""
        return int(1000 * (track.RESERVE_SECONDS + 1.5))


@pytest.fixture(scope="module")
def server():
    """Start a portal without limits, without deals but ours."""
    with PortalServer(secret=SECRET, limits=False, seeded=False) as started:
        yield started


@pytest.fixture
def tracked(relay, server):
    """Return the handlers with a mirrored portal of 60 deals."""
    forget()
    webhook = Webhook.parse(server.webhook_url, allow_http=True)
    fast = OwnSlots(Pace(burst=5000, rate=2000))
    relay.connect = lambda _name, left: Portal(webhook, remaining_seconds=left, slots=fast)
    added = write(webhook, "crm.item.add", [{"fields": {"title": "a"}}] * COUNT)
    relay.ids = sorted(one["item"]["id"] for one in added)
    relay.baseline()
    assert len(relay.dynamo.mirror) >= COUNT
    relay.edit = lambda: write(
        webhook, "crm.item.update", [{"id": one, "fields": {"title": "b"}} for one in relay.ids]
    )
    relay.delete = lambda ids: write(webhook, "crm.item.delete", [{"id": one} for one in ids])
    yield relay
    server.portal.faults.clear()
    relay.delete(relay.ids)
    forget()


def write(webhook, method, many):
    """Write to deals, as a person or an import does; returns the results."""
    portal = Portal(webhook, slots=OwnSlots(Pace(burst=5000, rate=2000)))

    async def calls():
        return await asyncio.gather(
            *(portal.call(method, entityTypeId=2, **params) for params in many)
        )

    return asyncio.run(calls())


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("timeout", {"seconds": 60}),
        ("timeout", {"seconds": 60, "when": "after"}),
        ("slow", {"seconds": 60}),
        ("truncated", {}),
        ("reset", {}),
        ("empty", {}),
        ("html_200", {}),
        ("html_502", {}),
        ("codeless", {}),
        ("server_error", {}),
        ("database", {}),
        ("deadlock", {}),
        ("rate", {}),
        ("operating", {}),
        ("overload", {}),
        ("expired", {}),
        ("scope", {}),
        ("access_denied", {}),
        ("timeout", {"seconds": 60, "share": 0.5}),
        ("server_error", {"share": 0.5}),
        ("encoding", {"method": "batch", "when": "after"}),
    ],
)
def test_a_portal_that_fails_costs_no_change(tracked, server, kind, how):
    """Nothing is taken for deleted or given up; when the portal is back each is announced once."""
    tracked.edit()
    for one in tracked.ids:
        tracked.event(one)
    gone = tracked.ids.pop()
    tracked.delete([gone])
    tracked.context = Short
    server.portal.faults.append(make_fault(1, {"kind": kind, **how}))
    early = tracked.settle()
    assert "share" in how or early == []
    server.portal.faults.clear()
    forget()  # an hour later: what is blocked is free again
    tracked.context = type(tracked).context
    announced = early + tracked.settle(rounds=3)
    assert tracked.queues.bodies("track") == []
    assert tracked.queues.bodies("dead") == []
    actions = {one["subject"]: one["type"].rpartition(".")[2] for one in announced}
    updated = {f"deal/{one}": "updated" for one in tracked.ids}
    assert actions == updated | {f"deal/{gone}": "deleted"}
    assert len({one["id"] for one in announced}) == len(announced) == COUNT
    assert SECRET not in plain([vars(tracked.dynamo), vars(tracked.queues), announced])


def test_a_command_that_fails_once_costs_no_item(tracked, server):
    """The other command of the batch is done, and the halves of its page are read."""
    tracked.edit()
    for one in tracked.ids:
        tracked.event(one)
    tracked.context = Short
    fault = make_fault(1, {"kind": "core", "method": "crm.item.list", "times": 1})
    server.portal.faults.append(fault)
    assert len(tracked.settle()) == COUNT
    assert tracked.queues.bodies("dead") == []


@pytest.mark.parametrize("change", [change_clocks, change_users_clocks])
@pytest.mark.parametrize("hours", [1, -1])
def test_a_portal_whose_clocks_change_announces_nothing(tracked, server, change, hours):
    """Days or times of all deals move by an hour twice a year, and nobody edited one."""
    tracked.sweep()
    change(server.portal, hours)
    tracked.sweep()
    for one in tracked.ids:
        tracked.event(one)
    announced = tracked.settle()
    change(server.portal, -hours)
    assert announced == []

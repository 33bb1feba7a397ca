"""Events on their way: one attempt, lost, doubled, late, out of order, punished for slowness."""

from urllib.parse import parse_qs

import pytest
import requests


def edit(admin, amount, wait=True):
    """Edit the newest deals, and wait until nothing is under way."""
    admin("POST", "bulk", amount=amount)
    if wait:
        assert admin("GET", "settle")["idle"]


@pytest.fixture
def hook(handler, admin):
    """Create an outgoing webhook for deals that points at the handler."""
    return admin("POST", "outgoing", url=handler.url, events=["ONCRMDEALUPDATE"])


def test_one_call_an_object(admin, handler, hook):
    """[events/index.md] Bulk edits give one POST each, form-encoded, with the webhook's token."""
    edit(admin, 10)
    assert sorted(map(int, handler.ids())) == list(range(3, 13))
    assert handler.heads[0]["Content-Type"] == "application/x-www-form-urlencoded"
    body = parse_qs(handler.bodies[0])
    assert body["auth[application_token]"] == [hook["token"]]
    assert body["event_handler_id"] == [str(hook["id"])]
    strip = admin("GET", "strip")
    assert strip[-1]["steps"]["sent"]["outcome"] == "200"


@pytest.mark.usefixtures("hook")
def test_a_failed_delivery_is_never_repeated(admin, handler, server):
    """[events/index.md] Neither after an error status nor where nobody listens."""
    handler.status = 500
    edit(admin, 3)
    assert len(handler.bodies) == 3
    assert {row["outcome"] for row in admin("GET", "events", limit=3)} == {"500"}
    gone = admin("POST", "outgoing", url="http://127.0.0.1:9/nobody")
    edit(admin, 1)
    outcomes = {row["outcome"] for row in admin("GET", "events", limit=2)}
    assert outcomes == {"500", "ConnectionRefusedError"}
    assert gone["id"] in server.portal.outgoing


@pytest.mark.usefixtures("hook")
def test_events_are_lost_doubled_and_reordered(admin, handler):
    """Each by its share."""
    admin("PATCH", "settings", events={"loss": 1.0})
    edit(admin, 5)
    assert handler.bodies == []
    admin("PATCH", "settings", events={"loss": 0.0, "doubling": 1.0})
    edit(admin, 5)
    assert sorted(map(int, handler.ids())) == sorted([*range(8, 13), *range(8, 13)])
    handler.bodies.clear()
    admin("PATCH", "settings", events={"doubling": 0.0, "reordering": 1.0, "parallel": 1})
    admin("PATCH", "settings", events={"reordering_seconds": 0.1})
    edit(admin, 12)
    ids = list(map(int, handler.ids()))
    assert ids != sorted(ids)
    assert sorted(ids) == list(range(1, 13))


@pytest.mark.usefixtures("hook")
def test_late_events_say_when_they_were_sent(admin, handler, server):
    """[safe-event-handlers.md] `ts` is the time of sending from the queue."""
    admin("POST", "hold")
    edit(admin, 1)
    admin("POST", "clock", skew_seconds=3600)
    admin("POST", "release")
    assert admin("GET", "settle")["idle"]
    admin("POST", "clock", skew_seconds=0)
    late = int(parse_qs(handler.bodies[0])["ts"][0]) - server.portal.clock.now()
    assert 3500 < late < 3700


@pytest.mark.usefixtures("hook")
def test_a_slow_handler_is_called_later(admin, handler, server):
    """[events/index.md] The more slow answers in a row, the later the next event."""
    admin("PATCH", "settings", events={"slow_seconds": 0.4, "slow_penalty_seconds": 0.2})
    handler.wait = 0.6
    edit(admin, 1)
    edit(admin, 1)
    webhook = next(iter(server.portal.outgoing.values()))
    assert webhook.slow_answers == 2
    handler.wait = 0.0
    edit(admin, 1, wait=False)
    assert not admin("GET", "state")["outbox"]["idle"]
    assert admin("GET", "settle")["idle"]
    assert webhook.slow_answers == 0
    assert len(handler.bodies) == 3


def test_edited_webhooks_keep_their_token(admin, handler, hook):
    """[local-webhooks.md] One webhook, many events, one token."""
    changed = admin("PATCH", "outgoing", id=hook["id"], events=["ONCRMCONTACTADD"])
    assert changed["token"] == hook["token"]
    edit(admin, 1)
    admin("POST", "seed", contacts=2, events=True)
    assert admin("GET", "settle")["idle"]
    assert [parse_qs(body)["event"][0] for body in handler.bodies] == ["ONCRMCONTACTADD"] * 2
    admin("DELETE", f"outgoing?id={hook['id']}")
    admin("POST", "seed", contacts=1, events=True)
    assert len(handler.bodies) == 2


def test_incoming_webhooks_are_deleted_and_issued_anew(server, admin):
    """[developers-area.md] An editor of somebody else's webhook becomes its owner."""
    made = admin("POST", "incoming", user=2, scopes=["crm"])
    address = f"{server.url}{made['path']}profile"
    assert requests.post(address, timeout=10).json()["result"]["ID"] == "2"
    new = admin("POST", "incoming/reissue", id=made["id"], user=3)
    assert requests.post(address, timeout=10).status_code == 401
    address = f"{server.url}{new['path']}profile"
    assert requests.post(address, timeout=10).json()["result"]["ID"] == "3"
    admin("PATCH", "incoming", id=new["id"], expires=1.0)
    assert requests.post(address, timeout=10).json()["error"] == "expired_token"
    admin("DELETE", f"incoming?id={new['id']}")
    assert requests.post(address, timeout=10).json()["error"] == "NO_AUTH_FOUND"


def test_a_second_portal_has_its_own_limits_events_and_items(server, admin, handler):
    """Two portals on one server, told apart by the secret."""
    admin("POST", "portals", name="second")
    second = server.world.named("second")
    other = admin("POST", "incoming?portal=second", user=1)
    admin("POST", "outgoing?portal=second", url=handler.url)
    address = f"{server.url}{other['path']}crm.deal.update"
    body = {"id": 1, "fields": {"TITLE": "second"}}
    assert requests.post(address, json=body, timeout=10).json()["result"] is True
    assert admin("GET", "settle?portal=second")["idle"]
    domain = parse_qs(handler.bodies[0])["auth[domain]"][0]
    assert domain == "second.bitrix24.example"
    assert server.portal.items[2].rows[1]["title"] != "second"
    second.settings.burst = 1
    requests.post(address, json=body, timeout=10)
    assert requests.post(server.webhook_url + "profile", timeout=10).ok


@pytest.mark.usefixtures("hook")
def test_merges_and_mass_deletions_tell_nobody(admin, handler, server):
    """[crm-entity-merge-batch.md] All but the first item are gone; only a sweep finds out."""
    ids = [row["id"] for row in server.portal.items[2].walk()][:3]
    assert admin("POST", "merge", entityTypeId=2, ids=ids)["deleted"] == ids[1:]
    admin("POST", "delete", entityTypeId=2, ids=[ids[0]])
    assert admin("GET", "settle")["idle"]
    assert handler.bodies == []
    assert not set(ids) & set(server.portal.items[2].ids)
    restored = [row["id"] for row in admin("GET", "recycle-bin")]
    assert len(restored) >= 3


@pytest.mark.usefixtures("hook")
def test_held_events_go_in_the_order_that_a_test_chooses(admin, handler):
    """A deletion before its update, an event twice, one never: by their numbers."""
    admin("PATCH", "settings", events={"parallel": 1})
    admin("POST", "hold")
    edit(admin, 3)
    assert handler.bodies == []
    assert admin("POST", "release", order="3,1,1") == {"released": 3}
    assert admin("GET", "settle")["idle"]
    first, last = handler.ids()[1], handler.ids()[0]
    assert handler.ids() == [last, first, first]
    assert int(last) == int(first) + 2

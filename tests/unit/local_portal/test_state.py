"""local.portal.state: a portal is saved and loaded whole, and begins with a small file."""

import copy
import json
from collections import deque
from contextlib import suppress
from datetime import timedelta, timezone

import pytest

from local.portal.admin_actions import ACTIONS
from local.portal.call import METHODS
from local.portal.errors import RestError
from local.portal.faults import add_fault
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.seed_file import seed_from
from local.portal.snapshot import pack, unpack
from local.portal.state import from_json, load, save, to_json
from local.portal.time_passing import pass_time

SEED = """
[[users]]
name = "Ada"
lastName = "King"
id = 7

[[fields]]
entityTypeId = 2
name = "UF_CRM_REGION"
type = "string"

[[items]]
entityTypeId = 3
id = 40
name = "Grace"

[[items]]
title = "Ten chairs"
stageId = "WON"
contactId = 40
ufCrmRegion = "North"

[[calls]]
method = "tasks.task.add"
params = {fields = {TITLE = "Call", RESPONSIBLE_ID = 7}}
"""


def test_a_loaded_portal_goes_on_where_the_saved_one_was(desk, tmp_path):
    """Items, tasks, users, webhooks and robots are back, ids go on, and nothing new is held."""
    desk.call("tasks.task.add", fields={"TITLE": "Call", "RESPONSIBLE_ID": 1})
    desk.call("crm.status.add", fields={"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "Fair"})
    desk.call(
        "crm.timeline.comment.add", fields={"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}
    )
    desk.call("im.message.add", DIALOG_ID="2", MESSAGE="Hello")
    desk.portal.robots.add(2, "NEW", "https://a.example/robot")
    save(desk.portal, tmp_path / "state.json")
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    other = Portal()
    load(other, tmp_path / "state.json")
    desk.portal.revision += 1  # whoever shows items has to look anew
    assert to_json(other) == to_json(desk.portal)
    webhook = other.incoming[desk.webhook.secret]

    def call(method, **params):
        return run_method(other, webhook, method, params)["result"]

    for method in ("crm.deal.list", "crm.contact.list", "crm.status.list", "tasks.task.list"):
        assert call(method) == desk.call(method)
    assert call("crm.deal.add", fields={"TITLE": "Next"}) == len(desk.portal.items[2]) + 1
    assert [one.event for one in other.outbox.waiting] == ["ONCRMDEALADD", "robot.robot"]
    other.settings.change({"events": {"loss": 1.0}})
    call("crm.deal.add", fields={"TITLE": "Lost"})
    assert other.outbox.done[-1].outcome == "lost"


def test_what_any_method_leaves_can_be_saved(desk):
    """After a call of every method the state has a form in JSON, and comes back equal."""
    given = ({}, {"ID": 1}, {"fields": {"TITLE": "x", "NAME": "x", "title": "x"}})
    for name in METHODS:
        for params in given if not name.endswith("delete") else ():
            with suppress(RestError):
                run_method(desk.portal, desk.webhook, name, copy.deepcopy(params))
    saved, other = to_json(desk.portal), Portal()
    from_json(other, json.loads(json.dumps(saved)))
    other.revision -= 1
    assert to_json(other) == saved


@pytest.mark.parametrize(
    "saved",
    [
        *([], {}, {"format": 0}, {"format": 1}, {"format": 1, "portal": {}}),
        {"format": 1, "portal": {"activity": {}, "gone": 1}},
        {"format": 1, "portal": {"activity": {}, "types": 5}},
        {"format": 1, "portal": {"activity": {"messages": []}}},
    ],
)
def test_another_file_is_refused_and_the_portal_stays(desk, saved):
    """What is no saved state, or one of another version, changes nothing."""
    before = to_json(desk.portal)
    with pytest.raises(ValueError, match="state"):
        from_json(desk.portal, saved)
    assert to_json(desk.portal) == before


@pytest.mark.parametrize(
    "name",
    ["os:system", "state:Path", "run:time", "state", "no:X", ".os:system"],
)
def test_a_state_makes_objects_of_portals_only(name):
    """A file that names a function, or a class of another package, is refused."""
    with pytest.raises(ValueError, match="no saved state"):
        unpack({"$": name, "state": {}})


def test_values_without_a_form_in_json_come_back_as_they_were():
    """Tuples, sets, queues, zones, keys of any kind; what is held twice is one thing again."""
    row = {"$": 1, "plain": None}
    value = {
        ("deal", 5): deque([row, (1, 2)], maxlen=3),
        2: {"set": {1, 2}, "row": row, "zone": timezone(timedelta(hours=3))},
    }
    back = unpack(json.loads(json.dumps(pack(value))))
    assert back == value
    assert back[2]["row"] is back["deal", 5][0]
    assert back["deal", 5].maxlen == 3
    with pytest.raises(TypeError, match=r"a builtins\.function can't be saved"):
        pack([pack])


def test_a_seed_is_a_small_file(tmp_path):
    """People, fields, items and calls of a TOML file are there; nobody is told of the items."""
    portal = Portal()
    portal.add_outgoing("http://127.0.0.1:9/hook")
    (tmp_path / "seed.toml").write_text(SEED, "utf-8")
    seed_from(portal, tmp_path / "seed.toml")
    assert portal.users[7]["lastName"] == "King"
    (deal,) = portal.items[2].rows.values()
    assert (deal["stageId"], deal["contactId"], deal["ufCrmRegion"]) == ("WON", 40, "North")
    assert portal.tasks.rows[1]["responsibleId"] == "7"
    assert {one.event for one in portal.outbox.waiting} == {"ONTASKADD"}


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        ({"deals": []}, "there is no deals; there are users, fields, categories, items, calls"),
        ({"calls": [{"method": "crm.deal.ad"}]}, r"calls 1: there is no crm\.deal\.ad"),
        ({"items": [{"id": 1}, {"entityTypeId": 5}]}, "items 2: there is no 5"),
        ({"calls": [{"method": "crm.deal.get", "params": {"id": 99}}]}, "calls 1: Not found"),
        ({"items": [{"createdTime": "soon"}]}, "items 1: Invalid isoformat"),
        ({"items": [{"titel": "Chairs"}]}, "items 1: a deal has no field titel"),
        ({"items": [{"UF_CRM_REGION": "North"}]}, "items 1: a deal has no field UF_CRM_REGION"),
    ],
)
def test_a_wrong_seed_is_told_by_its_entry(tmp_path, seed, reason):
    """The error has the file, the entry and what is wrong with it."""
    (tmp_path / "seed.json").write_text(json.dumps(seed), "utf-8")
    with pytest.raises(ValueError, match=rf"^seed\.json: {reason}"):
        seed_from(Portal(), tmp_path / "seed.json")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"method": "crm.deal.lst"}, "no method 'crm.deal.lst'"),
        ({"method": "crm.deals.*"}, "no method 'crm.deals.\\*'"),
        ({"time": 1}, "a fault has no 'time'"),
        ({"share": 30}, "share must be from 0 to 1"),
    ],
)
def test_a_fault_that_never_strikes_as_it_was_meant_is_refused(given, reason):
    """A test would pass without the fault that it is about."""
    portal = Portal()
    with pytest.raises(ValueError, match=reason):
        ACTIONS["POST", "faults"](portal, {"kind": "rate", **given})
    assert portal.faults == []


@pytest.mark.parametrize(
    "method", ["*", "crm.*", "CRM.Deal.List", "batch", "tasks.task.file.attach", "sale.order.get"]
)
def test_a_fault_of_what_can_be_called_is_taken(method):
    """Methods of both versions, a batch, and those that only Bitrix24 has."""
    portal = Portal()
    ACTIONS["POST", "faults"](portal, {"kind": "rate", "method": method, "share": 0.5})
    assert [fault.method for fault in portal.faults] == [method]


def test_an_error_of_a_method_says_what_is_wrong(desk):
    """Classic CRM leaves the code empty: the text alone tells its errors apart."""
    with pytest.raises(RestError, match=r"^Not found$"):
        run_method(desk.portal, desk.webhook, "crm.deal.get", {"id": 99})
    with pytest.raises(RestError, match=r"^ERROR_METHOD_NOT_FOUND: Method not found!$"):
        run_method(desk.portal, desk.webhook, "crm.deal.gat", {"id": 99})


def test_time_passes_for_all_that_depends_on_it(desk):
    """The clock, the bucket of requests, the operating time and a fault's end move on."""
    portal = desk.portal
    now, zone = portal.clock.now(), portal.clock.zone
    portal.bucket.level, portal.bucket.at = 50, 1000.0
    portal.operating.of("secret", "crm.deal.list").add(now, 500)
    fault = add_fault(portal.faults, {"kind": "rate", "for_seconds": 60})
    pass_time(portal, 3600)
    assert fault.spent
    assert portal.clock.now() - now >= 3600
    assert portal.clock.zone == zone
    assert portal.bucket.admit(1000.0, 50, 2.0)
    assert portal.operating.of("secret", "crm.deal.list").total(portal.clock.now()) == 0


def test_time_does_not_pass_backwards() -> None:
    """A negative number of seconds is refused, and nothing moves."""
    portal = Portal()
    before = portal.clock.skew_seconds
    with pytest.raises(ValueError, match="forwards"):
        pass_time(portal, -5)
    assert portal.clock.skew_seconds == before

"""Incoming webhooks and what they may; outgoing ones and what they are told."""

from pathlib import Path

import pytest

from local.portal.errors import RestError
from local.portal.items import Actor, add_item, delete_item, update_item
from local.portal.php import build_query
from local.portal.portal import Portal
from local.portal.rest import authorize, split_path
from local.portal.run import run_method
from local.portal.world import World

WIRE = Path(__file__).parents[2] / "data" / "wire"


def refused(portal, user, secret):
    """Return the code and status with which an address is refused."""
    with pytest.raises(RestError) as caught:
        authorize(portal, user, secret)
    return caught.value.code, caught.value.status


def test_the_pair_of_user_and_secret_is_the_credential(desk):
    """[authorization.md] Neither alone; docs disagree on the code, so it is a switch."""
    assert authorize(desk.portal, "1", desk.webhook.secret) is desk.webhook
    assert authorize(desk.portal, "001", desk.webhook.secret) is desk.webhook
    assert refused(desk.portal, "2", desk.webhook.secret) == ("NO_AUTH_FOUND", 401)
    assert refused(desk.portal, "1", "wrong") == ("NO_AUTH_FOUND", 401)
    desk.portal.settings.auth_error = "INVALID_CREDENTIALS"
    assert refused(desk.portal, "1", "wrong") == ("INVALID_CREDENTIALS", 401)


def test_expired_webhooks_and_dismissed_owners_are_refused(desk):
    """[local-webhooks.md] The page names no code for an expired one."""
    desk.webhook.expires = desk.portal.clock.now() - 1
    assert refused(desk.portal, "1", desk.webhook.secret) == ("expired_token", 401)
    desk.portal.settings.expired_error = "NO_AUTH_FOUND"
    assert refused(desk.portal, "1", desk.webhook.secret) == ("NO_AUTH_FOUND", 401)
    desk.webhook.expires = None
    desk.portal.users[1]["active"] = False
    assert refused(desk.portal, "1", desk.webhook.secret)[1] == 401


def test_calls_stay_inside_the_ticked_scopes(desk):
    """[system-errors.md] A lower-case code; `profile` needs no scope."""
    narrow = desk.portal.add_incoming(1, "narrow12", scopes={"crm", "user_brief"})
    with pytest.raises(RestError) as caught:
        run_method(desk.portal, narrow, "tasks.task.list", {})
    assert (caught.value.code, caught.value.status) == ("insufficient_scope", 403)
    assert run_method(desk.portal, narrow, "profile", {})["result"]["ID"] == "1"
    assert run_method(desk.portal, narrow, "user.current", {})["result"]["ID"] == "1"
    assert run_method(desk.portal, narrow, "scope", {})["result"] == ["crm", "user_brief"]
    available = run_method(desk.portal, narrow, "method.get", {"name": "tasks.task.list"})
    assert available["result"] == {"isExisting": True, "isAvailable": False}


def test_methods_for_applications_refuse(desk):
    """Each group in the shape that its pages show (section 7 of the protocol's facts)."""
    shapes = {
        "app.option.get": ("AccessException", 400),
        "placement.bind": ("WRONG_AUTH_TYPE", 403),
        "event.bind": ("WRONG_AUTH_TYPE", 403),
        "bizproc.robot.add": ("ACCESS_DENIED", 400),
    }
    for method, expected in shapes.items():
        error = desk.refusal(method)
        assert (error.code, error.status) == expected
    desk.portal.settings.app_only_status = 401
    assert desk.refusal("event.bind").status == 401


def test_app_info_tells_a_webhook_its_scopes_and_the_plan(desk):
    """[PY, JS] Measured by two clients; the page says that a webhook is refused: a switch."""
    info = desk.call("app.info")
    assert "crm" in info["SCOPE"]
    assert info["LICENSE"] == "en_ent250"
    desk.portal.settings.app_info_for_webhooks = False
    assert desk.refusal("app.info").code == "ACCESS_DENIED"


def test_a_method_that_is_not_simulated_is_not_denied(desk):
    """`method.get` says that Bitrix24 has it; a call gets the 404 of an unknown method."""
    answer = desk.call("method.get", name="sale.order.get")
    assert answer == {"isExisting": True, "isAvailable": False}
    assert desk.call("method.get", name="sale.nonsense")["isExisting"] is False
    assert desk.refusal("sale.order.get").status == 404


def test_methods_are_found_in_any_case(desk):
    """[PHP, FB] Clients lower-case names, pages print `crm.item.batchImport`."""
    assert desk.call("CRM.Deal.Get", id=1)["ID"] == "1"
    assert desk.refusal("crm.nonsense").code == "ERROR_METHOD_NOT_FOUND"
    assert desk.refusal("crm.nonsense").status == 404
    desk.portal.settings.method_not_found_status = 400
    assert desk.refusal("crm.nonsense").status == 400


def test_an_address_without_the_user_is_read_as_a_method():
    """[PY pull request 3] Users report "Method not found!"."""
    assert split_path("1/secret/crm.deal.list/") == ("1", "secret", "crm.deal.list")
    assert split_path("secret/crm.deal.list") == ("", "", "secret/crm.deal.list")


def test_the_secret_tells_portals_apart():
    """Two portals on one server share nothing but the server."""
    world = World()
    first, second = world.add("main", "one.example"), world.add("second", "two.example")
    first.add_incoming(1, "secretone")
    second.add_incoming(1, "secrettwo")
    assert world.of_path("1/secrettwo/profile") is second
    assert world.of_path("1/secretone/profile") is first
    assert world.of_path("api/1/secrettwo/tasks.task.list") is second
    assert world.of_path("1/unknown/profile") is first
    assert first.member_id != second.member_id


def wire_portal(handler, now):
    """Make a portal that looks on the wire like the one of the samples."""
    portal = Portal(domain="some-domain.bitrix24.com")
    portal.member_id = "0123456789abcdef0123456789abcdef"
    portal.clock.now = lambda: now
    webhook = portal.add_outgoing("http://127.0.0.1:9/", token="faketoken0faketoken1faketoken200")
    webhook.id = handler
    return portal


def add(portal, kind, number):
    """Make an item with a number of the samples."""
    return add_item(portal, portal.types[kind], {}, Actor(), number=number)


def changed(portal, kind, number):
    """Make and change an item."""
    row = add(portal, kind, number)
    portal.outbox.waiting.clear()
    update_item(portal, portal.types[kind], row, {"title": "changed"}, Actor())


def deal_deleted(portal):
    """Make and delete a deal."""
    row = add(portal, 2, 1765)
    portal.outbox.waiting.clear()
    delete_item(portal, portal.types[2], row)


def process_changed(portal):
    """Change an item of a smart process."""
    portal.add_type(1220, "Process", {"id": 1})
    changed(portal, 1220, 24)


def deal_changed_without_handler(portal):
    """Change a deal where events carry no handler id."""
    portal.settings.event_handler_id = False
    changed(portal, 2, 759)


def comment(portal):
    """Comment on a deal."""
    add(portal, 2, 1)
    portal.outbox.waiting.clear()
    portal.comments.last_id = 998
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}
    call(portal, "crm.timeline.comment.add", fields=fields)


def task(portal, then=None, **params):
    """Make task 123, and do something to it."""
    portal.tasks.last_id = 122
    call(portal, "tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})
    if then:
        portal.outbox.waiting.clear()
        call(portal, then, taskId=123, **params)


def task_comment(portal):
    """Comment on task 555 under the new card."""
    portal.tasks.last_id = 554
    call(portal, "tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})
    portal.outbox.waiting.clear()
    portal.activity.last_message = 1457
    call(portal, "task.commentitem.add", TASKID=555, FIELDS={"POST_MESSAGE": "x"})


def call(portal, method, **params):
    """Call through a webhook."""
    webhook = next(iter(portal.incoming.values()), None) or portal.add_incoming()
    return run_method(portal, webhook, method, params)["result"]


@pytest.mark.parametrize(
    ("sample", "handler", "ts", "act"),
    [
        ("ONCRMDEALADD", 975, 1766047124, lambda portal: add(portal, 2, 6641)),
        ("ONCRMLEADADD", 977, 1742999507, lambda portal: add(portal, 1, 1000983)),
        ("ONCRMCOMPANYUPDATE", 979, 1742999814, lambda portal: changed(portal, 4, 2917)),
        ("ONCRMDEALUPDATE", 1, 1724140800, deal_changed_without_handler),
        ("ONCRMDEALDELETE", 975, 1736405294, deal_deleted),
        ("ONCRMDYNAMICITEMUPDATE", 5, 1723538517, process_changed),
        ("ONCRMTIMELINECOMMENTADD", 981, 1766047200, comment),
        ("ONTASKADD", 1191, 1765368001, task),
        (
            "ONTASKUPDATE",
            1192,
            1765368002,
            lambda portal: task(portal, "tasks.task.update", fields={"TITLE": "y"}),
        ),
        ("ONTASKDELETE", 1193, 1765368004, lambda portal: task(portal, "tasks.task.delete")),
        ("ONTASKCOMMENTADD", 1195, 1765368003, task_comment),
    ],
)
def test_events_are_byte_for_byte_those_of_the_wire(sample, handler, ts, act):
    """Form-encoded, keys in their order, the missing side of a task `undefined`."""
    expected = (WIRE / f"{sample}.txt").read_text("utf-8")
    portal = wire_portal(handler, ts)
    act(portal)
    assert build_query(portal.outbox.waiting[-1].fields()) == expected


def test_outgoing_webhooks_get_what_they_ticked(desk):
    """Several of them, each with its token; an inactive one gets nothing."""
    desk.portal.outgoing.clear()
    deals = desk.portal.add_outgoing("http://127.0.0.1:9/a", ["onCrmDealUpdate"])
    everything = desk.portal.add_outgoing("http://127.0.0.1:9/b")
    desk.call("crm.deal.update", id=1, fields={"TITLE": "x"})
    desk.call("crm.contact.update", id=1, fields={"POST": "x"})
    waiting = [(row.webhook.id, row.event) for row in desk.portal.outbox.waiting]
    assert waiting == [
        (deals.id, "ONCRMDEALUPDATE"),
        (everything.id, "ONCRMDEALUPDATE"),
        (everything.id, "ONCRMCONTACTUPDATE"),
    ]
    desk.events()
    everything.active = False
    desk.call("crm.contact.update", id=1, fields={"POST": "y"})
    assert desk.events() == []
    assert deals.token != everything.token


def test_events_say_nothing_of_who_and_what(desk):
    """[local-webhooks.md] No user, no fields; five keys in `auth`, or three by a switch."""
    desk.call("crm.deal.update", id=1, fields={"TITLE": "x"})
    fields = desk.portal.outbox.waiting[0].fields()
    assert fields["data"] == {"FIELDS": {"ID": 1}}
    assert list(fields["auth"]) == [
        *("domain", "client_endpoint", "server_endpoint", "member_id", "application_token"),
    ]
    desk.portal.settings.change({"short_event_auth": True, "comment_event_nested": True})
    comment(desk.portal)
    fields = desk.portal.outbox.waiting[-1].fields()
    assert list(fields["auth"]) == ["domain", "member_id", "application_token"]
    assert fields["data"] == {"FIELDS": {"ID": 999}}

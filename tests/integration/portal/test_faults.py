"""Faults on demand: errors of the table, broken answers, before or after execution."""

import socket
from datetime import datetime, timedelta

import pytest
import requests

from local.portal.admin_actions import ACTIONS
from local.portal.faults import ERRORS
from local.portal.items import Actor, add_item

COMMENT = {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}}


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_of_the_table_can_be_switched_on(server, admin, http, kind):
    """[system-errors.md] With its status, code and text."""
    admin("POST", "faults", kind=kind, method="crm.deal.get", times=1)
    answer = http.call("crm.deal.get", json={"id": 1})
    assert (answer.status_code, answer.json()["error"]) == ERRORS[kind][:2]
    assert answer.json()["error_description"] == ERRORS[kind][2]
    assert http.call("crm.deal.get", json={"id": 1}).ok
    assert server.portal.faults == [] or server.portal.faults[0].spent


def test_a_fault_strikes_a_share_of_one_method(admin, http):
    """Others are left alone; `share` is drawn for each call."""
    admin("POST", "faults", kind="server_error", method="crm.item.*", share=0.5)
    for _ in range(20):
        assert http.call("profile").ok
    answers = [http.call("crm.item.get", json={"entityTypeId": 2, "id": 1}) for _ in range(60)]
    failed = sum(answer.status_code == 500 for answer in answers)
    assert 10 < failed < 50
    admin("DELETE", "faults")
    assert http.call("crm.item.get", json={"entityTypeId": 2, "id": 1}).ok


def test_a_fault_after_execution_leaves_its_effect(server, admin, http):
    """What can't be told from the answer: it has run."""
    before = len(server.portal.comments)
    for kind in ("server_error", "html_502", "empty", "truncated", "reset"):
        admin("POST", "faults", kind=kind, when="after", times=1)
        try:
            answer = http.call("crm.timeline.comment.add", json=COMMENT)
            assert not answer.ok or kind in {"empty", "truncated"}
        except requests.exceptions.ConnectionError:
            assert kind == "reset"
    assert len(server.portal.comments) == before + 5


def test_a_fault_before_execution_leaves_none(server, admin, http):
    """The same answers, and nothing was done."""
    before = len(server.portal.comments)
    for kind in ("rate", "html_403", "html_500", "empty", "truncated", "reset", "html_200"):
        admin("POST", "faults", kind=kind, times=1)
        try:
            answer = http.call("crm.timeline.comment.add", json=COMMENT)
            assert not answer.ok or kind in {"empty", "truncated", "html_200"}
        except requests.exceptions.ConnectionError:
            assert kind == "reset"
    assert len(server.portal.comments) == before


def test_a_timeout_gives_no_answer(server, admin, http):
    """Before and after execution; the client must decide by itself."""
    before = len(server.portal.comments)
    for when in ("before", "after"):
        admin("POST", "faults", kind="timeout", seconds=1.5, when=when, times=1)
        with pytest.raises(requests.exceptions.Timeout):
            http.call("crm.timeline.comment.add", json=COMMENT, timeout=0.7)
    assert len(server.portal.comments) == before + 1


def test_a_command_fails_inside_a_batch_of_200(admin, http):
    """[batch.md] One method is struck, its neighbours are not; the status stays 200."""
    admin("POST", "faults", kind="operating", method="crm.deal.get")
    answer = http.call("batch", json={"cmd": {"a": "crm.deal.get?id=1", "b": "profile"}})
    result = answer.json()["result"]
    assert answer.status_code == 200
    assert result["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    assert list(result["result"]) == ["b"]


@pytest.mark.parametrize("kind", ["rate", "overload", "no_auth", "server_error"])
def test_a_blocked_portal_refuses_the_batch_itself(admin, http, kind):
    """What concerns the whole request is never the answer of one command."""
    admin("POST", "faults", kind=kind)
    answer = http.call("batch", json={"cmd": ["profile"]})
    assert (answer.status_code, answer.json()["error"]) == ERRORS[kind][:2]


def test_a_fault_ends_by_itself(admin, http):
    """After `for_seconds`, without anybody switching it off."""
    admin("POST", "faults", kind="overload", for_seconds=0.0)
    assert http.call("profile").ok


def test_answers_take_as_long_as_their_commands(server, http):
    """Slow by number of commands, until the request is cut off with a proxy's page."""
    server.portal.settings.command_seconds = 0.02
    slow = http.call("batch", json={"cmd": ["profile"] * 10})
    assert slow.elapsed.total_seconds() > 0.2
    assert slow.json()["time"]["duration"] > 0.2
    server.portal.settings.change({"command_seconds": 0.2, "cutoff_seconds": 0.5})
    cut = http.call("batch", json={"cmd": ["profile"] * 50})
    assert cut.status_code == 504


def test_the_clock_can_be_wrong(admin, http):
    """Skewed by an hour, or in another zone."""
    admin("POST", "clock", skew_seconds=3600)
    block = http.call("server.time").json()["time"]
    admin("POST", "clock", skew_seconds=0, offset_hours=-5)
    time = http.call("server.time").json()
    assert block["start"] - time["time"]["start"] > 3500
    assert time["result"].endswith("-05:00")
    admin("POST", "clock", offset_hours=3)


def test_an_hour_forward_moves_days_and_times_of_tasks(admin, http):
    """As Bitrix' core answers them: days with the present offset, times of tasks relabelled."""
    deal = {"title": "a", "begindate": "2026-01-15"}
    number = http.call("crm.item.add", json={"entityTypeId": 2, "fields": deal}).json()["result"][
        "item"
    ]["id"]
    task = {"TITLE": "t", "RESPONSIBLE_ID": 1, "DEADLINE": "2026-01-15T10:00:00+03:00"}
    made = http.call("tasks.task.add", json={"fields": task}).json()["result"]["task"]["id"]

    def answered():
        item = http.call("crm.item.get", json={"entityTypeId": 2, "id": number}).json()["result"][
            "item"
        ]
        answer = http.call("tasks.task.get", json={"taskId": made}).json()["result"]["task"]
        return item["begindate"], item["createdTime"], answer["deadline"]

    before = answered()
    admin("POST", "clock", daylight_hours=1)
    after = answered()
    admin("POST", "clock", daylight_hours=-1)
    assert before[0] == "2026-01-15T03:00:00+03:00"
    assert (after[0], after[2]) == ("2026-01-15T04:00:00+03:00", "2026-01-15T10:00:00+04:00")
    assert after[1] == before[1]
    assert answered() == before
    admin("POST", "clock", users_daylight_hours=1)
    after = answered()
    admin("POST", "clock", users_daylight_hours=-1)
    assert (after[0], after[2]) == (before[0], "2026-01-15T09:00:00+03:00")
    an_hour = datetime.fromisoformat(before[1]) - datetime.fromisoformat(after[1])
    assert an_hour == timedelta(hours=1)


def test_the_admin_api_is_for_this_machine_only(server):
    """No rebound name, no other site's page, no simple form, no unknown setting."""
    url = f"{server.url}/admin/state"
    assert requests.get(url, timeout=10, headers={"Host": "evil.example"}).status_code == 403
    origin = {"Origin": "https://evil.example"}
    assert (
        requests.post(f"{server.url}/admin/faults", timeout=10, headers=origin).status_code == 403
    )
    form = requests.post(f"{server.url}/admin/faults", timeout=10, data={"kind": "rate"})
    assert form.status_code == 400
    for path, body in (("settings", {"nonsense": 1}), ("faults", {"kind": "nonsense"})):
        verb = "PATCH" if path == "settings" else "POST"
        answer = requests.request(verb, f"{server.url}/admin/{path}", json=body, timeout=10)
        assert answer.status_code == 400
        assert "nonsense" in answer.json()["error"]


def test_it_listens_on_one_address_only(server):
    """A socket for all addresses would be reached under any name of this machine."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5).close()


def test_a_test_changes_items_between_two_requests(server, http):
    """`run` hands over what was made, or what went wrong, in the caller's thread."""
    deals = server.portal.types[2]
    row = server.run(lambda: add_item(server.portal, deals, {"title": "direct"}, Actor()))
    assert http.call("crm.deal.get", json={"id": row["id"]}).json()["result"]["TITLE"] == "direct"
    with pytest.raises(KeyError):
        server.run(lambda: server.portal.types[999])


def test_the_strip_joins_what_the_relay_tells_to_what_was_sent(server, admin, http, handler):
    """Steps find their row by subject, then by the event's id; REST calls add their own."""
    admin("POST", "outgoing", url=handler.url, events=["ONCRMDEALUPDATE"])
    http.call("crm.deal.update", json={"id": 4, "fields": {"TITLE": "moved"}})
    assert admin("GET", "settle")["idle"]
    lines = [
        {"step": "verified", "event_id": "e1", "subject": "deal/4", "time": 1.0},
        {"step": "published", "event_id": "e1", "subject": "deal/4", "detail": {"topic": "Events"}},
        {"step": "changed", "event_id": "e1", "detail": {"field": "title", "after": "moved"}},
    ]
    assert admin("POST", "steps", lines=lines) == {"taken": 3}
    http.call("crm.item.list", json={"entityTypeId": 2, "filter": {"@id": [4]}})
    http.call("crm.timeline.comment.add", json={"fields": COMMENT["fields"] | {"ENTITY_ID": 4}})
    row = [row for row in admin("GET", "strip") if row["subject"] == "deal/4"][-1]
    assert set(row["steps"]) == {"sent", "verified", "published", "changed", "read", "written"}
    assert row["steps"]["changed"]["after"] == "moved"
    assert server.portal.strip.counters["requests"] >= 3


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[1, null]", b'"x"', b'{"id": {}}', b'{"ids": 5, "items": [5]}', b'{"events": 5}'),
        *(b'{"entityTypeId": "x", "amount": []}', b'{"user": null, "url": 1, "lines": 7}'),
    ],
)
def test_nonsense_for_the_admin_api_is_refused(server, body):
    """Every action answers 200 or 400, whatever it is sent."""
    headers = {"Content-Type": "application/json"}
    with requests.Session() as session:
        for verb, name in ACTIONS:
            url = f"{server.url}/admin/{name}"
            answer = session.request(verb, url, data=body, headers=headers, timeout=10)
            assert answer.status_code in {200, 400}, (name, answer.text)
        for path in ("settle?seconds=x", "settle?portal=nobody", "follow?portal=nobody"):
            assert session.get(f"{server.url}/admin/{path}", timeout=10).status_code in {400, 404}
    server.portal.outbox.held = None

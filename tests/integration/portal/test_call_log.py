"""The log of REST requests: what was asked and answered can be looked into, without secrets."""

import json

import pytest
import requests

from local.portal.call_log import LONGEST


def looked_into(admin, number):
    """Return request and answer of a number, as JSON."""
    found = admin("GET", f"call?number={number}")
    return json.loads(found["request"]), json.loads(found["answer"])


def test_a_request_and_its_answer_can_be_looked_into(admin, http):
    """The newest request is first; its parameters and its answer are those that were sent."""
    answer = http.call("crm.item.get", json={"entityTypeId": 2, "id": 1}).json()
    row = admin("GET", "calls?limit=1")[0]
    assert (row["method"], row["status"], row["subjects"]) == ("crm.item.get", 200, ["deal/1"])
    assert looked_into(admin, row["number"]) == ({"entityTypeId": 2, "id": 1}, answer)


def test_what_read_or_wrote_an_item_is_found_by_it(admin, http):
    """A batch that reads a deal, and a comment on it, are the deal's; others' requests are not."""
    http.call("batch", json={"cmd": {"a": "crm.item.get?entityTypeId=2&id=2"}})
    http.call("crm.item.get", json={"entityTypeId": 2, "id": 3})
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 2, "COMMENT": "Hello"}
    http.call("crm.timeline.comment.add", json={"fields": fields})
    found = admin("GET", "calls?subject=deal/2")
    assert [row["method"] for row in found] == ["crm.timeline.comment.add", "batch"]
    assert admin("GET", f"calls?subject=deal/2&since={found[0]['time']}") == found[:1]


def test_methods_and_failures_are_found(admin, http):
    """A part of a name finds a batch by its commands; `failed` leaves what was refused."""
    http.call("batch", json={"cmd": ["crm.quote.list"]})
    http.call("crm.qote.list")
    assert [row["method"] for row in admin("GET", "calls?method=QUOTE.")] == ["batch"]
    assert admin("GET", "calls?failed=1")[0]["method"] == "crm.qote.list"
    assert all(row["status"] >= 400 for row in admin("GET", "calls?failed=1"))


def test_no_secret_is_in_the_log(server, admin, http):
    """Addresses with secrets, in a request and in an answer, and tokens are masked."""
    hook = server.portal.add_outgoing("http://127.0.0.1:9/", token="verysecrettoken0")
    gone = "http://127.0.0.1/rest/1/deletedsecret1/crm.deal.get"
    text = f"{server.webhook_url} {hook.token} {gone}"
    http.call("crm.deal.add", json={"fields": {"TITLE": text}})
    found = admin("GET", f"call?number={admin('GET', 'calls?limit=1')[0]['number']}")
    http.call("crm.deal.list", json={"filter": {"TITLE": text}})
    listed = admin("GET", f"call?number={admin('GET', 'calls?limit=1')[0]['number']}")
    for secret in (server.webhook.secret, hook.token, "deletedsecret1"):
        assert secret not in str([found, listed])
    assert "/rest/1/…/" in found["request"]
    assert "/rest/1/…/" in listed["answer"]


def test_a_long_body_is_not_kept(server, admin, http):
    """An upload is named by its length, a long answer is cut; old requests are forgotten."""
    body = json.dumps({"fields": {"TITLE": "x" * LONGEST}})
    http.call("crm.deal.add", data=body, headers={"Content-Type": "application/json"})
    number = admin("GET", "calls?limit=1")[0]["number"]
    assert admin("GET", f"call?number={number}")["request"] == f"({len(body)} bytes)"
    http.call("crm.item.list", json={"entityTypeId": 2, "select": ["*"]})
    assert len(admin("GET", f"call?number={number + 1}")["answer"]) == LONGEST
    server.portal.activity.bodies.pop(number)
    refused = requests.get(f"{server.url}/admin/call?number={number}", timeout=10)
    assert refused.status_code == 400
    assert "the newest 200 are kept" in refused.json()["error"]


@pytest.mark.parametrize("root", ["/rest/", "/rest/api/"])
@pytest.mark.parametrize(
    "body",
    ['{"a":' * 400 + "1" + "}" * 400, r'{"filter": {"title": "\ud800 \u0000"}}', "[", "\xff"],
)
def test_odd_requests_can_be_looked_into(server, admin, http, root, body):
    """Deep nesting, half of a character, and what is no JSON leave a readable log."""
    address = server.webhook_url.replace("/rest/", root) + "tasks.task.list"
    head = {"Content-Type": "application/json"}
    http.session.post(address, data=body.encode("latin-1"), headers=head, timeout=10)
    number = admin("GET", "calls?limit=1")[0]["number"]
    assert admin("GET", f"call?number={number}")["answer"]

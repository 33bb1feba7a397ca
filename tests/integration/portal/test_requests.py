"""Requests as clients send them: encodings, addresses, schemes, and bad input of every kind."""

import json

import pytest
import requests

NESTED = {"fields": {"TITLE": "a b&c", "PHONE": [{"VALUE": "+1", "VALUE_TYPE": "WORK"}]}}


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"FIELDS": NESTED["fields"]}},
        {"data": {"fields[TITLE]": "a b&c", "fields[PHONE][0][VALUE]": "+1"}},
        {"files": {"fields[TITLE]": (None, "a b&c"), "fields[PHONE][0][VALUE]": (None, "+1")}},
        {"params": {"fields[TITLE]": "a b&c", "fields[PHONE][0][VALUE]": "+1"}},
        {
            "params": {"bx24_request_id": "1", "fields[PHONE][0][VALUE]": "+1"},
            "json": {"fields": {"TITLE": "a b&c", "PHONE": [{"VALUE": "+1"}]}},
        },
        {"data": json.dumps(NESTED), "headers": {"Content-Type": "text/plain"}},
    ],
    ids=["json", "form", "multipart", "query", "query and json", "json without its type"],
)
def test_parameters_come_in_every_encoding(http, options):
    """[data-encoding.md, general-principles.md] Query and body are merged."""
    number = http.call("crm.lead.add", **options).json()["result"]
    lead = http.call("crm.lead.get.json", json={"id": number}).json()["result"]
    assert (lead["TITLE"], lead["PHONE"][0]["VALUE"]) == ("a b&c", "+1")


def test_batches_come_as_forms_too(http):
    """[data-encoding.md] In a form the commands are encoded once more; CRest sends them so."""
    form = {"cmd[get]": "crm.deal.get?id=1", "cmd[list]": "crm.deal.list?filter%5B%3EID%5D=10"}
    result = http.call("batch.json", data=form | {"halt": "0"}).json()["result"]
    assert result["result"]["get"]["ID"] == "1"
    assert result["result_total"]["list"] == 2


@pytest.mark.parametrize("suffix", ["", ".json", "/", ".json/"])
def test_suffix_and_trailing_slash_are_optional(server, suffix):
    """[general-principles.md, huge-data.md, PHP] GET works too."""
    answer = requests.get(f"{server.webhook_url}profile{suffix}", timeout=10)
    assert answer.json()["result"]["ID"] == "1"
    assert answer.headers["Content-Type"] == "application/json"


def test_xml_on_request(http):
    """[general-principles.md] One element per key."""
    answer = http.call("profile.xml")
    assert "<response><result><ID>1</ID>" in answer.text


def test_https_with_an_authority_of_its_own(server):
    """[PY, JS] Clients that insist on https trust its CA; without it the certificate is refused."""
    address = f"{server.https_url}{server.webhook.path()}profile"
    assert requests.post(address, timeout=10, verify=str(server.ca_file)).json()["result"]
    with pytest.raises(requests.exceptions.SSLError):
        requests.post(address, timeout=10)


def test_plain_http_can_be_refused(server, http):
    """[JS issue 500] For webhooks; the text has a period there."""
    server.portal.settings.https_required = True
    answer = http.call("profile")
    assert answer.status_code == 400
    assert answer.json() == {"error": "INVALID_REQUEST", "error_description": "Https required."}
    address = f"{server.https_url}{server.webhook.path()}profile"
    assert requests.post(address, timeout=10, verify=str(server.ca_file)).ok


def test_a_renamed_portal_sends_to_its_new_host(server, admin):
    """[change-domen.md] 302 without JSON; events name the new domain."""
    old, new = f"127.0.0.1:{server.port}", f"localhost:{server.port}"
    admin("POST", "rename", **{"from": old, "to": new, "domain": "new.bitrix24.example"})
    answer = requests.post(f"{server.webhook_url}profile", timeout=10, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"http://{new}{server.webhook.path()}profile"
    assert requests.post(answer.headers["Location"], timeout=10).json()["result"]["ID"] == "1"
    assert server.portal.domain == "new.bitrix24.example"
    admin("POST", "rename", undo=True, domain="demo.bitrix24.example")


def test_errors_have_a_body_and_a_status(http, server):
    """[error-codes.md] `error`, `error_description`, no `time`."""
    answer = http.call("crm.nonsense")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "error_description"}
    wrong = requests.post(f"{server.url}/rest/1/wrong/profile", timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "NO_AUTH_FOUND")
    without = requests.post(f"{server.url}/rest/{server.webhook.secret}/profile", timeout=10)
    assert without.json()["error_description"] == "Method not found!"
    assert server.webhook.secret not in str(list(server.portal.activity.calls))


def test_the_bucket_answers_503_above_its_burst(server, http):
    """[limits.md] A batch counts as one request; no `Retry-After` [JS issue 459]."""
    server.portal.settings.change({"burst": 5, "rate": 0.01})
    server.portal.bucket.level = 0.0
    answers = [http.call("batch", json={"cmd": ["profile"] * 50}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [503] * 2
    assert answers[-1].json()["error"] == "QUERY_LIMIT_EXCEEDED"
    assert "Retry-After" not in answers[-1].headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"filter":' + b'{"0":' * 400 + b"1" + b"}" * 401,
        b"\xff\xfe\x00",
        b'"text"',
        b"null",
        b'{"fields": null, "filter": 5, "order": true, "select": {"a": {}}, "start": {}}',
        b'{"id": 1e400}',
        b'{"id": "\\ud800"}',
        b'{"id": 123456789012345678901234567890}',
        b'{"fields": {"title": "\\u0000\\ud800", "opportunity": "NaN", "observers": [[[]]]}}',
    ],
)
@pytest.mark.parametrize("method", ["crm.item.list", "crm.deal.get", "crm.deal.add", "batch"])
def test_hostile_bodies_get_an_answer(http, method, body):
    """What can't be read counts as empty, as in PHP; never a 500, never silence."""
    answer = http.call(f"{method}?entityTypeId=2", data=body, headers=JSON)
    assert answer.status_code in {200, 400}
    assert isinstance(answer.json(), dict)


JSON = {"Content-Type": "application/json"}


def test_huge_bodies_meet_the_web_server(http):
    """Its page, not the portal's JSON; 5 MB are still taken."""
    fields = {"title": "x", "comments": "y" * 5_000_000}
    assert http.call("crm.item.add", json={"entityTypeId": 2, "fields": fields}).ok
    answer = http.call("crm.item.add", data=(b"z" * 1_000_000 for _ in range(34)), headers=JSON)
    assert answer.status_code == 413
    assert "html" in answer.headers["Content-Type"]

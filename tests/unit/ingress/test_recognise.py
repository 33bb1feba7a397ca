"""relay.ingress.recognise: what an event is about."""

import json

import pytest

from relay.errors import MalformedRequestError
from relay.ingress.form import parse_form
from relay.ingress.recognise import CATALOGUE, MAX_NAME_CHARACTERS, event_name, to_event
from tests.conftest import DATA, TOKEN

CREDENTIALS = {"auth", "token", "access_token", "refresh_token", "application_token"}


def event_of(body):
    """Return the event of a body, as if it were verified."""
    return to_event(parse_form(body.encode()), "main", "request-1", 1766047125.25)


def without(value, names):
    """Return a value without the keys of these names, wherever they are."""
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k.lower() not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


def at(data, path):
    """Return the value at a dotted path of the documentation, None where there is none."""
    value = data
    for key in path.split(".")[1:]:
        if not isinstance(value, dict | list):
            return None
        value = value[int(key)] if isinstance(value, list) else value.get(key)
    return value


def test_every_documented_event_is_recognised(catalogue, body_of):
    """All 213 documented events get their entity, action, id and payload, without a credential."""
    assert len(catalogue) == 213
    for documented in catalogue:
        name = documented["event"].replace("{ENTITY_TYPE_ID}", "1220")
        data = documented["sample_data"] or {}
        event = event_of(body_of(name, data))
        dynamic = documented["entity"] == "dynamic_item"
        assert event.name == name
        assert event.action == documented["action"], name
        assert event.entity == (
            f"dynamic_{event.entity_type_id}" if dynamic else documented["entity"]
        )
        path = documented["id_path"]
        if name == "ONTASKCOMMENTADD":  # the sample is a comment in a task's chat: its ID is 0
            path = "data.FIELDS_AFTER.MESSAGE_ID"
        assert event.id == ((path and at(data, path)) or None), name
        assert event.payload == without(data, CREDENTIALS), name


def test_the_catalogue_is_the_documented_one(catalogue):
    """The catalogue of ingress has the codes and paths of the documentation."""
    facts = {
        event["event"]: (event["entity"], event["action"], event["id_path"]) for event in catalogue
    }
    ours = {
        name: (documented["entity"], documented["action"], documented["idPath"])
        for name, documented in CATALOGUE.items()
    }
    assert ours == facts


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("ONCRMDEALADD", ("deal", 2, "6641", "main.deal.6641.add", "975")),
        ("ONCRMDEALDELETE", ("deal", 2, "1765", "main.deal.1765.delete", "975")),
        ("ONCRMDEALUPDATE", ("deal", 2, "759", "request-1", None)),
        ("ONCRMCONTACTADD", ("contact", 3, "89", "main.contact.89.add", "58")),
        ("ONCRMDYNAMICITEMUPDATE", ("dynamic_1220", 1220, "24", "request-1", "5")),
        ("ONTASKADD", ("task", None, "123", "main.task.123.add", "1191")),
        ("ONTASKDELETE", ("task", None, "123", "main.task.123.delete", "1193")),
        (
            "ONTASKCOMMENTADD",
            ("task_comment", None, "1458", "main.task_comment.message-1458.add", "1195"),
        ),
        (
            "ONCRMTIMELINECOMMENTADD",
            ("timeline_comment", None, "999", "main.timeline_comment.999.add", "981"),
        ),
        ("ONCRMADDRESSREGISTER", ("address", None, None, "request-1", "983")),
        ("ONIMCONNECTORLINEDELETE", ("open_line", None, "107", "main.open_line.107.delete", "563")),
    ],
)
def test_a_wire_sample_is_identified(sample, expected):
    """Events of adding and deleting have the item's id, all others the request's."""
    event = event_of((DATA / "wire" / f"{sample}.txt").read_text("utf-8"))
    assert (
        event.entity,
        event.entity_type_id,
        event.id,
        event.event_id,
        event.handler_id,
    ) == expected


def test_the_envelope_is_the_documented_one():
    """The JSON is the CloudEvent of the contract, and nothing of `auth` but domain and member."""
    event = event_of((DATA / "wire" / "ONCRMDEALADD.txt").read_text("utf-8"))
    assert json.loads(event.to_json()) == {
        "specversion": "1.0",
        "id": "main.deal.6641.add",
        "source": "urn:bitrix24:main",
        "type": "com.bitrix24.event.oncrmdealadd",
        "subject": "deal/6641",
        "time": "2025-12-18T08:38:44Z",
        "datacontenttype": "application/json",
        "data": {
            "event": "ONCRMDEALADD",
            "entity": "deal",
            "action": "add",
            "entityTypeId": 2,
            "id": "6641",
            "sentAt": "2025-12-18T08:38:44Z",
            "domain": "some-domain.bitrix24.com",
            "memberId": "0123456789abcdef0123456789abcdef",
            "handlerId": "975",
            "payload": {"FIELDS": {"ID": "6641"}},
        },
    }


def test_an_unknown_event_passes(body_of):
    """A code that the catalogue does not know is passed on with its payload."""
    event = event_of(body_of("ONSOMETHINGNEW", {"ID": "5"}))
    assert (event.entity, event.action, event.id, event.event_id) == (None, None, None, "request-1")
    assert event.payload == {"ID": "5"}
    assert "subject" not in json.loads(event.to_json())


@pytest.mark.parametrize("name", ["onCrmDealAdd", " oncrmdealadd "])
def test_the_case_of_a_code_does_not_matter(body_of, name):
    """Codes in mixed case become upper case."""
    assert event_of(body_of(name, {"FIELDS": {"ID": "1"}})).name == "ONCRMDEALADD"


@pytest.mark.parametrize("form", [{}, {"event": ""}, {"event": ["A"]}, {"event": {"a": "b"}}])
def test_a_form_without_a_code_is_refused(form):
    """A form without an event's code raises MalformedRequestError."""
    with pytest.raises(MalformedRequestError, match="no field"):
        event_name(form)


@pytest.mark.parametrize("name", ["A" * 101, "A\nB", "A\0"])
def test_what_is_no_code_is_refused(name):
    """A code of control characters or of more than 100 letters raises MalformedRequestError."""
    with pytest.raises(MalformedRequestError, match="no event's code"):
        event_name({"event": name})


@pytest.mark.parametrize(
    ("name", "fields", "entity", "type_id"),
    [
        ("ONCRMDYNAMICITEMADD", {"ID": "7", "ENTITY_TYPE_ID": "31"}, "invoice", 31),
        ("ONCRMDYNAMICITEMADD_184", {"ID": "7"}, "dynamic_184", 184),
        ("ONCRMDYNAMICITEMADD", {"ID": "7"}, None, None),
        ("ONCRMDYNAMICITEMADD", {"ID": "7", "ENTITY_TYPE_ID": "x"}, None, None),
    ],
)
def test_items_of_smart_processes_are_told_apart(body_of, name, fields, entity, type_id):
    """A smart process's item is known by its type and id; without a type it has neither."""
    event = event_of(body_of(name, {"FIELDS": fields}))
    assert (event.entity, event.entity_type_id) == (entity, type_id)
    assert event.event_id == (f"main.{entity}.7.add" if entity else "request-1")


def test_an_old_invoice_is_not_taken_for_a_new_one(body_of):
    """An old invoice's id, which a new invoice may have as well, does not make the event's id."""
    event = event_of(body_of("ONCRMINVOICEADD", {"FIELDS": {"ID": "7"}}))
    assert (event.entity_type_id, event.event_id) == (5, "request-1")


def test_a_currency_may_be_added_twice(body_of):
    """An id that is no number may be used again after a deletion, so it makes no event's id."""
    event = event_of(body_of("ONCRMCURRENCYADD", {"FIELDS": {"ID": "CHE"}}))
    assert (event.id, event.event_id) == ("CHE", "request-1")


def test_a_nested_timeline_comment_is_read_as_well(body_of):
    """A timeline comment's id is found in the documented place and in the recorded one."""
    event = event_of(body_of("ONCRMTIMELINECOMMENTADD", {"FIELDS": {"ID": "9"}}))
    assert event.id == "9"


@pytest.mark.parametrize("ts", ["", "x", "-1", "1" * 40, None])
def test_a_bad_time_of_sending_is_left_out(ts):
    """Without a usable `ts` the event's time is the request's."""
    body = "event=A" + ("" if ts is None else f"&ts={ts}") + f"&auth[application_token]={TOKEN}"
    event = event_of(body)
    assert (event.sent_at, event.time) == (None, "2025-12-18T08:38:45.250000Z")


@pytest.mark.parametrize(
    "data",
    [
        "data=5",
        "data[]=5",
        "data[FIELDS][]=5",
        "data[FIELDS]=undefined",
        "data[FIELDS][ID][]=1",
        "data[FIELDS][ID]=",
        "",
    ],
)
def test_a_path_that_ends_early_is_no_id(data):
    """A scalar or a list where an object is expected leaves the id unknown."""
    event = event_of(f"event=ONCRMDEALADD&{data}&auth[application_token]={TOKEN}")
    assert (event.id, event.event_id) == (None, "request-1")


def test_the_longest_code_is_read():
    """A code of MAX_NAME_CHARACTERS is read."""
    assert event_name({"event": "a" * MAX_NAME_CHARACTERS}) == "A" * MAX_NAME_CHARACTERS


def test_only_a_comment_is_a_chat_s(body_of):
    """The id 0 of another event is its own, whatever message it names."""
    event = event_of(body_of("ONTASKADD", {"FIELDS_AFTER": {"ID": "0", "MESSAGE_ID": "5"}}))
    assert event.id == "0"


def test_an_empty_domain_is_none(body_of):
    """A field of `auth` that is empty is passed on as null."""
    assert event_of(body_of("A", {}, domain="")).domain is None


def test_domains_of_any_kind_are_passed_on(body_of):
    """A domain in Cyrillic or with a port is passed on unchanged."""
    for domain in ("портал.рф", "portal.example:8443"):
        assert event_of(body_of("A", {}, domain=domain)).domain == domain


def test_what_sqs_refuses_is_spelled_in_ascii(body_of):
    """A character that SQS refuses is spelt in ASCII."""
    message = event_of(body_of("A", {"TEXT": "\uffff\ufffe x"})).to_json()
    assert "\\uffff\\ufffe x" in message
    assert json.loads(message)["data"]["payload"] == {"TEXT": "\uffff\ufffe x"}


def test_a_comment_of_the_old_card_has_its_own_number(body_of):
    """A comment and a chat message of one number are two events."""
    comment = event_of(body_of("ONTASKCOMMENTADD", {"FIELDS_AFTER": {"ID": "1458"}}))
    assert (comment.id, comment.event_id) == ("1458", "main.task_comment.1458.add")
    nameless = event_of(body_of("ONTASKCOMMENTADD", {"FIELDS_AFTER": {"ID": "0"}}))
    assert (nameless.id, nameless.subject, nameless.event_id) == (None, None, "request-1")


def test_credentials_in_lists_are_dropped(body_of):
    """OAuth tokens of a bot's event, which stand in a list, are removed."""
    bots = [
        {
            "BOT_ID": "1",
            "access_token": "s",
            "AUTH": {"refresh_token": "s"},
            "list": [{"token": "s"}],
        }
    ]
    event = event_of(body_of("ONIMBOTMESSAGEADD", {"BOT": bots}))
    assert event.payload == {"BOT": [{"BOT_ID": "1", "list": [{}]}]}

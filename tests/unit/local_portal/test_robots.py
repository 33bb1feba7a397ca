"""Robots on stages: whom they call, when, and what becomes of what was typed."""

import pytest

from local.portal.php import build_query, parse_query
from local.portal.robots import fill, target
from relay.ingress.document import read_document
from tests.robots import ROBOTS

URL = "https://relay.example/robot/main/fakesecret/send_contract"


def waiting(desk):
    """Take the robots' calls that wait: address, name, subject and form."""
    calls = [
        (one.webhook.url, one.event, one.subject, one.fields())
        for one in desk.portal.outbox.waiting
        if one.event.startswith("robot.")
    ]
    desk.portal.outbox.waiting.clear()
    return calls


def test_a_robot_calls_when_an_item_enters_its_stage(desk):
    """A deal that is made in the stage, or moved there, calls once; an edit there does not."""
    desk.portal.robots.add(2, "EXECUTING", f"{URL}?id={{=Document:ID}}")
    made = desk.call("crm.item.add", entityTypeId=2, fields={"stageId": "EXECUTING"})["item"]["id"]
    ((url, event, subject, form),) = waiting(desk)
    assert (url, event, subject) == (f"{URL}?id={made}", "robot.send_contract", f"deal/{made}")
    assert form["document_id"] == ["crm", "CCrmDocumentDeal", f"DEAL_{made}"]
    desk.call("crm.item.update", entityTypeId=2, id=made, fields={"title": "edited"})
    assert waiting(desk) == []
    for stage in ("NEW", "EXECUTING"):
        desk.call("crm.item.update", entityTypeId=2, id=made, fields={"stageId": stage})
    assert len(waiting(desk)) == 1


def test_a_call_has_the_keys_of_the_recorded_ones(desk):
    """A robot sends the seven keys of a recorded request, in its order, and no token."""
    desk.portal.robots.add(2, "NEW", URL)
    desk.call("crm.item.add", entityTypeId=2, fields={})
    ((_, _, _, form),) = waiting(desk)
    recorded = (ROBOTS / "01-deal-query-multi.txt").read_text("utf-8").split("\n\n")[1].strip()
    names = [pair.partition("=")[0] for pair in recorded.split("&")]
    assert [pair.partition("=")[0] for pair in build_query(form).split("&")] == names


@pytest.mark.parametrize(
    ("number", "kind"), [(1, "lead"), (7, "quote"), (31, "invoice"), (1268, "dynamic_1268")]
)
def test_the_relay_reads_every_kinds_document(desk, number, kind):
    """The document of each kind of items with stages is the one that ingress reads from it."""
    if number not in desk.portal.types:
        desk.portal.add_type(number, "Process", {})
    category = 0 if number in {1, 7} else desk.portal.directories.default_category(number)
    stage = next(iter(desk.portal.directories.stages(number, category)))
    desk.portal.robots.add(number, stage, URL)
    made = desk.call("crm.item.add", entityTypeId=number, fields={})["item"]["id"]
    ((_, _, _, form),) = waiting(desk)
    assert read_document(form["document_id"]) == (kind, str(made))


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("a={=Document:TITLE}", "a=Smith+&Sons_=+5+"),
        ("a={{=urlencode({=Document:TITLE})}}", "a=Smith+%26+Sons+%3D+5+%232"),
        ("a={{Name}}&b={=Document:TITLE}", "a=%7B%7BName%7D%7D&b=Smith+&Sons_=+5+"),
        ("a={=Document:OPPORTUNITY}", "a=123.45%7CRUB"),
        ("a={=Document:ASSIGNED_BY_ID}", "a=user_2"),
        ("a={=Document:CONTACT_IDS}", "a=3%2C+4"),
        ("a={=Document:COMMENTS}", "a=%D0%81%D0%BB%D0%BA%D0%B0"),
        ("a={=Document:NOTHING}&b={{Nothing}}", "a=&b=%7B%7BNothing%7D%7D"),
        ("a.b c=1&d=1&d=2&e", "a_b_c=1&d=2&e="),
        ("a={=Document:BEGINDATE}", "a=30.08.2026"),
        ("", ""),
    ],
)
def test_what_was_typed_is_filled_in_raw(desk, typed, query):
    """`&` and `#` in a value break the query as they do at the vendor's; urlencode survives."""
    row = {
        "id": 5,
        "title": "Smith & Sons = 5 #2",
        "opportunity": 123.45,
        "currencyId": "RUB",
        "assignedById": 2,
        "contactIds": [3, 4],
        "comments": "Ёлка",
        "begindate": "2026-08-30T03:00:00+03:00",
    }
    handler = URL + (f"?{typed}" if typed else "")
    filled = target(fill(handler, desk.portal.types[2], row))
    assert filled == URL + (f"?{query}" if query else "")
    assert parse_query(filled.partition("?")[2]) == parse_query(query)


@pytest.mark.parametrize(
    "handler",
    ["ftp://a.example/x", "https://localhost/x", "https://a.example/x\n", "https://[a/x", "text"],
)
def test_what_has_no_proper_host_is_never_called(desk, handler):
    """Another scheme, a host without a dot and a line break call nothing, and say nothing."""
    desk.portal.robots.add(2, "NEW", handler)
    desk.call("crm.item.add", entityTypeId=2, fields={})
    assert waiting(desk) == []


def test_an_import_starts_no_robot(desk):
    """Items that are made without events start nothing."""
    desk.portal.robots.add(2, "NEW", URL)
    desk.call("crm.item.import", entityTypeId=2, fields={"title": "old"})
    assert waiting(desk) == []


def test_a_robot_that_was_removed_calls_no_more(desk):
    """A stage's robots are listed in their order until they are removed."""
    robots = desk.portal.robots
    one, two = robots.add(2, "NEW", URL), robots.add(2, "NEW", f"{URL}2?a=1")
    assert [robot.name for robot in robots.of(2, "NEW")] == ["send_contract", "send_contract2"]
    robots.remove(one.id)
    assert robots.of(2, "NEW") == [two]
    assert "fakesecret" not in str(two.to_dict())

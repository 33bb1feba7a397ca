"""relay.ingress: what becomes of a robot's request, whoever sent it and whatever it holds."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.event import Event
from tests.conftest import TOKEN
from tests.ingress_aws import counted
from tests.plain import plain
from tests.robots import DEAL_42, DOCUMENTS, MEMBER, SECRET, published, recorded, robot_request
from tests.samples import load

STATUSES = {200, 202, 400, 401, 405, 413, 415}


def test_a_robots_call_becomes_an_event(portal, capsys):
    """A verified call is published with its document as subject and its parameters as text."""
    query = urlencode({"sum": "123.45|RUB", "who": "user_23", "Название": "Ёлка & Сын"})
    status, answer = portal.ask(robot_request(query))
    assert status == 200
    (message,) = portal.published
    cloudevent = json.loads(message["Message"])
    assert message["MessageGroupId"] == "main"
    assert cloudevent["type"] == "com.bitrix24.robot.send_contract"
    assert cloudevent["subject"] == "deal/42"
    event = published(portal)
    assert event.event_id == answer["id"] == cloudevent["id"]
    assert event.document == ("deal", "42")
    assert event.params == {"sum": "123.45|RUB", "who": "user_23", "Название": "Ёлка & Сын"}
    assert (event.entity_type_id, event.action, event.name) == (2, "robot", "robot.send_contract")
    assert (event.domain, event.member_id) == ("some-domain.bitrix24.com", MEMBER)
    assert event.time == "2025-12-18T08:38:45Z"
    log = capsys.readouterr().out
    assert counted(log) == {"received": 1, "published": 1}
    assert '"event_name":"robot.send_contract"' in log


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
@pytest.mark.parametrize("encoded", [True, False])
def test_each_recorded_request_is_published(portal, name, encoded):
    """Each of the 20 recorded requests is an event of its document, without its credentials."""
    query, body = recorded(name)
    body = base64.b64encode(body.encode()).decode() if encoded else body
    assert portal.ask(robot_request(query, body) | {"isBase64Encoded": encoded})[0] == 200
    assert published(portal).document == DOCUMENTS[name]
    assert "fakefakefakefake" not in portal.published[0]["Message"]
    assert "fake-inbound-token" not in portal.published[0]["Message"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("02-deal-user-value", {"project_manager_id": "user_23", "chat_id": "chat1234"}),
        ("11-bizproc-activity-numerator", {"smartId": "19622", "prefix": "ЯЖ2309"}),
        ("14-unsubstituted-placeholders", {"companyName": "{{=Document:TITLE}}"}),
        ("15-value-with-ampersand", {"title": "Smith ", "Sons_": " 5 "}),
        ("16-portal-calls-itself", {"id": "777", "fields": {"COMPLETED": "Y"}}),
        ("05-lead-no-query", {}),
    ],
)
def test_typed_values_arrive_as_the_portal_sent_them(portal, name, params):
    """Values are text, whatever they mean; names in brackets nest as in any form."""
    assert portal.ask(robot_request(*recorded(name)))[0] == 200
    assert published(portal).params.items() >= params.items()
    assert json.loads(portal.published[0]["Message"])["data"]["payload"].items() >= params.items()


def test_the_sample_request_is_a_robots(portal, load_event):
    """The request of `events/` that a developer can try is accepted like a portal's."""
    assert portal.ask(load_event("http_robot"))[0] == 200
    assert published(portal).name == "robot.start_from_robot"
    assert published(portal).params == load("sqs_robot_called").params


def test_the_domain_of_an_on_premise_portal_is_passed_on(portal):
    """A portal of its own may have a port, and a name that no cloud portal has."""
    body = "document_id=DEAL_42&auth[domain]=portal.example.org%3A8443"
    assert portal.ask(robot_request(body=body))[0] == 200
    assert published(portal).domain == "portal.example.org:8443"


ELSEWHERE = {
    "no secret": robot_request(secret=""),
    "wrong secret": robot_request(secret=SECRET[:-1]),
    "another case": robot_request(secret=SECRET.upper()),
    "portal's name instead": robot_request(secret="main"),
    "another portal's": robot_request(portal="shop"),
    "a portal that is not there": robot_request(portal="nowhere"),
    "no portal": robot_request(portal=""),
    "in the query": robot_request(f"secret={SECRET}", secret="x"),
    "in the body": robot_request(body=f"{DEAL_42}&secret={SECRET}", secret="x"),
    "in a header": {
        **robot_request(secret="x"),
        "headers": {"content-type": "application/x-www-form-urlencoded", "x-secret": SECRET},
    },
    "as the name": robot_request(secret="send_contract", name=SECRET),
    "encoded twice": robot_request(secret=quote(SECRET).replace("f", "%66")),
    "an application's token": robot_request(secret=TOKEN),
    "no parameters": {**robot_request(), "pathParameters": None},
    "odd parameters": {**robot_request(), "pathParameters": {"portal": ["main"], "secret": 5}},
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_an_address_that_is_not_a_robots_is_refused_with_one_answer(portal, capsys, case):
    """Every reason has the same answer, is counted by route, and tells nothing of the address."""
    assert portal.ask(ELSEWHERE[case]) == (
        401,
        {"error": "not_verified", "message": "the address is not one of this relay's robots"},
    )
    log = capsys.readouterr().out
    assert counted(log) == {"received": 1, "refused_not_verified": 1, "robots_refused": 1}
    assert '"route":"/robot/{portal}/{secret}/{name}"' in log
    for word in (SECRET, SECRET[:-1], "send_contract", "nowhere", TOKEN):
        assert word not in plain(log)
    assert not portal.published + portal.sent


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (robot_request(secret="old"), 200),
        (robot_request(method="PUT"), 405),
        (robot_request(method="HEAD", secret="x"), 405),
        ({**robot_request(), "requestContext": {}}, 405),
        ({**robot_request(), "requestContext": None}, 405),
        (robot_request(method="GET", body=None), 400),
        (robot_request("a=1", method="GET", body=None), 400),
        (robot_request(DEAL_42, method="GET", body=None), 200),
        (robot_request("document_id=DEAL_42", method="GET", body=None), 200),
        (robot_request("document_id=42", method="GET", body=None), 400),
        ({**robot_request(method="GET", body=None), "headers": {}}, 400),
        (robot_request(body=""), 400),
        (robot_request(body="document_id=DEAL_42"), 200),
        (robot_request(body="document_id[]=crm&document_id[]=x"), 400),
        (robot_request(body=f"document_id[0]=crm&document_id[2]={SECRET}"), 400),
        (robot_request(body=f"document_id[0]={SECRET}&document_id[2]=DEAL_1"), 200),
        (robot_request(body=f"{DEAL_42}&x={'y' * 241 * 1024}"), 413),
        (robot_request("&".join(f"a{n}={'%01' * 800}" for n in range(60))), 413),
        ({**robot_request(), "headers": {"content-type": "application/json"}}, 415),
        ({**robot_request(), "isBase64Encoded": True, "body": "="}, 400),
        (robot_request(name="Send-Contract"), 200),
        (robot_request(name="a" * 51), 400),
        (robot_request(name="договор"), 400),
        (robot_request(name=SECRET), 400),
        (robot_request(name="no_reaction_has_it"), 200),
        ({**robot_request(), "rawQueryString": None}, 200),
        (robot_request("\ud800=\ud800&%zz=%ff"), 200),
    ],
)
def test_each_odd_call_has_its_answer(portal, capsys, request_, status):
    """An odd call is refused with a code and a sentence, or published."""
    answered, answer = portal.ask(request_)
    assert answered == status
    assert (set(answer) == {"id"}) if status == 200 else (set(answer) == {"error", "message"})
    assert len(portal.published) == (status == 200)
    assert SECRET not in plain(capsys.readouterr().out)


texts = st.text(max_size=30)
pieces = texts | st.sampled_from(
    [SECRET, "main", "document_id[2]=DEAL_7", "&", "=", "%", "#", "+", "[", "]", "auth[member_id]"]
)
BODIES = st.binary(max_size=60) | st.just(DEAL_42.encode())
REQUESTS = st.builds(
    lambda query, body, method, media, path: (
        robot_request("".join(query), base64.b64encode(body).decode(), method)
        | {"pathParameters": {"portal": "main", "secret": SECRET, "name": "x"} | path}
        | {"headers": {"content-type": media}, "isBase64Encoded": True}
    ),
    query=st.lists(pieces, max_size=6),
    body=BODIES,
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS"]),
    media=texts | st.just("application/x-www-form-urlencoded"),
    path=st.fixed_dictionaries(
        {},
        optional={"portal": pieces, "secret": pieces, "name": pieces, "x": texts},
    ),
)


@given(request_=REQUESTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)
def test_any_address_and_body_get_a_defined_answer(portal, capsys, request_):
    """Any path, query and body get one of the seven answers, and the secret is repeated nowhere."""
    portal.published.clear()
    status, answer = portal.ask(request_)
    assert status in STATUSES
    written = capsys.readouterr().out + json.dumps([answer, portal.published], default=str)
    assert SECRET not in plain(written)
    for message in portal.published:
        assert Event.from_cloudevent(json.loads(message["Message"])).document


def test_the_secret_in_a_parameter_does_not_travel(portal):
    """A parameter that holds a secret of the portal is left out; the others arrive."""
    query = f"a=x{SECRET}y&{SECRET}=1&b[c]={SECRET}&d[]=old&d[]=1&e=1&token=t"
    assert portal.ask(robot_request(query))[0] == 200
    assert published(portal).params == {"b": {}, "d": ["1"], "e": "1"}
    auth = f"auth[domain]={SECRET}&auth[member_id]={MEMBER}"
    assert portal.ask(robot_request(body=f"document_id=DEAL_42&{auth}"))[0] == 200
    assert (published(portal).domain, published(portal).member_id) == (None, MEMBER)


def test_the_document_is_no_parameter(portal):
    """A document in the address is not among the parameters; one in the form counts more."""
    assert portal.ask(robot_request("document_id=DEAL_7&a=1"))[0] == 200
    assert (published(portal).document, published(portal).params) == (("deal", "42"), {"a": "1"})
    assert portal.ask(robot_request("document_id=DEAL_7&a=1", method="GET", body=None))[0] == 200
    assert (published(portal).document, published(portal).params) == (("deal", "7"), {"a": "1"})

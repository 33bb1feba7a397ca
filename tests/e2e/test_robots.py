"""A deal is dragged to a stage with a robot: portal, address, event, reaction, portal."""

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

import pytest

from relay.event import ROBOT_WINDOW_SECONDS, robot_call_id
from relay.ingress.recognise import iso
from tests.e2e.conftest import FORM
from tests.plain import plain
from tests.robots import DEAL_42
from tests.samples import load

ROBOT = "start_from_robot"


@pytest.fixture(scope="module")
def secret(relay):
    """Return the secret of the portal's robots."""
    ssm = relay.aws.client("ssm")
    name = "/relay/relay/robots/main"
    return ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"].strip()


def address(relay, secret, name=ROBOT, portal="main"):
    """Return a robot's address."""
    return f"{relay.stack.hook_url.removesuffix('/bitrix24')}/robot/{portal}/{secret}/{name}"


def ask(url, body, method="POST", content_type=FORM):
    """Return status and JSON of a request to an address."""
    headers = {"content-type": content_type}
    request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read() or b"{}")


def comments(relay, deal):
    """Return the comments in a deal's timeline."""
    entity = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}
    found = relay.portal.call("crm.timeline.comment.list", filter=entity)
    return [one["COMMENT"] for one in found]


def robots_calls(relay, deal):
    """Return how many calls the portal's robots have made for a deal."""
    events = relay.portal.admin("events", "GET")
    return sum(
        (one["event"], one["subject"]) == (f"robot.{ROBOT}", f"deal/{deal}") for one in events
    )


@pytest.fixture
def robot(relay, secret):
    """Put a robot on a stage of deals; it is removed after the test."""
    made = []

    def put(stage, query):
        handler = f"{address(relay, secret)}?{query}"
        made.append(relay.portal.admin("robots", stage=stage, handler=handler)["id"])

    yield put
    for number in made:
        relay.portal.admin(f"robots?id={number}", "DELETE")


def dead_letters(relay):
    """Return the subject and the reason of each dead letter of the reaction."""
    url = relay.stack.resources["StartFromRobotDeadLetters"]
    found = relay.aws.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        WaitTimeSeconds=1,
        MessageAttributeNames=["reason"],
    )
    return [
        (json.loads(letter["Body"])["subject"], letter["MessageAttributes"]["reason"])
        for letter in found.get("Messages", [])
    ]


TITLE = "Ёлка & Сын = 5 #2 + 1"
LONG = "x" * 9_000
MAX_HEAD_BYTES = 10_240  # of an HTTP API: the request's line and the values of its headers


def test_a_deal_dragged_to_a_stage_with_a_robot_starts_one_run(relay, robot, await_until):
    """The reaction writes what was typed, once, though each call comes twice."""
    robot(
        "EXECUTING",
        "sum={=Document:OPPORTUNITY}&who={=Document:ASSIGNED_BY_ID}&people={=Document:OBSERVERS}"
        "&empty={{}}&nothing={{Nothing}}&title={{=urlencode({=Document:TITLE})}}"
        "&long={=Document:COMMENTS}&raw={=Document:TITLE}",
    )
    fields = {"title": TITLE, "opportunity": 1234.5, "assignedById": 2, "comments": LONG}
    fields["observers"] = [1, 2]
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]
    relay.portal.admin("settings", "PATCH", events={"doubling": 1})
    relay.portal.call("crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "EXECUTING"})
    relay.portal.admin("settings", "PATCH", events={"doubling": 0})
    (comment,) = await_until(lambda: comments(relay, deal), 60)
    lines = dict(line.split(": ", 1) for line in comment.splitlines()[1:])
    assert lines.pop("long") == LONG
    assert lines == {
        "sum": "1234.5|EUR",
        "who": "user_2",
        "people": "user_1, user_2",
        "empty": "{{}}",
        "nothing": "{{Nothing}}",
        "title": TITLE,
        "raw": "Ёлка ",
        "Сын_": " 5 ",
    }
    await_until(lambda: robots_calls(relay, deal) == 2)
    await_until(lambda: not relay.messages("StartFromRobotQueue"))
    assert len(comments(relay, deal)) == 1
    assert not [reason for item, reason in dead_letters(relay) if item == f"deal/{deal}"]


def test_equal_calls_have_one_effect(relay, secret, await_until):
    """However often a call is repeated at once, from however many clients, one comment is made."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": "a"})["item"]["id"]
    url = f"{address(relay, secret)}?{urlencode({'a': 'Ёлка & Сын', 'b': '+#'})}"
    body = DEAL_42.replace("DEAL_42", f"DEAL_{deal}")
    body = body.partition("&auth")[0].encode()  # the simulated portal has another member id
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: ask(url, body), range(12)))
    assert {status for status, _ in answers} == {200}
    assert len({answer["id"] for _, answer in answers}) <= 2  # copies of ingress, and an edge
    await_until(lambda: comments(relay, deal), 60)
    await_until(lambda: not relay.messages("StartFromRobotQueue"))
    assert comments(relay, deal) == ["A robot called.\na: Ёлка & Сын\nb: +#"]


def send_exactly(url, body, size):
    """Send a call whose line and header values have this size; return its text and the status."""
    parts = urlsplit(url)
    headers = {"Host": parts.netloc, "Content-Type": FORM, "Content-Length": str(len(body))}
    path = parts.path[parts.path.index("/robot/") :]  # the embedded AWS has APIs below a path
    head = f"POST {path}?long= HTTP/1.1" + "".join(headers.values())
    text = "x" * (size - len(head))
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.putrequest(
        "POST", f"{parts.path}?long={text}", skip_host=True, skip_accept_encoding=True
    )
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return text, status


def test_the_longest_address_that_the_gateway_takes_arrives_whole(relay, secret, await_until):
    """Line and header values of 10,240 bytes reach the reaction; one more is no event at all."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": "a"})["item"]["id"]
    body = DEAL_42.replace("DEAL_42", f"DEAL_{deal}").partition("&auth")[0].encode()
    url = address(relay, secret)
    text, status = send_exactly(url, body, MAX_HEAD_BYTES)
    assert status == 200
    assert len(text) > 9_900
    assert send_exactly(url, body, MAX_HEAD_BYTES + 1)[1] == 414
    await_until(lambda: comments(relay, deal), 60)
    await_until(lambda: not relay.messages("StartFromRobotQueue"), 60)
    assert comments(relay, deal) == [f"A robot called.\nlong: {text}"]


def test_equal_calls_on_both_sides_of_an_edge_have_one_effect(relay, await_until):
    """Events of two copies of ingress, 2 s apart with an edge between them, make one comment."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": "a"})["item"]["id"]
    edge = time.time() // ROBOT_WINDOW_SECONDS * ROBOT_WINDOW_SECONDS
    topic = relay.stack.outputs["EventsTopicArn"]
    for at in (edge - 1, edge + 1):
        event_id = robot_call_id(f"main.robot.{ROBOT}.edge{deal}", at)
        event = replace(load("sqs_robot_called"), id=str(deal), event_id=event_id, time=iso(at))
        relay.aws.client("sns").publish(TopicArn=topic, Message=event.to_json())
    (comment,) = await_until(lambda: comments(relay, deal), 60)
    await_until(lambda: not relay.messages("StartFromRobotQueue"), 60)
    assert comments(relay, deal) == [comment]


@pytest.mark.parametrize(
    ("path", "method", "body", "content_type", "status"),
    [
        ({"secret": "x"}, "POST", DEAL_42.encode(), FORM, 401),
        ({"portal": "nowhere"}, "POST", DEAL_42.encode(), FORM, 401),
        ({"secret": "x"}, "GET", None, FORM, 401),
        ({}, "GET", None, FORM, 400),
        ({}, "POST", b"", FORM, 400),
        ({}, "PUT", DEAL_42.encode(), FORM, 405),
        ({}, "DELETE", None, FORM, 405),
        ({}, "POST", b"{}", "application/json", 415),
        ({}, "POST", b"x=" + b"y" * 241 * 1024, FORM, 413),
        ({"name": "%D1%82"}, "POST", b"document_id=DEAL_1", FORM, 400),
    ],
)
def test_what_is_no_robots_call_is_refused(relay, secret, path, method, body, content_type, status):  # noqa: PLR0913, PLR0917
    """Over real HTTP each bad call has its own status and nothing is published."""
    url = address(relay, **({"secret": secret} | path))
    answered, answer = ask(url, body, method, content_type)
    assert (answered, "id" in answer) == (status, False)


ALPHABET = "ab0-_.~!$&'()*+,;=:@%#?[]{} ёЁ\x01\x7f😀"


def test_any_address_and_body_get_a_defined_answer(relay, secret):
    """Through HTTP and gateway any last parts, query and body get one of the seven answers."""
    dice = random.Random(16)

    def text(most):
        return "".join(dice.choices(ALPHABET, k=dice.randint(1, most)))

    statuses = Counter()
    for _ in range(80):
        path = {"secret": dice.choice([secret, quote(text(20), safe="")])}
        path |= {"name": dice.choice(["nobody_hears_it", quote(text(20), safe="")])}
        query = quote(text(200), safe="&=[]%+")
        body = dice.choice([DEAL_42.partition("&auth")[0], text(100)]).encode()
        method = dice.choice(["POST", "GET", "PUT"])
        url = f"{address(relay, **path)}?{query}"
        statuses[ask(url, body, method, dice.choice([FORM, FORM, "text/plain"]))[0]] += 1
    assert statuses.keys() <= {200, 202, 400, 401, 405, 413, 415}
    assert statuses.keys() >= {200, 400, 401, 405, 415}


@pytest.mark.usefixtures("without_topic")
def test_a_call_is_spilled_while_sns_fails_and_published_after(relay, secret, await_until):
    """Ingress that can't publish answers 202; republish publishes the call."""
    body = b"document_id=DEAL_777777"
    assert ask(f"{address(relay, secret, 'spilled_robot')}?a=1", body)[0] == 202
    await_until(
        lambda: '"event_name":"robot.spilled_robot"' in relay.log("robot.spilled_robot"), 60
    )
    await_until(lambda: relay.messages("SpillQueue") == 0)


def test_the_secret_is_nowhere_outside_of_parameter_store(relay, secret, await_until):
    """After all of the above it is in no log, table, queue or message, decoded and decompressed."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": "a"})["item"]["id"]
    query = f"a={secret}&{quote(secret)}=1&b=2&auth[member_id]={secret}"
    assert ask(f"{address(relay, secret)}?{query}", f"document_id=DEAL_{deal}".encode())[0] == 200
    (comment,) = await_until(lambda: comments(relay, deal), 60)
    assert comment == "A robot called.\nb: 2"
    assert ask(f"{address(relay, secret=ROBOT, name=secret)}?x={secret}", b"")[0] == 401
    stored = relay.log().splitlines()
    dynamodb, sqs = relay.aws.client("dynamodb"), relay.aws.client("sqs")
    tables = dynamodb.list_tables()["TableNames"]
    assert len(tables) >= 2
    for table in tables:
        pages = dynamodb.get_paginator("scan").paginate(TableName=table)
        stored += [plain(item) for page in pages for item in page["Items"]]
    for url in sqs.list_queues()["QueueUrls"]:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        stored += [plain(one) for one in received.get("Messages", [])]
    stored.append(plain(relay.portal.admin("events", "GET")))
    stored.append(plain(relay.portal.admin("strip?limit=400", "GET")))
    assert sum(map(len, stored)) > 10_000
    assert not [text for text in stored if secret in text]

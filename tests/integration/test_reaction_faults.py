"""What a reaction can do wrong, or lack: from an SQS batch to a portal over HTTP and what is left.

In every batch there is a record that nothing is wrong with: it is handled, and not a second time.
Queues, table and secrets are moto's.
"""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.portal.server import PortalServer
from relay import settings
from relay.change import Change
from relay.portal import Portal
from relay.portal.webhook_state import forget
from relay.reaction import reaction
from relay.reactions import post_json
from tests.samples import change_of

SHORT = 0.8  # seconds of a function
BAD, GOOD = "1", "2"  # deals of the portal
CHANGE = change_of("deal/1", id=BAD)
FINE = replace(CHANGE, change_id="main.deal.2.b.2", id=GOOD)
SECRET = "s3cr3ts3cr3ts3cr"
COMMENT = "crm.timeline.comment.add"
DENIED = (
    "Current authorization type is denied for this method; "
    "only an application may call this method, no webhook may"
)


@pytest.fixture(scope="module")
def server():
    """Start a portal without limits, once: starting costs more than a test."""
    with PortalServer(secret=SECRET, limits=False) as started:
        yield started


class Stack:
    """A reaction's queues and what stands in the log."""

    def __init__(self, server, capsys):
        self.portal, self.url, self._capsys = server.portal, server.webhook_url, capsys
        self.sqs, self.ssm = boto3.client("sqs"), boto3.client("ssm")
        self.queue = self.sqs.create_queue(QueueName="queue")["QueueUrl"]
        self.dead_letters = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.store("webhook-urls/write/main", self.url)

    def store(self, name, value):
        """Store a secret."""
        self.ssm.put_parameter(Name=f"/relay/test/{name}", Value=value, Type="SecureString")

    def deliver(self, react, *bodies, seconds=20.0):
        """Run a reaction's handler for a batch from the queue; returns the bodies that come back.

        Those that it takes are deleted, as Lambda does.
        """
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        found = self.sqs.receive_message(
            QueueUrl=self.queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            for message in found["Messages"]
        ]
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000)
        answer = react.handler({"Records": records}, context)
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in back:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=record["receiptHandle"])
        return [record["body"] for record in records if record["messageId"] in back]

    def dead(self):
        """Return what the dead-letter queue holds of its messages: body and attributes."""
        found = self.sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (
                message["Body"],
                {k: v["StringValue"] for k, v in message["MessageAttributes"].items()},
            )
            for message in found.get("Messages", [])
        ]

    def log(self):
        """Return the lines of the log that are JSON."""
        lines = self._capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def comments(self):
        """Return the ids of the deals that have got a comment, one for each."""
        return [str(row["bindings"][0][1]) for row in self.portal.comments.walk()]


@pytest.fixture
def stack(server, monkeypatch, capsys):
    """Return the stack, with nothing known or stored from another test."""
    forget()
    settings.forget()
    for row in list(server.portal.comments.walk()):
        server.portal.comments.pop(row["id"])
    with mock_aws():
        stack = Stack(server, capsys)
        boto3.client("dynamodb").create_table(
            TableName="State",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for name, value in {
            "ALLOW_HTTP": "true",
            "STATE_TABLE": "State",
            "PORTAL_BURST": "50",
            "PORTAL_RATE": "500",
            "PORTAL_RESERVE_PERCENT": "10",
            "QUEUE_URL": stack.queue,
            "DEAD_LETTERS_URL": stack.dead_letters,
        }.items():
            monkeypatch.setenv(name, value)
        yield stack
    settings.forget()
    forget()


async def comment(change, portal):
    """Comment on the deal."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": change.id, "COMMENT": "x"}
    await portal.call(COMMENT, fields=fields)


def only(bad):
    """Return a reaction that comments, and does what it should not to one deal."""

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Comment; then do it."""
        await comment(change, portal)
        if change.id == BAD:
            await bad(change, portal)

    return tell


async def raises(_change, _portal):
    """Fail."""
    raise KeyError("title")


@reaction
async def rename(change: Change, portal: Portal) -> None:
    """Set a field of the deal."""
    await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "A"})


async def never_returns(_change, _portal):
    """Wait for what will not come."""
    await asyncio.Event().wait()


async def swallows(_change, _portal):
    """Heed no cancellation."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def blocks(_change, _portal):
    """Hold the thread."""
    time.sleep(60)  # noqa: ASYNC251  the mistake


@pytest.mark.parametrize(
    ("bad", "error", "reason"),
    [
        (raises, "KeyError", "title"),
        (never_returns, "HungError", "tell did not return within"),
        (swallows, "HungError", "tell did not return within"),
        (blocks, "HungError", "tell holds the thread"),
    ],
)
def test_a_reaction_that_fails_is_tried_again_then_put_aside(
    stack, monkeypatch, bad, error, reason
):
    """Its reason is in the log each time, and in the dead-letter queue in the end."""
    first = replace(FINE, change_id="main.deal.2.b.1", version=1)
    assert stack.deliver(only(raises), first.to_json()) == []  # the table gives slots from now on
    monkeypatch.setattr("relay.reaction.deadline.RESERVE_SECONDS", 0.3)
    monkeypatch.setattr("relay.portal.sending.MIN_SECONDS", 0.1)
    monkeypatch.setattr("relay.retry_policy.ATTEMPTS", 2)
    monkeypatch.setattr("relay.retry_policy.FIRST_RETRY_SECONDS", -2)  # visible at once
    tell = only(bad)
    back = stack.deliver(tell, CHANGE.to_json(), FINE.to_json(), seconds=SHORT)
    assert back == [CHANGE.to_json()]
    (line,) = [entry for entry in stack.log() if entry.get("message") == "comes back"]
    assert line["error"] == error
    assert reason in line["reason"]
    assert bad in {never_returns, swallows} or f"in {bad.__name__}" in line["exception"]
    assert stack.deliver(tell, seconds=SHORT) == []
    ((body, cause),) = stack.dead()
    assert body == CHANGE.to_json()
    assert cause["error"] == error
    assert reason in cause["reason"]
    assert sorted(stack.comments()) == [BAD, GOOD, GOOD]


async def calls_what_is_the_applications(_change, portal):
    """Call what no webhook may."""
    await portal.call("event.bind", event="ONCRMDEALADD", handler="https://x.example")


async def writes_to_what_is_gone(change, portal):
    """Write to the deal, which a person has just deleted."""
    await portal.call("crm.item.update", entityTypeId=2, id=9999, fields={"title": change.id})


@pytest.mark.parametrize(
    ("bad", "code", "reason"),
    [
        (
            calls_what_is_the_applications,
            "WRONG_AUTH_TYPE",
            f"event.bind: WRONG_AUTH_TYPE: {DENIED}",
        ),
        (writes_to_what_is_gone, "NOT_FOUND", "crm.item.update: NOT_FOUND: Item not found"),
    ],
)
def test_what_the_portal_will_never_do_is_put_aside_at_once(stack, bad, code, reason):
    """Log and dead-letter queue have the method and the portal's words; what to do, if need be."""
    assert stack.deliver(only(bad), CHANGE.to_json(), FINE.to_json()) == []
    ((body, cause),) = stack.dead()
    assert body == CHANGE.to_json()
    assert cause == {
        "error": "PermanentError",
        "method": reason.partition(":")[0],
        "code": code,
        "reason": reason,
    }
    (line,) = [entry for entry in stack.log() if entry.get("message") == "dead-lettered"]
    assert (line["reason"], line["subject"]) == (reason, "deal/1")
    assert sorted(stack.comments()) == [BAD, GOOD]


def reshaped(**changes):
    """Return a change of the good deal as other code might write it."""
    body = json.loads(FINE.to_json())
    data = body["data"] | changes.pop("data", {})
    return json.dumps(body | {"data": data} | changes)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hello", "Expecting value"),
        ("[]", "not a CloudEvent: list instead of an object"),
        ('{"Records": []}', "specversion is None, not 1.x"),
        (reshaped(specversion="2.0"), "specversion is 2.0, not 1.x"),
        (reshaped(specversion=2), "specversion is 2, not 1.x"),
        (reshaped(data={"version": {"major": 2}}), "version is {'major': 2}, not a number"),
        (reshaped(data={"action": "archived"}), "action is 'archived', not one of added"),
        (reshaped(id=7), "id, source, type, time (texts) and data"),
        (reshaped(data={"before": "text"}), "not a change of this relay: ValueError"),
    ],
)
def test_what_can_not_be_understood_is_put_aside(stack, body, reason):
    """It is not guessed at: newer code may know it, and the reason says so."""
    assert stack.deliver(only(raises), body, FINE.to_json()) == []
    ((dead, cause),) = stack.dead()
    assert dead == body
    assert cause["error"] == "NotOursError"
    assert reason in cause["reason"]
    assert "if newer code wrote it, deploy that, then `make redrive`" in cause["reason"]
    assert "does its Topic in template.yaml send Changes?" in cause["reason"]
    assert stack.comments() == [GOOD]


def test_what_newer_code_adds_to_a_change_is_no_obstacle(stack):
    """Fields that this code does not know pass."""
    body = reshaped(traceparent="00-1", data={"tenant": {"a": 1}})
    assert stack.deliver(only(raises), body) == []
    assert stack.comments() == [GOOD]
    assert not stack.dead()


def test_a_missing_webhook_waits_for_the_operator(stack):
    """Every record says which secret is missing and what stores it; then all of them are done."""
    stack.ssm.delete_parameter(Name="/relay/test/webhook-urls/write/main")
    other = replace(FINE, change_id="shop.deal.2.b.2", portal="shop")
    stack.store("webhook-urls/write/shop", stack.url)
    assert stack.deliver(only(raises), FINE.to_json(), other.to_json()) == [FINE.to_json()]
    (line,) = [entry for entry in stack.log() if entry.get("message") == "comes back"]
    assert line["reason"] == (
        "/relay/test/webhook-urls/write/main missing or empty in SSM Parameter Store; "
        "run `make connect`"
    )
    assert 720 <= line["seconds"] <= 900
    assert stack.comments() == [GOOD]
    stack.store("webhook-urls/write/main", stack.url)
    settings.forget()
    assert stack.deliver(only(raises), FINE.to_json()) == []
    assert stack.comments() == [GOOD, GOOD]
    assert not stack.dead()


@pytest.mark.parametrize("stored", [(), ("post-json-url",)])
def test_post_json_without_its_secrets_waits_for_the_operator(stack, stored):
    """Whoever switches it on first and stores the secrets later loses nothing."""
    for name in stored:
        stack.store(f"secrets/{name}", "https://there.example/")
    assert stack.deliver(post_json.post_json, CHANGE.to_json()) == [CHANGE.to_json()]
    (line,) = [entry for entry in stack.log() if entry.get("message") == "comes back"]
    missing = [name for name in ("post-json-url", "post-json-key") if name not in stored]
    for name in missing:
        assert f"/relay/test/secrets/{name}" in line["reason"]
    assert line["reason"].endswith("missing or empty in SSM Parameter Store; store it there")
    assert not stack.dead()


@pytest.mark.parametrize(
    ("operation", "rows", "react", "handled"),
    [
        ("BatchGetItem", "", only(raises), False),
        ("PutItem", "", only(raises), False),
        ("UpdateItem", "echo#", rename, False),
        ("UpdateItem", "slots#", only(raises), True),
    ],
)
def test_a_missing_right_on_the_table_lets_records_wait(  # noqa: PLR0913, PLR0917  what is tried
    stack, caplog, operation, rows, react, handled
):
    """The log names the right, and nothing is called; a limit that can't be shared is no reason."""
    client, right = settings.client("dynamodb"), f"dynamodb:{operation}"

    def deny(params, **_):
        if not params.get("Key", {"pk": {"S": ""}})["pk"]["S"].startswith(rows):
            return
        cause = f"User: x is not authorized to perform: {right} on resource: State"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": cause}}, operation)

    client.meta.events.register(f"provide-client-params.dynamodb.{operation}", deny)
    back = stack.deliver(react, FINE.to_json())
    log = caplog.text + json.dumps(stack.log())
    assert f"not authorized to perform: {right}" in log
    if handled:
        assert back == []
    else:
        assert back == [FINE.to_json()]
        assert not stack.comments()
        client.meta.events.unregister(f"provide-client-params.dynamodb.{operation}", deny)
        assert stack.deliver(only(raises), FINE.to_json()) == []
    assert stack.comments() == [GOOD]
    assert not stack.dead()

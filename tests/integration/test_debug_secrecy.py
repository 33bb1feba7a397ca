"""With everything at DEBUG, nothing that is written down holds a token or a webhook's secret."""

import asyncio
import base64
import io
import json
import logging
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from relay import settings
from relay.errors import TransientError
from relay.ingress import app, republish
from relay.ingress.robot_cache import RobotCache
from relay.ingress.tokens import TokenCache
from relay.portal import Portal, Webhook
from tests.conftest import TOKEN
from tests.plain import plain
from tests.robots import DEAL_42, robot_request
from tests.robots import SECRET as ROBOT_SECRET

SECRET = "s3cr3ts3cr3ts3cr"
URL = f"http://127.0.0.1:9/rest/7/{SECRET}/"  # nobody listens there


@pytest.fixture
def debug(monkeypatch):
    """Return what is logged by all, at DEBUG, as a developer would switch it on."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    with mock_aws():
        settings.forget()
        ssm, sqs = boto3.client("ssm"), boto3.client("sqs")
        for name, value in {
            "application-tokens/main": TOKEN,
            "webhook-urls/write/main": URL,
            "secrets/post-json-key": SECRET,
            "robots/main": ROBOT_SECRET,
        }.items():
            ssm.put_parameter(Name=f"/relay/test/{name}", Value=value, Type="SecureString")
        queue = sqs.create_queue(QueueName="spill")["QueueUrl"]
        monkeypatch.setenv("SPILL_QUEUE_URL", queue)
        monkeypatch.setenv("QUEUE_URL", queue)
        monkeypatch.setenv("DEAD_LETTERS_URL", queue)
        monkeypatch.setenv("EVENTS_TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:none")
        monkeypatch.setattr(app, "token_cache", TokenCache())
        monkeypatch.setattr(republish, "token_cache", TokenCache())
        monkeypatch.setattr(app, "robot_cache", RobotCache())
        monkeypatch.setattr(republish, "robot_cache", RobotCache())
        botocore = logging.getLogger("botocore")
        before = botocore.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        botocore.setLevel(logging.DEBUG)  # boto3.set_stream_logger("botocore") does it
        yield written
        root.removeHandler(handler)
        root.setLevel(level)
        botocore.setLevel(before)
        settings.forget()


def call_robots():
    """Let each path of a robot's call be taken: spilled, republished, refused in many ways."""
    context = SimpleNamespace(aws_request_id="i")
    for request, status in (
        (robot_request("a=1"), 202),
        (robot_request(DEAL_42, method="GET", body=None), 202),
        (robot_request(secret=ROBOT_SECRET[:-1] + "x", name=ROBOT_SECRET), 401),
        (robot_request(portal=ROBOT_SECRET, secret="x"), 401),
        (robot_request(f"document_id={ROBOT_SECRET}", method="GET", body=None), 400),
        (robot_request(name=ROBOT_SECRET), 400),
        (robot_request(method="PUT"), 405),
        (robot_request(body="x" * 300_000), 413),
        (robot_request() | {"headers": {"content-type": ROBOT_SECRET}}, 415),
    ):
        assert app.handler(request, context)["statusCode"] == status
    queue = boto3.client("sqs").receive_message(
        QueueUrl=settings.read("QUEUE_URL")[0], MaxNumberOfMessages=10
    )
    bodies = [message["Body"] for message in queue["Messages"]]
    assert any("pathParameters" in body for body in bodies)
    for body in bodies:
        assert ROBOT_SECRET not in plain(body)
    records = [{"messageId": str(n), "receiptHandle": "r", "body": b} for n, b in enumerate(bodies)]
    republish.handler({"Records": records}, None)


def test_nothing_is_written_down_at_debug(debug, request_of, capsys):
    """Spilling, republishing, reading each kind of secret and calling a portal say none of them."""
    body = f"event=A&auth[application_token]={TOKEN}"
    for encoded in (False, True):
        text = base64.b64encode(body.encode()).decode() if encoded else body
        request = request_of(text, isBase64Encoded=encoded)
        assert app.handler(request, SimpleNamespace(aws_request_id="i"))["statusCode"] == 202
        record = {"messageId": "m", "receiptHandle": "r", "body": json.dumps(request)}
        assert republish.handler({"Records": [record]}, None)["batchItemFailures"]
    forged = json.dumps(request_of(body.replace(TOKEN, TOKEN + "x")))
    records = [
        {"messageId": name, "receiptHandle": "r", "body": text}
        for name, text in (("m", forged), ("n", body))
    ]
    republish.handler({"Records": records}, None)
    call_robots()
    assert settings.webhook_url("write", "main") == URL
    assert settings.own_secrets("post-json-key") == [SECRET]
    portal = Portal(Webhook.parse(URL, allow_http=True))
    with pytest.raises(TransientError):
        asyncio.run(portal.call("profile"))
    written = debug.getvalue() + "".join(capsys.readouterr())
    assert "spilled" in written
    text = plain(written)
    for secret in (TOKEN, SECRET, ROBOT_SECRET):
        assert secret not in text

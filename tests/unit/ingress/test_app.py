"""relay.ingress.app: the answer to each request, and what is published, spilled and logged."""

import base64
import gc
import importlib
import json
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay import settings as relay_settings
from relay.ingress import app
from relay.ingress.tokens import REFRESH_SECONDS
from tests.conftest import DATA, TOKEN
from tests.ingress_aws import DEAL_ADD, DOWN, HANGS, TOPIC, counted


def test_a_verified_event_is_published_once(aws, request_of, capsys):
    """A recorded request becomes one message on the topic."""
    assert aws.ask(request_of(DEAL_ADD)) == (200, {"id": "main.deal.6641.add"})
    (message,) = aws.published
    assert message.keys() == {"TopicArn", "Message"}
    assert message["TopicArn"] == TOPIC
    assert json.loads(message["Message"])["subject"] == "deal/6641"
    assert not aws.sent
    assert counted(capsys.readouterr().out) == {"received": 1, "published": 1}


def test_portals_that_share_a_stack_are_groups_of_their_own(aws, request_of):
    """A group makes queues fair, and is billed: the only portal of a stack has none."""
    aws.tokens["shop"] = "another"
    assert aws.ask(request_of(DEAL_ADD))[0] == 200
    assert aws.published[0]["MessageGroupId"] == "main"


def test_no_credential_travels_on(aws, request_of, capsys):
    """Neither the application's OAuth tokens nor the application token are published or logged."""
    body = (DATA / "wire" / "ONCRMCONTACTADD.txt").read_text("utf-8")
    assert aws.ask(request_of(body))[0] == 200
    written = aws.published[0]["Message"] + capsys.readouterr().out
    assert TOKEN not in written
    assert "fakeaccess" not in written


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 400),
        ("event=", 400),
        ("event[]=A", 400),
        ("event=A", 401),
        ("event=A&auth=x", 401),
        ("event=A&auth[]=x", 401),
        ("event=A&auth[application_token]=", 401),
        (f"event=A&auth[application_token]={TOKEN[:-1]}", 401),
        ("event=A&auth[application_token]=%D1%82", 401),
        (f"event=A&auth[application_token][]={TOKEN}", 401),
        (f"event=A&auth[application_token]=x&auth[application_token]={TOKEN}", 200),
        (f"event=A&auth[application_token]={TOKEN}&auth[application_token]=x", 401),
        (f"event=A&auth[application_token]={TOKEN}&data=5", 200),
        (f"event=A&auth[application_token]={TOKEN}&data[T]=%ED%A0%80%00%zz", 200),
        (f"event=A&auth[application_token]={TOKEN}&auth[domain]=", 200),
        ("&".join(f"k{n}=1" for n in range(10_001)), 400),
        (
            "event=A&"
            + "&".join(f"data[{n}]=1" for n in range(12_000))
            + f"&auth[application_token]={TOKEN}",
            200,
        ),
        (f"event=A&data{'[a]' * 100}=1&auth[application_token]={TOKEN}", 200),
        ("event=A&x=" + "y" * 241 * 1024, 413),
        ("event=A&x=" + "y" * 1_000_000, 413),
    ],
)
def test_each_odd_request_has_its_answer(aws, request_of, capsys, body, code):
    """An odd request is refused with a code and a sentence, or published; no exception leaves."""
    status, answer = aws.ask(request_of(body))
    assert status == code
    assert (set(answer) == {"id"}) if code == 200 else (set(answer) == {"error", "message"})
    assert len(aws.published) == (code == 200)
    assert counted(capsys.readouterr().out)["received"] == 1


def test_every_unverified_request_gets_the_same_answer(aws, request_of):
    """A missing, a malformed and a wrong token get one and the same answer."""
    bodies = ["event=A", "event=A&auth=x", "event=A&auth[application_token]=нет"]
    answers = {json.dumps(aws.ask(request_of(body))) for body in bodies}
    assert len(answers) == 1


def test_an_event_is_spilled_while_there_is_no_token(aws, request_of, capsys):
    """Without any token requests are spilled, and the log names the parameter and the command."""
    aws.tokens = {}
    assert aws.ask(request_of(DEAL_ADD))[0] == 202
    log = capsys.readouterr().out
    assert "/relay/test/application-tokens/<portal> missing" in log
    assert "make connect" in log


def test_a_hanging_ssm_slows_one_forged_request_in_seconds(aws, request_of):
    """While SSM hangs, 600 forged requests in a minute cause at most 6 reads."""
    aws.ask(request_of(DEAL_ADD))
    reads = aws.reads
    aws.failing["ssm"] = HANGS
    forged = request_of("event=A&auth[application_token]=forged")
    for second in range(10, 70):
        aws.now = second
        for _ in range(10):
            assert aws.ask(forged)[0] in {202, 401}
    assert aws.reads - reads <= 6


def test_a_stored_token_counts_within_seconds_under_a_flood(aws, request_of):
    """Forged requests ten times a second do not delay the read that finds a new token."""
    aws.ask(request_of(DEAL_ADD))
    forged = request_of("event=A&auth[application_token]=forged")
    new = request_of(DEAL_ADD.replace(TOKEN, "new"))
    assert aws.ask(new)[0] == 401
    for tenth in range(1, 600):
        aws.now = tenth / 10
        assert aws.ask(forged)[0] == 401
    aws.tokens = {"main": f"new\r\n{TOKEN}\r\n"}
    aws.now += REFRESH_SECONDS
    assert aws.ask(new)[0] == 200
    assert aws.ask(request_of(DEAL_ADD))[0] == 200


def test_a_rotated_token_is_accepted_at_once(aws, request_of):
    """A token that was stored after the last read is accepted by its first request."""
    assert aws.ask(request_of(DEAL_ADD))[0] == 200
    aws.tokens, aws.now = {"main": f"{TOKEN}\nnew"}, REFRESH_SECONDS
    body = DEAL_ADD.replace(TOKEN, "new")
    assert aws.ask(request_of(body))[0] == 200
    assert aws.ask(request_of(DEAL_ADD))[0] == 200


def test_an_event_that_can_not_be_kept_is_answered_503(aws, request_of, capsys):
    """A request is answered 503 and counted as lost only where SNS and SQS both fail."""
    aws.failing = {"sns": HANGS, "sqs": DOWN}
    status, answer = aws.ask(request_of(DEAL_ADD))
    assert (status, answer["error"]) == (503, "unavailable")
    assert counted(capsys.readouterr().out) == {"received": 1, "lost": 1}


@given(body=st.binary(max_size=400), encoded=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)
def test_any_bytes_get_a_defined_answer(aws, request_of, capsys, body, encoded):
    """Any bytes, with a valid token before them or without, get one of the six answers."""
    for prefix in (b"", f"auth[application_token]={TOKEN}&".encode()):
        text = prefix + body
        text = base64.b64encode(text).decode() if encoded else text.decode("latin-1")
        assert aws.ask(request_of(text, isBase64Encoded=encoded))[0] in {
            200,
            202,
            400,
            401,
            413,
            415,
        }
    capsys.readouterr()


def test_init_in_lambda_is_ready_for_the_first_request(monkeypatch, capsys):
    """Lambda's init reads the tokens and makes SNS's client; a missing setting is logged."""
    asked = []
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "ingress")
    monkeypatch.setattr(relay_settings, "client", asked.append)
    monkeypatch.setattr(app, "token_cache", SimpleNamespace(tokens=lambda: asked.append("tokens")))
    app.warm_up()
    assert asked == ["tokens", "sns"]
    monkeypatch.delenv("SECRETS_PREFIX")
    importlib.reload(app)
    gc.unfreeze()
    assert gc.isenabled()
    assert "SECRETS_PREFIX not set" in capsys.readouterr().out

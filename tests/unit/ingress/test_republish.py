"""relay.ingress.republish: spilled requests are verified and published later."""

import base64
import json

import pytest

from relay.ingress.tokens import MAX_SPILLED
from relay.secret_cache import RETRY_SECONDS
from tests.conftest import TOKEN
from tests.ingress_aws import DEAD, DEAL_ADD, DENIED, DOWN, HANGS, THROTTLED, counted


@pytest.mark.parametrize("trouble", [DOWN, HANGS, THROTTLED, DENIED])
def test_an_event_that_can_not_be_published_is_spilled_and_republished(
    aws, request_of, capsys, trouble
):
    """Whatever SNS's error is, the request is spilled whole, waits, and is published later."""
    aws.failing["sns"] = trouble
    request = request_of(base64.b64encode(DEAL_ADD.encode()).decode(), isBase64Encoded=True)
    assert aws.ask(request) == (202, {"id": "request-1"})
    assert counted(capsys.readouterr().out) == {"received": 1, "spilled": 1}
    (spilled,) = aws.sent
    assert aws.republish(spilled["MessageBody"]) == [0]
    assert 12 <= aws.waits[0] <= 16
    counts = counted(capsys.readouterr().out)
    assert counts["waiting"] == 1
    assert not [name for name in counts if name.startswith("refused_")]
    del aws.failing["sns"]
    assert aws.republish(spilled["MessageBody"]) == []
    (message,) = aws.published
    aws.published.clear()
    aws.ask(request)
    assert message == aws.published[0]


def test_an_event_is_spilled_while_ssm_is_down_and_the_cache_empty(aws, request_of, capsys):
    """A request that can't be verified is not published until SSM answers again."""
    aws.failing["ssm"] = DOWN
    assert aws.ask(request_of(DEAL_ADD)) == (202, {"id": "request-1"})
    spilled = aws.spilled()
    assert aws.republish(spilled) == [0]
    del aws.failing["ssm"]
    aws.now = 60
    assert aws.republish(spilled) == []
    assert len(aws.published) == 1
    assert "EndpointConnectionError" in capsys.readouterr().out


def test_a_forged_request_is_spilled_too_but_never_published(aws, request_of, capsys):
    """A spilled request whose token proves unknown goes to the dead-letter queue."""
    tokens, aws.tokens = aws.tokens, {}
    aws.ask(request_of("event=A&auth[application_token]=forged"))
    aws.tokens, aws.now = tokens, 60
    spilled = aws.spilled()
    assert aws.republish(spilled) == []
    assert not aws.published
    (dead,) = aws.sent
    assert (dead["QueueUrl"], dead["MessageBody"]) == (DEAD, spilled)
    assert "not one of" in dead["MessageAttributes"]["reason"]["StringValue"]
    assert counted(capsys.readouterr().out)["refused_not_verified"] == 1


def test_ssm_down_with_a_filled_cache_spills_a_few_unknown_tokens(aws, request_of):
    """With SSM down, known tokens are accepted and a few requests with others spilled."""
    aws.ask(request_of(DEAL_ADD))
    aws.failing["ssm"], aws.now = DOWN, 10_000
    assert aws.ask(request_of(DEAL_ADD))[0] == 200
    unknown = request_of(DEAL_ADD.replace(TOKEN, "new"))
    assert aws.ask(request_of("event=A"))[0] == 401
    statuses = [aws.ask(unknown)[0] for _ in range(100)]
    assert statuses == [202] * MAX_SPILLED + [401] * (100 - MAX_SPILLED)
    aws.now += 2 * RETRY_SECONDS
    assert aws.ask(unknown)[0] == 202

    spilled = aws.spilled()
    for _ in range(2 * MAX_SPILLED):
        assert aws.republish(spilled) == [0]
    del aws.failing["ssm"]
    aws.tokens, aws.now = {"main": f"new\n{TOKEN}"}, aws.now + 8 * RETRY_SECONDS
    assert aws.republish(spilled) == []
    assert aws.published[-1]["Message"] == aws.published[0]["Message"]


@pytest.mark.parametrize(
    "poison",
    ["", "no JSON", "[" * 100_000, "[]", "null", '"text"', "{}", '{"headers": 5, "body": [1]}'],
)
def test_a_poison_record_is_set_aside_alone(aws, request_of, capsys, poison):
    """A message that is no request is dead-lettered with its reason, its neighbours published."""
    aws.failing["sns"] = DOWN
    aws.ask(request_of(DEAL_ADD))
    good = aws.spilled()
    aws.failing.clear()
    assert aws.republish(good, poison, good) == []
    assert len(aws.published) == 2
    (dead,) = aws.sent
    assert (dead["QueueUrl"], dead["MessageBody"]) == (DEAD, poison)
    assert dead["MessageAttributes"]["reason"]["StringValue"].isprintable()
    output = capsys.readouterr().out
    assert "dead-lettered" in output
    counts = counted(output)
    refused = {name: number for name, number in counts.items() if name.startswith("refused_")}
    assert sum(refused.values()) == 1


@pytest.mark.parametrize("field", ["", "&ts=1766047124"])
def test_a_spilled_event_keeps_the_time_when_it_came(aws, request_of, field):
    """An event without the sender's `ts` has the gateway's time, however late it is published."""
    aws.failing["sns"] = DOWN
    body = f"event=ONCRMDEALUPDATE&auth[application_token]={TOKEN}{field}"
    assert aws.ask(request_of(body))[0] == 202
    aws.failing.clear()
    spilled = aws.spilled()
    assert aws.republish(spilled) == []
    time = "2025-12-18T08:38:44Z" if field else "2025-12-18T08:38:45Z"
    assert json.loads(aws.published[0]["Message"])["time"] == time


def test_what_can_not_be_put_aside_stays_spilled(aws, capsys):
    """A refused record that SQS does not take comes back after the queue's visibility timeout."""
    aws.failing["sqs"] = DOWN
    assert aws.republish("no json") == [0]
    assert "Could not connect" in capsys.readouterr().out

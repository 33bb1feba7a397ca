"""relay.ingress.app: what is answered, what is published, what is spilled, what is written down."""

import base64
import gc
import importlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay import settings as relay_settings
from relay.event import Event
from relay.ingress import app, republish
from relay.ingress.tokens import LOOK_SECONDS, MOST_DOUBTED, TokenCache
from relay.secret_cache import RETRY_SECONDS
from tests.conftest import DATA, TOKEN

TOPIC, SPILL, DEAD = "arn:aws:sns:eu-central-1:1:Events", "https://sqs/spill", "https://sqs/dead"
DOWN = EndpointConnectionError(endpoint_url="https://sns")
HANGS = ReadTimeoutError(endpoint_url="https://sns")
THROTTLED = ClientError({"Error": {"Code": "Throttled", "Message": "slow down"}}, "Publish")
DEAL_ADD = (DATA / "wire" / "ONCRMDEALADD.txt").read_text("utf-8")


class Aws:
    """SNS, SQS and SSM, each of which can be made to fail."""

    def __init__(self):
        self.tokens, self.published, self.sent, self.failing = {"main": TOKEN}, [], [], {}
        self.reads = 0
        self.waits = []

    def client(self, service):
        """Return the service that was asked for: this one is all of them."""
        self.asked = service
        return self

    def _fail(self, service):
        if service in self.failing:
            raise self.failing[service]

    def publish(self, **message):
        """Take a message, as SNS does."""
        self._fail("sns")
        self.published.append(message)

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        """Note how long records wait, as SQS does."""
        assert QueueUrl == SPILL
        self._fail("sqs")
        self.waits += [its["VisibilityTimeout"] for its in Entries]
        return {}

    def send_message(self, **message):
        """Take a message, as SQS does."""
        self._fail("sqs")
        self.sent.append(message)

    def read_tokens(self):
        """Answer as SSM does."""
        self.reads += 1
        self._fail("ssm")
        return dict(self.tokens)


@pytest.fixture
def aws(monkeypatch):
    """Put a made-up AWS behind ingress, with a fresh cache of tokens and a clock that stands."""
    aws = Aws()
    aws.now = 0.0
    cache = TokenCache(aws.read_tokens, lambda: aws.now)
    monkeypatch.setattr(app, "cache", cache)
    monkeypatch.setattr(relay_settings, "client", aws.client)
    for name, value in {
        "EVENTS_TOPIC_ARN": TOPIC,
        "SPILL_QUEUE_URL": SPILL,
        "QUEUE_URL": SPILL,
        "DEAD_LETTERS_URL": DEAD,
    }.items():
        monkeypatch.setenv(name, value)
    return aws


def ask(request):
    """Return status and answer of one request."""
    answer = app.handler(request, SimpleNamespace(aws_request_id="invocation-1"))
    assert answer["headers"] == {"content-type": "application/json"}
    return answer["statusCode"], json.loads(answer["body"])


def metrics(capsys):
    """Return what was counted, out of what was printed."""
    counted = {}
    for line in capsys.readouterr().out.splitlines():
        entry = json.loads(line)
        for group in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in group["Metrics"]:
                counted[metric["Name"]] = sum(entry[metric["Name"]])
    return counted


def test_a_verified_event_is_published_once(aws, request_of, capsys):
    """A wire sample becomes one message on the topic, grouped by its portal."""
    assert ask(request_of(DEAL_ADD)) == (200, {"id": "main.deal.6641.add"})
    (message,) = aws.published
    assert (message["TopicArn"], message["MessageGroupId"]) == (TOPIC, "main")
    assert json.loads(message["Message"])["subject"] == "deal/6641"
    assert not aws.sent
    assert metrics(capsys) == {"received": 1, "published": 1}


def test_no_credential_travels_on(aws, request_of, capsys):
    """Neither the application's OAuth tokens nor the application token are published or logged."""
    body = (DATA / "wire" / "ONCRMCONTACTADD.txt").read_text("utf-8")
    assert ask(request_of(body))[0] == 200
    seen = aws.published[0]["Message"] + capsys.readouterr().out
    assert TOKEN not in seen
    assert "fakeaccess" not in seen


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
    """Refused with a code and a sentence, or published; never an error of ours."""
    status, answer = ask(request_of(body))
    assert status == code
    assert (set(answer) == {"id"}) if code == 200 else (set(answer) == {"error", "message"})
    assert len(aws.published) == (code == 200)
    assert metrics(capsys)["received"] == 1


@pytest.mark.usefixtures("aws")
def test_every_unverified_request_gets_the_same_answer(request_of):
    """Nothing in the answer says what was wrong with a token."""
    bodies = ["event=A", "event=A&auth=x", "event=A&auth[application_token]=нет"]
    answers = {json.dumps(ask(request_of(body))) for body in bodies}
    assert len(answers) == 1


def test_an_event_too_large_for_sns_is_refused(aws, request_of):
    """Text that grows in JSON beyond what SNS takes is refused instead of spilled for ever."""
    body = f"event=A&auth[application_token]={TOKEN}&data=" + "%01" * 60_000
    assert ask(request_of(body))[0] == 413
    assert not aws.sent


@pytest.mark.parametrize("trouble", [DOWN, HANGS, THROTTLED])
def test_an_event_that_can_not_be_published_is_spilled_and_republished(
    aws, request_of, capsys, trouble
):
    """With SNS down, hanging or throttling the request is kept whole and published later."""
    aws.failing["sns"] = trouble
    request = request_of(base64.b64encode(DEAL_ADD.encode()).decode(), isBase64Encoded=True)
    assert ask(request) == (202, {"id": "request-1"})
    assert metrics(capsys) == {"received": 1, "spilled": 1}
    (kept,) = aws.sent
    record = {"messageId": "m1", "receiptHandle": "r1", "body": kept["MessageBody"]}

    assert republish.handler({"Records": [record]}, None) == {
        "batchItemFailures": [{"itemIdentifier": "m1"}]
    }
    assert 12 <= aws.waits[0] <= 16
    del aws.failing["sns"]
    assert republish.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    (message,) = aws.published
    aws.published.clear()
    ask(request)
    assert message == aws.published[0]


def test_an_event_is_spilled_while_there_is_no_token(aws, request_of, capsys):
    """A fresh stack keeps what comes, and its log names the parameter and the command."""
    aws.tokens = {}
    assert ask(request_of(DEAL_ADD))[0] == 202
    log = capsys.readouterr().out
    assert "/relay/test/application-tokens/<portal> missing" in log
    assert "make connect" in log


def test_an_event_is_spilled_while_ssm_is_down_and_the_cache_empty(aws, request_of, capsys):
    """Never "verification off": what can't be verified now is verified later."""
    aws.failing["ssm"] = DOWN
    assert ask(request_of(DEAL_ADD)) == (202, {"id": "request-1"})
    record = {"messageId": "m1", "receiptHandle": "r1", "body": aws.sent[0]["MessageBody"]}
    assert republish.handler({"Records": [record]}, None)["batchItemFailures"]
    del aws.failing["ssm"]
    aws.now = 60
    assert not republish.handler({"Records": [record]}, None)["batchItemFailures"]
    assert len(aws.published) == 1
    assert "EndpointConnectionError" in capsys.readouterr().out


def test_a_forged_request_is_spilled_too_but_never_published(aws, request_of, capsys):
    """What came while nothing could be verified and is nobody's goes to the dead-letter queue."""
    tokens, aws.tokens = aws.tokens, {}
    ask(request_of("event=A&auth[application_token]=forged"))
    aws.tokens, aws.now = tokens, 60
    record = {"messageId": "m1", "receiptHandle": "r1", "body": aws.sent.pop()["MessageBody"]}
    assert not republish.handler({"Records": [record]}, None)["batchItemFailures"]
    assert not aws.published
    (dead,) = aws.sent
    assert (dead["QueueUrl"], dead["MessageBody"]) == (DEAD, record["body"])
    assert "not one of" in dead["MessageAttributes"]["reason"]["StringValue"]
    assert metrics(capsys)["refused_not_verified"] == 1


def test_ssm_down_with_a_filled_cache_spills_a_few_unknown_tokens(aws, request_of):
    """Stored tokens are accepted; an unknown one may have been stored since, a flood has not."""
    ask(request_of(DEAL_ADD))
    aws.failing["ssm"], aws.now = DOWN, 10_000
    assert ask(request_of(DEAL_ADD))[0] == 200
    unknown = request_of(DEAL_ADD.replace(TOKEN, "new"))
    assert ask(request_of("event=A"))[0] == 401
    statuses = [ask(unknown)[0] for _ in range(100)]
    assert statuses == [202] * MOST_DOUBTED + [401] * (100 - MOST_DOUBTED)
    aws.now += 2 * RETRY_SECONDS
    assert ask(unknown)[0] == 202

    record = {"messageId": "m1", "receiptHandle": "r1", "body": aws.sent[-1]["MessageBody"]}
    for _ in range(2 * MOST_DOUBTED):
        assert republish.handler({"Records": [record]}, None)["batchItemFailures"]
    del aws.failing["ssm"]
    aws.tokens, aws.now = {"main": f"new\n{TOKEN}"}, aws.now + 8 * RETRY_SECONDS
    assert not republish.handler({"Records": [record]}, None)["batchItemFailures"]
    assert aws.published[-1]["Message"] == aws.published[0]["Message"]


def test_a_hanging_ssm_slows_one_forged_request_in_seconds(aws, request_of):
    """A read that fails is not repeated for each request with an unknown token."""
    ask(request_of(DEAL_ADD))
    reads = aws.reads
    aws.failing["ssm"] = HANGS
    forged = request_of("event=A&auth[application_token]=forged")
    for second in range(10, 70):
        aws.now = second
        for _ in range(10):
            assert ask(forged)[0] in {202, 401}
    assert aws.reads - reads <= 6


def test_a_stored_token_counts_within_seconds_under_a_flood(aws, request_of):
    """A forged request each tenth of a second uses up no read that the new token needs."""
    ask(request_of(DEAL_ADD))
    forged = request_of("event=A&auth[application_token]=forged")
    new = request_of(DEAL_ADD.replace(TOKEN, "new"))
    assert ask(new)[0] == 401
    for tenth in range(1, 600):
        aws.now = tenth / 10
        assert ask(forged)[0] == 401
    aws.tokens = {"main": f"new\r\n{TOKEN}\r\n"}
    aws.now += LOOK_SECONDS
    assert ask(new)[0] == 200
    assert ask(request_of(DEAL_ADD))[0] == 200


def test_a_rotated_token_is_accepted_at_once(aws, request_of):
    """A token that was stored after the last look is found by the look that it causes."""
    assert ask(request_of(DEAL_ADD))[0] == 200
    aws.tokens, aws.now = {"main": f"{TOKEN}\nnew"}, LOOK_SECONDS
    body = DEAL_ADD.replace(TOKEN, "new")
    assert ask(request_of(body))[0] == 200
    assert ask(request_of(DEAL_ADD))[0] == 200


def test_an_event_that_can_not_be_kept_is_answered_503(aws, request_of, capsys):
    """Only when SNS and SQS both fail is the sender told so, and counted as lost."""
    aws.failing = {"sns": HANGS, "sqs": DOWN}
    status, answer = ask(request_of(DEAL_ADD))
    assert (status, answer["error"]) == (503, "unavailable")
    assert metrics(capsys) == {"received": 1, "lost": 1}


@pytest.mark.usefixtures("aws")
def test_a_request_without_the_gateways_context_is_served(request_of):
    """A hand-made invocation gets the invocation's id and the present as its time."""
    request = request_of(DEAL_ADD.replace("ADD", "UPDATE"))
    del request["requestContext"]
    assert ask(request) == (200, {"id": "invocation-1"})


@given(body=st.binary(max_size=400), encoded=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)
@pytest.mark.usefixtures("aws")
def test_any_bytes_get_a_defined_answer(request_of, capsys, body, encoded):
    """Whatever is posted, with a good token in front or without, one of the six answers comes."""
    for prefix in (b"", f"auth[application_token]={TOKEN}&".encode()):
        text = prefix + body
        text = base64.b64encode(text).decode() if encoded else text.decode("latin-1")
        assert ask(request_of(text, isBase64Encoded=encoded))[0] in {200, 202, 400, 401, 413, 415}
    capsys.readouterr()


def test_init_in_lambda_is_ready_for_the_first_request(monkeypatch, capsys):
    """In Lambda's init the tokens are read and SNS's client is made; a bad deploy is said so."""
    asked = []
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "ingress")
    monkeypatch.setattr(relay_settings, "client", asked.append)
    monkeypatch.setattr(app, "cache", SimpleNamespace(tokens=lambda: asked.append("tokens")))
    app.warm_up()
    assert asked == ["tokens", "sns"]
    monkeypatch.delenv("SECRETS_PREFIX")
    importlib.reload(app)
    gc.unfreeze()
    assert gc.isenabled()
    assert "SECRETS_PREFIX not set" in capsys.readouterr().out


@pytest.mark.parametrize(
    "poison",
    ["", "no JSON", "[" * 100_000, "[]", "null", '"text"', "{}", '{"headers": 5, "body": [1]}'],
)
def test_a_poison_record_is_set_aside_alone(aws, request_of, capsys, poison):
    """What is no request goes to the dead letters with its reason; its neighbours are published."""
    aws.failing["sns"] = DOWN
    ask(request_of(DEAL_ADD))
    good = aws.sent.pop()["MessageBody"]
    aws.failing.clear()
    records = [
        {"messageId": f"m{number}", "receiptHandle": "r", "body": body}
        for number, body in enumerate([good, poison, good])
    ]
    assert republish.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert len(aws.published) == 2
    (dead,) = aws.sent
    assert (dead["QueueUrl"], dead["MessageBody"]) == (DEAD, poison)
    assert dead["MessageAttributes"]["reason"]["StringValue"].isprintable()
    assert "dead-lettered" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["", "&ts=1766047124"])
def test_a_spilled_event_keeps_the_time_when_it_came(aws, request_of, field):
    """Without a `ts` of the sender an event bears the gateway's time, however late it goes out."""
    aws.failing["sns"] = DOWN
    body = f"event=ONCRMDEALUPDATE&auth[application_token]={TOKEN}{field}"
    assert ask(request_of(body))[0] == 202
    aws.failing.clear()
    record = {"messageId": "m1", "receiptHandle": "r1", "body": aws.sent.pop()["MessageBody"]}
    republish.handler({"Records": [record]}, None)
    time = "2025-12-18T08:38:44Z" if field else "2025-12-18T08:38:45Z"
    assert json.loads(aws.published[0]["Message"])["time"] == time


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
TIMES = [0, -1, True, 10**18, 10**400, 253_402_300_800_000, 253_402_300_799_999, 1.5, "1"]


@given(
    context=odd
    | st.fixed_dictionaries(
        {},
        optional={
            "http": odd | st.fixed_dictionaries({"method": odd}),
            "requestId": odd,
            "timeEpoch": odd | st.sampled_from(TIMES),
        },
    ),
    rest=st.fixed_dictionaries({}, optional=dict.fromkeys(("headers", "body"), odd)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)
def test_any_gateway_context_gets_a_defined_answer(aws, request_of, context, rest):
    """Whatever stands around a verified body, the answer is one of the contract's."""
    aws.published.clear()
    body = f"event=ONCRMDEALUPDATE&auth[application_token]={TOKEN}"
    for around in ({}, rest):
        request = {**request_of(body), "requestContext": context, **around}
        assert ask(request)[0] in {200, 400, 401, 415}
    for message in aws.published:
        assert Event.from_cloudevent(json.loads(message["Message"])).time


@pytest.mark.parametrize("epoch", TIMES)
def test_a_time_that_no_gateway_has_is_not_believed(aws, request_of, epoch):
    """An event of the year 31 million would crash whoever reads its time."""
    request = request_of(f"event=A&auth[application_token]={TOKEN}")
    request["requestContext"]["timeEpoch"] = epoch
    assert ask(request)[0] == 200
    time = json.loads(aws.published[0]["Message"])["time"]
    assert time.startswith("9999-" if epoch == 253_402_300_799_999 else str(datetime.now(UTC).year))


def test_what_can_not_be_put_aside_stays_spilled(aws, capsys):
    """With SQS in trouble the record comes back after the queue's visibility timeout."""
    aws.failing["sqs"] = DOWN
    bad = {"messageId": "m2", "receiptHandle": "r2", "body": "no json"}
    assert republish.handler({"Records": [bad]}, None)["batchItemFailures"]
    assert "Could not connect" in capsys.readouterr().out

"""relay.reactions.post_json: what goes out, how it is signed, what an answer means."""

import asyncio
import base64
import hmac
import io
import json
from email.message import Message

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from relay import settings
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.reactions.post_json import post_json, session, signed
from tests.parameter_store import ParameterStore
from tests.samples import load

URL = "https://crm.example.com/hook/secret-part"
KEY = "whsec_" + base64.b64encode(b"a key of ours, of 24 byte").decode()
CHANGE = load("sqs_task_deleted")


class Receiver(HTTPAdapter):
    """A transport that stands for the receiver."""

    def __init__(self):
        """Answer 200 until `status` is set."""
        super().__init__()
        self.status, self.sent, self.options = 200, [], []

    def send(self, request, **options):
        """Remember a request; answer with `status`, or raise it."""
        self.sent.append(request)
        self.options.append(options)
        if isinstance(self.status, Exception):
            raise self.status
        raw = HTTPResponse(io.BytesIO(), Message(), self.status, preload_content=False)
        return self.build_response(request, raw)


@pytest.fixture
def receiver():
    """Return the receiver that the reaction's session talks to."""
    session.cache_clear()
    receiver = Receiver()
    session().mount("https://", receiver)
    yield receiver
    session.cache_clear()


@pytest.fixture
def store(aws_clients):
    """Return the function that puts secrets where Parameter Store's are read from."""
    aws_clients["ssm"] = ssm = ParameterStore()

    def put(**secrets):
        ssm.parameters |= {
            f"/relay/test/secrets/{name.replace('_', '-')}": value
            for name, value in secrets.items()
        }

    return put


def react():
    """Run the reaction on the sample."""
    asyncio.run(post_json(CHANGE))


def test_the_signature_is_the_one_of_the_specifications_example():
    """Key, id, time and body of Standard Webhooks' own reference give its signature."""
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_change_goes_out_whole_and_signed(store, receiver):
    """The request verifies TLS, has time limits and follows no redirect."""
    store(post_json_url=URL, post_json_key=KEY)
    react()
    (request,), (options,) = receiver.sent, receiver.options
    assert (request.method, request.url) == ("POST", URL)
    assert json.loads(request.body) == json.loads(CHANGE.to_json())
    assert request.headers["webhook-id"] == CHANGE.change_id
    seconds = request.headers["webhook-timestamp"]
    content = f"{CHANGE.change_id}.{seconds}.".encode() + request.body
    digest = hmac.digest(base64.b64decode(KEY[6:]), content, "sha256")
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert options["verify"] is True
    assert options["timeout"] == (3, 10)


def test_a_repeat_has_the_same_id_and_asks_for_no_secret_again(store, receiver):
    """Two deliveries have one `webhook-id`, and cause one read of Parameter Store."""
    store(post_json_url=URL, post_json_key=KEY)
    react()
    store(post_json_url="https://other.example.com/")
    react()
    assert [request.headers["webhook-id"] for request in receiver.sent] == [CHANGE.change_id] * 2
    assert {request.url for request in receiver.sent} == {URL}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, None),
        (302, OperatorError),
        (400, PermanentError),
        (401, OperatorError),
        (404, OperatorError),
        (410, OperatorError),
        (422, PermanentError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
        (requests.ConnectionError(f"no route to {URL}"), TransientError),
        (requests.ReadTimeout(f"{URL} is silent"), TransientError),
    ],
)
def test_an_answer_decides_what_becomes_of_the_record(store, receiver, status, error):
    """The status decides the error; neither an error nor its cause contains the URL."""
    store(post_json_url=URL, post_json_key=KEY)
    receiver.status = status
    if error is None:
        react()
        return
    with pytest.raises(error) as raised:
        react()
    assert "secret-part" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ({}, "secrets/post-json-url, /relay/test/secrets/post-json-key missing"),
        ({"post_json_url": URL}, "^/relay/test/secrets/post-json-key missing.*store it there"),
        ({"post_json_url": "http://example.com/secret-part", "post_json_key": KEY}, "no https"),
        ({"post_json_url": "https:///secret-part", "post_json_key": KEY}, "no https"),
        ({"post_json_url": "https://[secret-part", "post_json_key": KEY}, "no https"),
        ({"post_json_url": URL, "post_json_key": "secret-part!"}, "no base64"),
        ({"post_json_url": URL, "post_json_key": "secret-part-\u00e4"}, "no base64"),
        ({"post_json_url": URL, "post_json_key": "whsec_"}, "key is empty"),
    ],
)
def test_what_is_not_configured_is_named_and_nothing_goes_out(store, receiver, secrets, reason):
    """One error names all missing secrets; the error of a bad secret does not contain it."""
    store(**secrets)
    with pytest.raises(ConfigurationError, match=reason) as raised:
        react()
    assert "secret-part" not in str(raised.value)
    assert receiver.sent == []


def test_a_secret_that_is_stored_after_all_counts_soon(store, receiver, monkeypatch):
    """A missing secret is read again after two seconds."""
    monkeypatch.setattr(settings, "MISSING_SECONDS", 0)
    store(post_json_url=URL)
    with pytest.raises(ConfigurationError):
        react()
    store(post_json_key=KEY)
    react()
    assert len(receiver.sent) == 1

"""relay.ingress.accept: a request's id and time, whatever the gateway says."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.event import Event
from relay.ingress.tokens import TokenCache
from tests.conftest import TOKEN
from tests.ingress_aws import DEAL_ADD

odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
TIMES = [0, -1, True, 10**18, 10**400, 253_402_300_800_000, 253_402_300_799_999, 1.5, "1"]


def test_a_request_without_the_gateways_context_is_served(aws, request_of):
    """A hand-made invocation gets the invocation's id and the present as its time."""
    request = request_of(DEAL_ADD.replace("ADD", "UPDATE"))
    del request["requestContext"]
    assert aws.ask(request) == (200, {"id": "invocation-1"})


@pytest.mark.parametrize("request_id", ["", None, 5, ["a"]])
def test_a_request_without_a_usable_id_gets_the_invocations(aws, request_of, request_id):
    """An empty id, and one that is no text, is replaced by the invocation's id."""
    request = request_of(DEAL_ADD.replace("ADD", "UPDATE"))
    request["requestContext"]["requestId"] = request_id
    assert aws.ask(request) == (200, {"id": "invocation-1"})


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
    """Any context, headers and body get an answer of the contract and a readable time."""
    aws.published.clear()
    body = f"event=ONCRMDEALUPDATE&auth[application_token]={TOKEN}"
    for around in ({}, rest):
        request = {**request_of(body), "requestContext": context, **around}
        assert aws.ask(request)[0] in {200, 400, 401, 415}
    for message in aws.published:
        assert Event.from_cloudevent(json.loads(message["Message"])).time


@pytest.mark.parametrize("epoch", TIMES)
def test_a_time_that_no_gateway_has_is_not_believed(aws, request_of, epoch):
    """A time that datetime can't hold is replaced by the present."""
    request = request_of(f"event=A&auth[application_token]={TOKEN}")
    request["requestContext"]["timeEpoch"] = epoch
    assert aws.ask(request)[0] == 200
    time = json.loads(aws.published[0]["Message"])["time"]
    assert time.startswith("9999-" if epoch == 253_402_300_799_999 else str(datetime.now(UTC).year))


def test_an_event_with_an_older_token_is_published_and_noted(aws, request_of, monkeypatch):
    """During a rotation both tokens are valid."""
    uses = []
    monkeypatch.setattr(TokenCache, "note_use", lambda _, *use: uses.append(use))
    assert aws.ask(request_of(DEAL_ADD))[0] == 200
    assert uses == [("main", TOKEN.encode())]

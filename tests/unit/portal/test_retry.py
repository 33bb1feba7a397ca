"""relay.portal.retry: each failure has its number of requests and its error."""

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal import Portal
from relay.portal.http import ANSWER_TOO_LARGE, NO_ANSWER, TIMEOUT, Reply
from tests.portal_wire import HTML, LOST, RATE, READ, WRITE, raised, refuse


def test_a_refused_create_is_retried(wire, clock, webhook):
    """A create that QUERY_LIMIT_EXCEEDED kept from running three times is made once."""
    wire.script = [RATE] * 3
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert len(wire.requests) == 4
    assert len(wire.commands) == 1


def test_a_portal_that_always_refuses_gets_four_requests(wire, clock, webhook):
    """After four refusals the caller gets TransientError with 15 s to retry after."""
    wire.script = [RATE] * 100
    error = raised(clock, Portal(webhook), kind=TransientError)
    assert (error.code, error.retry_after) == ("QUERY_LIMIT_EXCEEDED", 15)
    assert len(wire.requests) == 4


def test_a_pause_longer_than_the_functions_time_is_left_to_the_queue(wire, clock, webhook):
    """A call fails at once, with a time to retry after, if its retry would come too late."""
    wire.script = [RATE] * 100
    ends_at = clock.now + 2
    portal = Portal(webhook, remaining_seconds=lambda: ends_at - clock.now)
    error = raised(clock, portal, kind=TransientError)
    assert error.retry_after > 0
    assert clock.now < ends_at


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (refuse(500, "INTERNAL_SERVER_ERROR"), "INTERNAL_SERVER_ERROR"),
        (refuse(500, ""), ""),
        (HTML, "UNREADABLE_ANSWER"),
        (Reply(403, b"<html>"), "UNREADABLE_ANSWER"),
        (Reply(500, b""), "UNREADABLE_ANSWER"),
        (Reply(200, b'{"time": {}}'), "UNREADABLE_ANSWER"),
        (LOST, NO_ANSWER),
        (MayHaveRunError("x", TIMEOUT), TIMEOUT),
    ],
)
def test_a_lost_answer_is_retried_only_for_an_idempotent_call(wire, clock, webhook, fault, code):
    """A read is retried and then raises TransientError; a create is sent once and may have run."""
    wire.script = [fault]
    assert clock.run(Portal(webhook).call(READ, id=1)) is True
    assert len(wire.requests) == 2
    wire.script = [fault] * 9
    error = raised(clock, Portal(webhook), kind=TransientError)
    assert (error.code, error.retry_after) == (code, 15)
    assert len(wire.requests) == 6
    error = raised(clock, Portal(webhook), WRITE, MayHaveRunError)
    assert error.code == code
    assert len(wire.requests) == 7


def test_a_call_that_was_never_sent_is_retried(wire, clock, webhook):
    """A create is sent again after a connection that was refused."""
    wire.script = [TransientError("x", "NOT_CONNECTED")]
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("OVERLOAD_LIMIT", OperatorError),
        ("NO_AUTH_FOUND", OperatorError),
        ("expired_token", OperatorError),
        ("insufficient_scope", OperatorError),
        ("WRONG_AUTH_TYPE", PermanentError),
        ("NOT_FOUND", PermanentError),
    ],
)
def test_an_error_that_a_retry_cannot_mend_is_raised_at_once(wire, clock, webhook, code, kind):
    """OperatorError and PermanentError are raised after one request, whatever the HTTP status."""
    wire.script = [refuse(503, code)]
    assert raised(clock, Portal(webhook), kind=kind).code == code
    assert len(wire.requests) == 1


def test_a_single_call_that_is_too_large_is_not_retried(wire, clock, webhook):
    """A call too large for the web server, and a read whose answer is, raise PermanentError."""
    wire.script = [Reply(413, b"<html>")]
    assert raised(clock, Portal(webhook), WRITE, PermanentError).code == "REQUEST_TOO_LARGE"
    wire.script = [MayHaveRunError("x", ANSWER_TOO_LARGE, "select fewer fields")]
    assert raised(clock, Portal(webhook), kind=PermanentError).code == ANSWER_TOO_LARGE
    wire.script = [MayHaveRunError("x", ANSWER_TOO_LARGE, "select fewer fields")]
    assert raised(clock, Portal(webhook), WRITE, MayHaveRunError).code == ANSWER_TOO_LARGE
    assert len(wire.requests) == 3

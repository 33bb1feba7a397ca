"""Every fault has its class and its number of requests; nothing is executed twice."""

import asyncio
from dataclasses import replace

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal import Portal, request
from relay.portal.http import ANSWER_TOO_LARGE, NO_ANSWER, TIMEOUT, Reply
from relay.portal.webhook_state import state_of

from .conftest import SECRET, SlowSlots, parse_str, reply

READ, WRITE = "crm.item.get", "crm.item.add"


def refuse(status, code, words=""):
    """Return the portal's answer with an error."""
    return reply(status, error=code, error_description=words)


RATE = refuse(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
TIME_USED = refuse(429, "OPERATION_TIME_LIMIT")
LOST = MayHaveRunError("batch", NO_ANSWER, "ConnectionError")
HTML = Reply(200, b"<html>")


def caught(clock, portal, method=READ, kind=Exception):
    """Return the error that a call raises."""
    with pytest.raises(kind) as raised:
        clock.run(portal.call(method, id=1))
    assert type(raised.value) is kind
    return raised.value


def test_a_refused_request_is_repeated_even_if_it_creates(wire, clock, webhook):
    """Above the rate nothing ran: three times, then the item is made, once."""
    wire.script = [RATE] * 3
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert len(wire.requests) == 4
    assert len(wire.commands) == 1


def test_a_portal_that_refuses_for_a_minute_is_asked_four_times(wire, clock, webhook):
    """Then the record goes back, with a time to come back after."""
    wire.script = [RATE] * 100
    error = caught(clock, Portal(webhook), kind=TransientError)
    assert (error.code, error.retry_after) == ("QUERY_LIMIT_EXCEEDED", 15)
    assert len(wire.requests) == 4


def test_what_cannot_be_repeated_in_time_says_when_to_come_back(wire, clock, webhook):
    """The function's time is not waited away."""
    wire.script = [RATE] * 100
    ends_at = clock.now + 2
    portal = Portal(webhook, remaining_seconds=lambda: ends_at - clock.now)
    error = caught(clock, portal, kind=TransientError)
    assert error.retry_after > 0
    assert clock.now < ends_at


def test_a_call_is_not_begun_when_the_time_is_over(wire, clock, webhook):
    """It can come back at once: nothing ran."""
    error = caught(clock, Portal(webhook, remaining_seconds=lambda: 0.4), kind=TransientError)
    assert (error.code, error.retry_after, error.method) == ("NO_TIME", 0, READ)
    assert wire.requests == []


def test_time_that_a_slot_has_used_up_is_noticed(wire, clock, webhook):
    """A request is not begun in the last moments of a function."""
    ends_at = clock.now + 5.2
    slots = SlowSlots(clock)
    portal = Portal(webhook, slots=slots, remaining_seconds=lambda: ends_at - clock.now)
    assert caught(clock, portal, WRITE, TransientError).code == "NO_TIME"
    assert wire.requests == []


def test_a_call_that_was_frozen_until_another_invocation_is_not_sent(wire, clock, webhook):
    """Its message has long been handed to another copy, which would do it twice."""
    ends_at = [clock.now + 30]
    slots = SlowSlots(clock)
    portal = Portal(webhook, slots=slots, remaining_seconds=lambda: ends_at[0] - clock.now)

    async def freeze():
        call = asyncio.create_task(portal.call(WRITE, id=1))
        await asyncio.sleep(1)
        clock.now += 600
        ends_at[0] = clock.now + 30
        await call

    with pytest.raises(TransientError, match="NO_TIME"):
        clock.run(freeze())
    assert wire.requests == []


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
def test_a_lost_answer_is_asked_for_again_only_where_that_is_harmless(
    wire, clock, webhook, fault, code
):
    """A read is repeated and comes back later; a create is sent once and may have run."""
    wire.script = [fault]
    assert clock.run(Portal(webhook).call(READ, id=1)) is True
    assert len(wire.requests) == 2
    wire.script = [fault] * 9
    error = caught(clock, Portal(webhook), kind=TransientError)
    assert (error.code, error.retry_after) == (code, 15)
    assert len(wire.requests) == 6
    error = caught(clock, Portal(webhook), WRITE, MayHaveRunError)
    assert error.code == code
    assert len(wire.requests) == 7


def test_what_was_never_sent_is_repeated(wire, clock, webhook):
    """A refused connection is no reason to doubt."""
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
def test_what_cannot_work_is_asked_once(wire, clock, webhook, code, kind):
    """Whatever the status: a person must act, or nobody can help."""
    wire.script = [refuse(503, code)]
    assert caught(clock, Portal(webhook), kind=kind).code == code
    assert len(wire.requests) == 1


def test_the_error_of_a_whole_batch_is_that_of_each_call(wire, clock, webhook):
    """Each caller learns it under its own method's name."""
    wire.script = [refuse(401, "NO_AUTH_FOUND", f"/rest/7/{SECRET}/ is unknown")]
    portal = Portal(webhook)

    async def two():
        return await asyncio.gather(portal.call("a"), portal.call("b"), return_exceptions=True)

    errors = clock.run(two())
    assert [(type(e), e.method) for e in errors] == [(OperatorError, "a"), (OperatorError, "b")]
    assert SECRET not in f"{errors}"
    assert len(wire.requests) == 1


def test_a_refused_batch_is_sent_again_as_one(wire, clock, webhook):
    """What never ran may share the next request."""
    wire.script = [RATE]
    portal = Portal(webhook)

    async def two():
        await asyncio.gather(portal.call(WRITE, fields={"title": "a"}), portal.call("b"))

    clock.run(two())
    assert [method for method, _ in wire.requests] == ["batch", "batch"]
    assert len(wire.commands) == 2


@pytest.mark.parametrize(
    "sections",
    [
        [],
        "text",
        {"result_error": []},
        {"result": {}, "result_error": []},
        {"result": [], "result_error": {}},
    ],
)
def test_a_batch_answer_without_a_call_loses_it(wire, clock, webhook, sections):
    """A missing key, or no answer of a batch at all: updates are sent again, creates are not."""
    wire.script = [reply(result=sections)]
    portal = Portal(webhook)

    async def two():
        return await asyncio.gather(
            portal.call(WRITE, fields={"title": "a"}),
            portal.call("crm.item.update", id=1, fields={"title": "a"}),
            return_exceptions=True,
        )

    add, update = clock.run(two())
    assert isinstance(add, MayHaveRunError)
    assert update is True
    assert [method for method, _ in wire.commands] == ["crm.item.update"]


def test_an_answer_that_is_too_large_loses_no_create(wire, clock, webhook):
    """Reads are asked for in smaller parts until the one is found; writes went apart from them."""

    def large(body):
        ids = [params["id"] for _, params in map(read_command, body["cmd"].values())]
        return MayHaveRunError("batch", ANSWER_TOO_LARGE) if "3" in ids else None

    def planned(body):
        if "cmd" in body and "crm.item.get" in str(body):
            return large(body)
        return MayHaveRunError("x", ANSWER_TOO_LARGE) if body.get("id") == 3 else None

    wire.script = [planned] * 20
    portal = Portal(webhook)

    async def mixed():
        return await asyncio.gather(
            *(portal.call(WRITE, fields={"title": "a"}) for _ in range(3)),
            *(portal.call(READ, id=n) for n in range(6)),
            return_exceptions=True,
        )

    results = clock.run(mixed())
    assert [str(result)[:6] for result in results] == ["True"] * 6 + ["crm.it"] + ["True"] * 2
    assert isinstance(results[6], PermanentError)
    assert [method for method, _ in wire.commands].count(WRITE) == 3


def test_sections_may_be_lists(wire, clock, webhook):
    """PHP writes a map with the keys 0..n-1 as a list."""
    wire.script = [
        reply(result={"result": ["a", "b"], "result_error": [], "result_time": [{}, {}]})
    ]
    batch = Portal(webhook).batch({"0": ("profile", {}), "1": ("scope", {})})
    assert clock.run(batch) == {"0": "a", "1": "b"}


def test_too_large_together_is_sent_in_parts(wire, clock, webhook):
    """A body that the web server refuses is halved until it fits."""

    def only_four(body):
        return Reply(413, b"<html>") if len(body.get("cmd", [])) > 4 else None

    wire.script = [only_four] * 9
    portal = Portal(webhook)

    async def eight():
        await asyncio.gather(*(portal.call(WRITE, fields={"title": "a"}) for _ in range(8)))

    clock.run(eight())
    assert len(wire.commands) == 8
    assert [len(body["cmd"]) for _, body in wire.requests] == [8, 4, 4]


def test_too_large_alone_is_permanent(wire, clock, webhook):
    """The question can't be cut, nor can the answer."""
    wire.script = [Reply(413, b"<html>")]
    assert caught(clock, Portal(webhook), WRITE, PermanentError).code == "REQUEST_TOO_LARGE"
    wire.script = [MayHaveRunError("x", ANSWER_TOO_LARGE, "select fewer fields")]
    assert caught(clock, Portal(webhook), kind=PermanentError).code == ANSWER_TOO_LARGE
    wire.script = [MayHaveRunError("x", ANSWER_TOO_LARGE, "select fewer fields")]
    assert caught(clock, Portal(webhook), WRITE, MayHaveRunError).code == ANSWER_TOO_LARGE
    assert len(wire.requests) == 3


def test_slow_answers_make_batches_smaller_and_quick_ones_larger_again(wire, clock, webhook):
    """Fifty commands took half a minute: next time it is 25, and 50 when they are quick."""
    portal = Portal(webhook)

    async def sizes():
        before = len(wire.requests)
        await asyncio.gather(*(portal.call(READ, id=n) for n in range(50)))
        return [len(body["cmd"]) for _, body in wire.requests[before:]]

    wire.seconds = 30
    assert clock.run(sizes()) == [50]
    wire.seconds = 6
    assert clock.run(sizes()) == [25, 25]
    wire.seconds = 1
    assert clock.run(sizes()) == [25, 25]
    assert clock.run(sizes()) == [50]


def test_a_timeout_makes_batches_smaller(wire, clock, webhook):
    """The half is asked again, if that is harmless."""
    wire.script = [MayHaveRunError("batch", TIMEOUT)]
    portal = Portal(webhook)

    async def fifty():
        await asyncio.gather(*(portal.call(READ, id=n) for n in range(50)))

    clock.run(fifty())
    assert [len(body["cmd"]) for _, body in wire.requests] == [50, 25, 25]


def read_command(command):
    """Return method and parameters of a batch's command."""
    method, _, query = command.partition("?")
    return method, parse_str(query)


def moved(to, status=302):
    """Return the answer of a host that sends elsewhere."""
    return Reply(status, b"", f"https://{to}/rest/7/{SECRET}/x.json")


def test_a_renamed_portal_is_followed_with_the_same_post(wire, clock, webhook, caplog):
    """Its profile proves that it is the same; it is reported, and asked there from then on."""
    wire.script = [moved("new.bitrix24.com")]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    portal = Portal(webhook)
    assert clock.run(portal.call(WRITE, fields={"title": "a"})) is True
    assert wire.requests[-1] == (WRITE, {"fields": {"title": "a"}})
    assert clock.run(portal.call(READ, id=1)) is True
    assert wire.hosts == ["acme.bitrix24.com"] + ["new.bitrix24.com"] * 3
    assert "acme.bitrix24.com is now new.bitrix24.com" in caplog.text
    assert SECRET not in caplog.text


def test_requests_under_way_while_a_portal_is_renamed_are_all_followed(wire, clock, webhook):
    """A request whose redirect arrives after another one was followed is followed too."""
    state = state_of(webhook)

    def followed_meanwhile(_body):
        state.webhook = replace(webhook, host="new.bitrix24.com")
        return moved("new.bitrix24.com")

    wire.script = [followed_meanwhile]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert wire.hosts == ["acme.bitrix24.com"] + ["new.bitrix24.com"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/rest/7/x/",
        "https://acme.bitrix24.com.evil.example/",
        "https://127.0.0.1/",
        "http://new.bitrix24.com/",
        "https://acme.bitrix24.com/auth/",
        "https://[evil/",
        "https://me@new.bitrix24.com/",
        "https://new.bitrix24.com@evil.example/",
        "https://evil.example\\.acme.bitrix24.com/",
        "https://evil.example#.acme.bitrix24.com/",
        "https://evil.example%2f.acme.bitrix24.com/",
        "https://new.bitrix24.com:8443/",
        "https://new.bitrix24.com:99999/",
        "https://new..bitrix24.com/",
        "https://acme.bitrix24.com./",
        "https://acme.bitrix24.com:443/",
        "https://new.bitrix24.ru/",
        "https://new.bitrix24.com.ru/",
        "https://3232235786/",
        "https://0x7f.1/",
        "https://[::1]/",
        "ftp://new.bitrix24.com/",
        "https:/new.bitrix24.com/",
        "/auth/?backurl=1",
        "",
    ],
)
def test_a_foreign_host_never_sees_the_secret(wire, clock, webhook, location):
    """It is not asked whether it is the portal."""
    wire.script = [Reply(302, b"", location)]
    assert caught(clock, Portal(webhook), kind=OperatorError).code == "REDIRECTED"
    assert wire.hosts == ["acme.bitrix24.com"]


@pytest.mark.parametrize(
    "proof",
    [
        reply(result={"ID": "8"}),
        reply(result=[]),
        refuse(401, "NO_AUTH_FOUND"),
        HTML,
        moved("third.bitrix24.com"),
    ],
)
def test_another_portal_is_not_followed(wire, clock, webhook, proof):
    """Whoever does not answer as the webhook's own user gets no call."""
    wire.script = [moved("new.bitrix24.com"), proof]
    assert caught(clock, Portal(webhook), WRITE, OperatorError).code == "REDIRECTED"
    assert [method for method, _ in wire.requests] == [WRITE, "profile"]


def test_a_redirect_is_followed_once(wire, clock, webhook):
    """Two in a row are no renaming."""
    wire.script = [
        moved("new.bitrix24.com"),
        reply(result={"ID": "7"}),
        moved("third.bitrix24.com"),
    ]
    assert caught(clock, Portal(webhook), WRITE, OperatorError).code == "REDIRECTED"
    assert len(wire.requests) == 3


def test_a_new_host_that_is_busy_is_asked_later(wire, clock, webhook):
    """Its profile can't be had now, which proves nothing."""
    wire.script = [moved("new.bitrix24.com"), RATE]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    assert clock.run(Portal(webhook).call(WRITE, fields={"title": "a"})) is True
    assert [method for method, _ in wire.commands] == [WRITE]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://NEW.bitrix24.com:443/rest/", "new.bitrix24.com"),
        ("https://new.bitrix24.com./rest/", "new.bitrix24.com"),
        ("//b24.acme.bitrix24.com", None),
        ("https://crm.acme.bitrix24.com", "crm.acme.bitrix24.com"),
        ("https://портал.acme.bitrix24.com/", "xn--80awhdgm.acme.bitrix24.com"),
    ],
)
def test_the_new_address_is_asked_as_it_was_checked(wire, clock, webhook, location, host):
    """In small letters, without a dot at the end or a port that goes without saying, as ASCII."""
    wire.script = [Reply(302, b"", location)]
    wire.answer = lambda method, _: {"ID": "7"} if method == "profile" else True
    if host is None:
        assert caught(clock, Portal(webhook), kind=OperatorError).code == "REDIRECTED"
    else:
        assert clock.run(Portal(webhook).call(READ, id=1)) is True
        assert wire.hosts[1:] == [host, host]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a.bitrix24.com", "b.bitrix24.com", True),
        ("a.bitrix24.com.br", "b.bitrix24.com.br", True),
        ("a.bitrix24.com", "b.bitrix24.ru", False),
        ("a.bitrix24.com", "b.bitrix24.com.br", False),
        ("a.bitrix24.com", "b.bitrix24.ru.evil.com", False),
        ("a.bitrix24.com", "evil-bitrix24.com", False),
        ("a.bitrix24.com", "evil.com", False),
        ("crm.acme.org", "a.bitrix24.com", False),
        ("crm.acme.org", "crm.acme.org:443", True),
        ("crm.acme.org:8443", "crm.acme.org", True),
        ("crm.acme.org:8443", "crm.acme.org:8443", True),
        ("crm.acme.org", "crm.acme.org:8443", False),
        ("crm.acme.org", "new.crm.acme.org", True),
        ("crm.acme.org", "b24.acme.org", False),
        ("crm.acme.org", "acme.org", False),
        ("crm.acme.org", "evilcrm.acme.org", False),
        ("portal.firm.co.uk", "evil.co.uk", False),
        ("crm.firma.com.ua", "evil.com.ua", False),
        ("bitrix.firma.msk.ru", "evil.msk.ru", False),
        ("xn--80a.xn--p1ai", "b24.xn--80a.xn--p1ai", True),
        ("192.168.1.10", "203.0.1.10", False),
        ("192.168.1.10", "192.168.1.10", False),
        ("192.168.1.10", "5.192.168.1.10", False),
        ("127.0.0.1:8024", "localhost:9000", False),
        ("[::1]:8024", "[::1]:9000", False),
        ("localhost:8024", "127.0.0.1:8024", False),
    ],
)
def test_only_related_hosts_may_be_the_same_portal(old, new, same):
    """Cloud portals stay in their zone, others keep their name or go below it, IPs never move."""
    assert request.may_be_renamed(old, new) is same


def test_at_home_a_port_may_change():
    """The simulated portal is on plain http, where ports are what tells portals apart."""
    assert request.may_be_renamed("localhost:8024", "localhost:9000", any_port=True)
    assert not request.may_be_renamed("127.0.0.1:8024", "127.0.0.1:9000", any_port=True)

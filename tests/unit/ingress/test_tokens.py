"""relay.ingress.tokens: SSM is asked seldom, and not needed to go on."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from relay.ingress import tokens
from relay.ingress.tokens import (
    FIRST_READ_SECONDS,
    MAX_SPILLED,
    OLDER_SECONDS,
    OLDER_USED,
    REFRESH_SECONDS,
    THROTTLED,
    TokenCache,
)
from relay.secret_cache import KEEP_SECONDS, RETRY_SECONDS

DOWN = EndpointConnectionError(endpoint_url="https://ssm")
BUSY = ClientError({"Error": {"Code": THROTTLED}}, "GetParametersByPath")


class Store:
    """An SSM whose answer and clock are set by the test."""

    def __init__(self, tokens=None):
        self.tokens, self.error, self.reads, self.now = tokens or {}, None, 0, 0.0
        self.cache = TokenCache(self.read, lambda: self.now)

    def read(self):
        """Return the tokens, or raise the error."""
        self.reads += 1
        if self.error:
            raise self.error
        return dict(self.tokens)


@pytest.fixture
def store():
    """Return a store with one portal's token."""
    return Store({"main": "a\n"})


def test_tokens_are_read_once_in_a_while(store):
    """Tokens are read once within KEEP_SECONDS, and again after it."""
    for store.now in (0, 60, KEEP_SECONDS - 1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert store.reads == 1
    store.now = KEEP_SECONDS
    store.cache.tokens()
    assert store.reads == 2


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "\n a \n\n\tb\n", "a\rb"])
def test_a_token_is_a_line_whatever_ends_it(text):
    """Line ends of any system, blank lines and spaces around a token are removed."""
    assert Store({"main": text}).cache.tokens() == {"main": ["a", "b"]}


def test_tokens_are_kept_while_ssm_is_down(store):
    """Tokens stay valid while SSM fails, and SSM is asked only every few seconds."""
    store.cache.tokens()
    store.error = DOWN
    for store.now in (KEEP_SECONDS, KEEP_SECONDS + RETRY_SECONDS - 0.1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert (store.reads, store.cache.failed) == (2, DOWN)
    store.error, store.now = None, KEEP_SECONDS + 2 * RETRY_SECONDS
    store.cache.tokens()
    assert (store.reads, store.cache.failed) == (3, None)


def test_the_first_token_counts_soon():
    """An empty store is read again after REFRESH_SECONDS, not for every request."""
    store = Store({"main": " \n"})
    for store.now in (0, REFRESH_SECONDS - 0.1):
        assert store.cache.tokens() == {"main": []}
    assert store.reads == 1
    store.now, store.tokens = REFRESH_SECONDS, {"main": "a"}
    assert store.cache.tokens() == {"main": ["a"]}


def test_unknown_tokens_cause_one_look_in_seconds(store):
    """A thousand unknown tokens cause one read in 5 s, which finds a rotated token."""
    store.cache.tokens()
    store.now = REFRESH_SECONDS
    assert not any(store.cache.refresh() for _ in range(1000))
    assert store.reads == 2
    store.tokens, store.now = {"main": "b"}, 2 * REFRESH_SECONDS - 0.1
    assert not store.cache.refresh()
    store.now = 2 * REFRESH_SECONDS
    assert store.cache.refresh()
    assert store.cache.tokens() == {"main": ["b"]}


def test_a_look_that_fails_brings_nothing_new(store):
    """With SSM down, MAX_SPILLED requests may be spilled a read; stored tokens stay valid."""
    store.cache.tokens()
    assert not store.cache.may_spill()
    for attempt in range(1, 4):
        store.error, store.now = DOWN, 100 * attempt
        assert not store.cache.refresh()
        assert store.cache.tokens() == {"main": ["a"]}
        assert sum(store.cache.may_spill() for _ in range(100)) == MAX_SPILLED
    store.error, store.now = None, 1000
    assert not store.cache.refresh()
    assert not store.cache.may_spill()


def start(ssm, answers):
    """Start an environment at time 0; return the seconds until its first read is over, its cache.

    `ssm` counts the answers of each second, `answers` is how many there are in one.
    """
    clock = [0.0]

    def read():
        if ssm[int(clock[0])] >= answers:
            raise BUSY
        ssm[int(clock[0])] += 1
        return {"main": "a"}

    def sleep(seconds):
        clock[0] += seconds

    cache = TokenCache(read, lambda: clock[0], sleep)
    cache.tokens()
    return clock[0], cache


def test_a_storm_of_cold_starts_is_spread_over_two_seconds():
    """Seventy-five environments at once get their tokens from an SSM that answers 40 a second."""
    ssm = Counter()
    started = [start(ssm, 40) for _ in range(75)]
    assert all(cache.tokens() for _, cache in started)
    assert max(seconds for seconds, _ in started) <= FIRST_READ_SECONDS


def test_what_ssm_does_not_answer_in_time_is_spilled():
    """Of a thousand environments most go on without tokens, and their requests are spilled."""
    ssm = Counter()
    started = [start(ssm, 40) for _ in range(1000)]
    without = [cache for _, cache in started if not cache.tokens()]
    assert 800 < len(without) < 1000
    assert all(cache.may_spill() for cache in without)
    assert max(seconds for seconds, _ in started) <= FIRST_READ_SECONDS


@pytest.mark.parametrize("error", [DOWN, BUSY])
def test_only_a_throttled_first_read_is_repeated_at_once(error):
    """A sender waits for the first read; an SSM that is down costs a second each time."""
    slept = []
    store = Store({"main": "a"})
    store.cache = TokenCache(store.read, lambda: store.now, slept.append)
    if error is BUSY:
        store.cache.tokens()
        store.now = KEEP_SECONDS
    store.error = error
    store.cache.tokens()
    assert slept == []


def test_the_use_of_an_older_token_is_logged_once_a_minute(monkeypatch):
    """The newest stands first; `make rotate FINISH=1` waits for the older ones to go quiet."""
    logged = []
    monkeypatch.setattr(
        tokens.logger, "warning", lambda text, extra: logged.append((text, extra["portal"]))
    )
    store = Store({"main": "new\nold", "second": "b\nold b", "third": "c"})
    store.cache.tokens()
    for store.now in (5.0, 5.0 + OLDER_SECONDS - 1, 5.0 + OLDER_SECONDS):
        for portal, token in (("main", b"new"), ("main", b"old"), ("third", b"c")):
            store.cache.note_use(portal, token)
    store.cache.note_use("second", b"old b")
    assert logged == [(OLDER_USED, "main")] * 2 + [(OLDER_USED, "second")]

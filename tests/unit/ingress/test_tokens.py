"""relay.ingress.tokens: SSM is asked seldom, and not needed to go on."""

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.ingress.tokens import LOOK_SECONDS, MOST_DOUBTED, TokenCache
from relay.secret_cache import KEEP_SECONDS, RETRY_SECONDS

DOWN = EndpointConnectionError(endpoint_url="https://ssm")


class Store:
    """An SSM whose answer and clock are set by hand."""

    def __init__(self, tokens=None):
        self.tokens, self.error, self.reads, self.now = tokens or {}, None, 0, 0.0
        self.cache = TokenCache(self.read, lambda: self.now)

    def read(self):
        """Answer as it was set."""
        self.reads += 1
        if self.error:
            raise self.error
        return dict(self.tokens)


@pytest.fixture
def store():
    """Return a store with one portal's token."""
    return Store({"main": "a\n"})


def test_tokens_are_read_once_in_a_while(store):
    """A minute of requests reads once; after the time to keep them they are read again."""
    for store.now in (0, 60, KEEP_SECONDS - 1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert store.reads == 1
    store.now = KEEP_SECONDS
    store.cache.tokens()
    assert store.reads == 2


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "\n a \n\n\tb\n", "a\rb"])
def test_a_token_is_a_line_whatever_ends_it(text):
    """Line ends of any system, blank lines and spaces around a token are no part of it."""
    assert Store({"main": text}).cache.tokens() == {"main": ["a", "b"]}


def test_tokens_are_kept_while_ssm_is_down(store):
    """A filled cache outlives SSM, which is asked again only every few seconds."""
    store.cache.tokens()
    store.error = DOWN
    for store.now in (KEEP_SECONDS, KEEP_SECONDS + RETRY_SECONDS - 0.1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert (store.reads, store.cache.failed) == (2, DOWN)
    store.error, store.now = None, KEEP_SECONDS + 2 * RETRY_SECONDS
    store.cache.tokens()
    assert (store.reads, store.cache.failed) == (3, None)


def test_the_first_token_counts_soon():
    """An empty store is looked at again within seconds, but not for every request."""
    store = Store({"main": " \n"})
    for store.now in (0, LOOK_SECONDS - 0.1):
        assert store.cache.tokens() == {"main": []}
    assert store.reads == 1
    store.now, store.tokens = LOOK_SECONDS, {"main": "a"}
    assert store.cache.tokens() == {"main": ["a"]}


def test_unknown_tokens_cause_one_look_in_seconds(store):
    """However many forged tokens come, SSM is asked once in 5 s; a rotated token is found."""
    store.cache.tokens()
    store.now = LOOK_SECONDS
    assert not any(store.cache.look_again() for _ in range(1000))
    assert store.reads == 2
    store.tokens, store.now = {"main": "b"}, 2 * LOOK_SECONDS - 0.1
    assert not store.cache.look_again()
    store.now = 2 * LOOK_SECONDS
    assert store.cache.look_again()
    assert store.cache.tokens() == {"main": ["b"]}


def test_a_look_that_fails_brings_nothing_new(store):
    """With SSM down an unknown token is doubted a few times a look; stored ones stay valid."""
    store.cache.tokens()
    assert not store.cache.doubt()
    for attempt in range(1, 4):
        store.error, store.now = DOWN, 100 * attempt
        assert not store.cache.look_again()
        assert store.cache.tokens() == {"main": ["a"]}
        assert sum(store.cache.doubt() for _ in range(100)) == MOST_DOUBTED
    store.error, store.now = None, 1000
    assert not store.cache.look_again()
    assert not store.cache.doubt()

"""relay.ingress.tokens: SSM is asked seldom, and not needed to go on."""

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.ingress.tokens import EMPTY_SECONDS, KEEP_SECONDS, RETRY_SECONDS, TokenCache

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
    return Store({"main": ["a"]})


def test_tokens_are_read_once_in_a_while(store):
    """A minute of requests reads once; after the time to keep them they are read again."""
    for store.now in (0, 60, KEEP_SECONDS - 1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert store.reads == 1
    store.now = KEEP_SECONDS
    store.cache.tokens()
    assert store.reads == 2


def test_tokens_are_kept_while_ssm_is_down(store):
    """A filled cache outlives SSM, which is asked again only every few seconds."""
    store.cache.tokens()
    store.error = DOWN
    for store.now in (KEEP_SECONDS, KEEP_SECONDS + RETRY_SECONDS - 1):
        assert store.cache.tokens() == {"main": ["a"]}
    assert (store.reads, store.cache.failed) == (2, DOWN)
    store.error, store.now = None, KEEP_SECONDS + RETRY_SECONDS
    store.cache.tokens()
    assert (store.reads, store.cache.failed) == (3, None)


def test_the_first_token_counts_soon():
    """An empty store is looked at again within seconds, but not for every request."""
    store = Store()
    for store.now in (0, EMPTY_SECONDS - 1):
        assert store.cache.tokens() == {}
    assert store.reads == 1
    store.now, store.tokens = EMPTY_SECONDS, {"main": ["a"]}
    assert store.cache.tokens() == {"main": ["a"]}


def test_unknown_tokens_cause_one_look_a_minute(store):
    """However many forged tokens come, SSM is asked once a minute; a rotated token is found."""
    store.cache.tokens()
    assert not any(store.cache.look_again() for _ in range(1000))
    assert store.reads == 2
    store.tokens, store.now = {"main": ["b"]}, 59
    assert not store.cache.look_again()
    store.now = 60
    assert store.cache.look_again()
    assert store.cache.tokens() == {"main": ["b"]}


def test_a_look_that_fails_brings_nothing_new(store):
    """With SSM down an unknown token stays unknown and the known ones stay known."""
    store.cache.tokens()
    store.error = DOWN
    assert not store.cache.look_again()
    assert store.cache.tokens() == {"main": ["a"]}

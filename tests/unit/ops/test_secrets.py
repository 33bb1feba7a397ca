"""ops.secrets: a portal's tokens in order, and to whom a token belongs."""

import pytest

from ops.secrets import MAX_TOKENS, TOKENS, change_tokens, owner_of, tokens_of, with_token
from tests.parameter_store import ParameterStore

STORED = "/relay/relay/application-tokens/main"


def test_a_new_token_stands_before_the_older_ones_once():
    """The newest token is first, a repeated one is not stored twice."""
    assert with_token("c", ["b", "a"]) == ["c", "b", "a"]
    assert with_token("a", ["b", "a"]) == ["a", "b"]


def test_the_oldest_tokens_make_room():
    """Parameter Store takes 4 KB, so only the newest MAX_TOKENS tokens are kept."""
    older = [f"t{number}" for number in range(MAX_TOKENS)]
    assert with_token("new", older) == ["new", *older[:-1]]


def test_a_token_is_a_line_without_spaces_around_it():
    """Blank lines and spaces around tokens are ignored; a portal without tokens has none."""
    assert tokens_of({TOKENS: " a \n\n b"}) == ["a", "b"]
    assert tokens_of({}) == []


def test_the_owner_of_a_token_is_the_portal_that_stores_it():
    """A token that no portal stores has no owner."""
    secrets = {"main": {TOKENS: "a\nb"}, "second": {TOKENS: "c"}}
    assert owner_of("b", secrets) == "main"
    assert owner_of("c", secrets) == "second"
    assert owner_of("", secrets) is None


def add(store, token):
    """Store a token of portal main beside the older ones."""
    return change_tokens(store, "/relay/relay", "main", lambda older: with_token(token, older))


def test_the_first_token_of_a_portal_is_stored():
    """Nothing is stored before it."""
    store = ParameterStore()
    assert add(store, "a") == ["a"]
    assert add(store, "b") == ["b", "a"]
    assert store.parameters == {STORED: "b\na"}


def test_a_token_that_another_command_overwrote_is_not_lost_unseen():
    """Two commands read the same tokens: the later one says so, and both run again store both."""
    store = ParameterStore(**{STORED: "old"})
    store.meanwhile = lambda: add(store, "first")
    with pytest.raises(SystemExit, match="changed the tokens of main at the same time"):
        add(store, "second")
    add(store, "first")
    assert add(store, "second") == ["second", "first", "old"]

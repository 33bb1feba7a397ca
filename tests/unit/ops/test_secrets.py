"""ops.secrets: a portal's tokens in order, and to whom a token belongs."""

from ops.secrets import MAX_TOKENS, TOKENS, owner_of, tokens_of, with_token


def test_a_new_token_stands_before_the_older_ones_once():
    """The newest token is first, a repeated one is not stored twice."""
    assert with_token("c", ["b", "a"]) == "c\nb\na"
    assert with_token("a", ["b", "a"]) == "a\nb"


def test_the_oldest_tokens_make_room():
    """Parameter Store takes 4 KB, so only the newest MAX_TOKENS tokens are kept."""
    older = [f"t{number}" for number in range(MAX_TOKENS)]
    assert with_token("new", older).splitlines() == ["new", *older[:-1]]


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

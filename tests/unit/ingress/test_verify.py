"""relay.ingress.verify: only an exact token is the portal's."""

import contextlib
import hmac

import pytest

from relay.errors import InvalidTokenError
from relay.ingress import verify
from relay.ingress.verify import token_of, verify_token
from tests.conftest import TOKEN

TOKENS = {"main": ["old-token", TOKEN], "shop": ["секрет", ""]}


@pytest.mark.parametrize(
    ("token", "portal"), [(TOKEN, "main"), ("old-token", "main"), ("секрет", "shop")]
)
def test_a_stored_token_names_its_portal(token, portal):
    """Every stored token is accepted: the one before a rotation and a Cyrillic one too."""
    assert verify_token(token.encode(), TOKENS) == portal


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "нет", "\0", " "])
def test_any_other_token_is_refused_with_one_answer(token):
    """An empty token, a prefix, another case and another script raise one and the same error."""
    with pytest.raises(InvalidTokenError) as refusal:
        verify_token(token.encode(), TOKENS)
    assert str(refusal.value) == "auth[application_token] is not one of this relay's tokens"


@pytest.mark.parametrize("token", [TOKEN, "no", ""])
def test_every_token_costs_the_same_work(token, monkeypatch):
    """All stored tokens are compared, whichever token came and whichever matches."""
    compared = []
    original = hmac.compare_digest
    monkeypatch.setattr(
        verify.hmac, "compare_digest", lambda a, b: compared.append(len(a + b)) or original(a, b)
    )
    with contextlib.suppress(InvalidTokenError):
        verify_token(token.encode(), TOKENS)
    assert compared == [64] * 4


@pytest.mark.parametrize(
    "form",
    [{}, {"auth": "x"}, {"auth": ["x"]}, {"auth": {"application_token": ["x"]}}, {"auth": {}}],
)
def test_a_token_in_a_bad_shape_is_no_token(form):
    """A missing, a listed and a nested token are read as an empty one."""
    assert token_of(form) == b""


def test_a_lone_surrogate_can_not_break_the_comparison():
    """A token with a lone surrogate is still bytes that can be compared."""
    assert token_of({"auth": {"application_token": "\ud800"}}) == b"?"


def test_every_stored_token_is_compared_whatever_came():
    """A match does not end the comparison early, so its duration does not tell the position."""
    compared = []

    class Stored(list):
        def __iter__(self):
            for token in super().__iter__():
                compared.append(token)
                yield token

    tokens = {"main": Stored(["a", "b"]), "shop": Stored(["c"])}
    for token, owner in ((b"a", "main"), (b"b", "main"), (b"c", "shop")):
        compared.clear()
        assert verify_token(token, tokens) == owner
        assert compared == ["a", "b", "c"]

"""Which portal does a token belong to? Pure: only the arguments decide."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

from relay.errors import InvalidTokenError
from relay.ingress.form import Form, mapping


def token_of(form: Form) -> bytes:
    """Return the application token that came with a form; empty if none did, or in a bad shape."""
    token = mapping(form.get("auth")).get("application_token")
    return token.encode("utf-8", "replace") if isinstance(token, str) else b""


def verify_token(token: bytes, tokens: Mapping[str, Sequence[str]]) -> str:
    """Return the portal that owns the token; raises InvalidTokenError, always after the same work.

    `tokens` maps each portal to its tokens; during a rotation these are the new one and the old
    one. Digests are compared instead of tokens: they are equally long, so not even a token's length
    can be measured.
    """
    owner = owner_of(sha256(token).digest(), tokens)
    if not owner:
        raise InvalidTokenError("auth[application_token] is not one of this relay's tokens")
    return owner


def owner_of(digest: bytes, tokens: Mapping[str, Sequence[str]]) -> str:
    """Return the portal that owns the token with this digest, "" where none does.

    It compares all tokens, whichever matches.
    """
    owner = ""
    for portal, stored in tokens.items():
        for candidate in stored:
            if hmac.compare_digest(digest, sha256(candidate.encode()).digest()) and candidate:
                owner = portal
    return owner

"""The stored secrets of a stack's portals: application tokens, webhook URLs, robots' secrets."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

TOKENS = "application-tokens"
ROBOTS = "robots"
READ_URL, WRITE_URL = "webhook-urls/read", "webhook-urls/write"
BRANCHES = (TOKENS, READ_URL, WRITE_URL, ROBOTS)
MAX_TOKENS = 10  # of a portal; Parameter Store takes 4 KB


def stored_secrets(ssm: Any, prefix: str) -> dict[str, dict[str, str]]:
    """Return the secrets by portal and branch: {"main": {"application-tokens": "..."}}."""
    secrets: dict[str, dict[str, str]] = defaultdict(dict)
    for branch in BRANCHES:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=f"{prefix}/{branch}", WithDecryption=True
        )
        for parameter in (parameter for page in pages for parameter in page["Parameters"]):
            secrets[parameter["Name"].rpartition("/")[2]][branch] = parameter["Value"]
    return dict(secrets)


def tokens_of(secrets: dict[str, str]) -> list[str]:
    """Return a portal's tokens, the newest first."""
    return lines_of(secrets, TOKENS)


def lines_of(secrets: dict[str, str], branch: str) -> list[str]:
    """Return a portal's secrets of a branch that has one a line, the newest first."""
    lines = (line.strip() for line in secrets.get(branch, "").splitlines())
    return [line for line in lines if line]


def with_token(token: str, older: list[str]) -> list[str]:
    """Return a token before the older ones: events under way still bear those."""
    return list(dict.fromkeys([token, *older]))[:MAX_TOKENS]


def owner_of(token: str, secrets: dict[str, dict[str, str]]) -> str | None:
    """Return the portal that has this token, None where none has."""
    return next((portal for portal in secrets if token in tokens_of(secrets[portal])), None)


def store(ssm: Any, prefix: str, portal: str, secrets: dict[str, str]) -> None:
    """Store a portal's secrets by branch, encrypted."""
    for branch, value in secrets.items():
        ssm.put_parameter(
            Name=f"{prefix}/{branch}/{portal}", Value=value, Type="SecureString", Overwrite=True
        )


def change_tokens(
    ssm: Any, prefix: str, portal: str, change: Callable[[list[str]], list[str]]
) -> list[str]:
    """Store what `change` makes of a portal's tokens; return them, the newest first.

    Parameter Store has no conditional writes. The tokens are read just before the write, and its
    version shows whether another command wrote in between: then it exits.
    """
    name = f"{prefix}/{TOKENS}/{portal}"
    found = ssm.get_parameters(Names=[name], WithDecryption=True)["Parameters"]
    version = found[0]["Version"] if found else 0
    tokens = change(lines_of({TOKENS: found[0]["Value"]} if found else {}, TOKENS))
    stored = ssm.put_parameter(
        Name=name, Value="\n".join(tokens), Type="SecureString", Overwrite=True
    )
    if stored["Version"] != version + 1:
        raise SystemExit(
            f"another command changed the tokens of {portal} at the same time, and its token may "
            "be lost: run that one again, then this one"
        )
    return tokens


def own_secrets(portal: str, secrets: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return a portal's secrets by branch; exits where nothing of it is stored."""
    if portal in secrets:
        return secrets[portal]
    others = f"; connected: {', '.join(sorted(secrets))}" if secrets else ""
    raise SystemExit(f"portal {portal} is not connected: `make connect PORTAL={portal}`{others}")

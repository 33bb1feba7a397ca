"""The stored secrets of a stack's portals: application tokens, webhook URLs, robots' secrets."""

from collections import defaultdict
from typing import Any

TOKENS = "application-tokens"
ROBOTS = "robots"
READ_URL, WRITE_URL = "webhook-urls/read", "webhook-urls/write"
MAX_TOKENS = 10  # of a portal; Parameter Store takes 4 KB


def stored_secrets(ssm: Any, prefix: str) -> dict[str, dict[str, str]]:
    """Return the secrets by portal and branch: {"main": {"application-tokens": "..."}}."""
    secrets: dict[str, dict[str, str]] = defaultdict(dict)
    for branch in (TOKENS, READ_URL, WRITE_URL, ROBOTS):
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


def with_token(token: str, older: list[str]) -> str:
    """Return a token before the older ones, one a line: events under way still bear those."""
    return "\n".join(list(dict.fromkeys([token, *older]))[:MAX_TOKENS])


def owner_of(token: str, secrets: dict[str, dict[str, str]]) -> str | None:
    """Return the portal that has this token, None where none has."""
    return next((portal for portal in secrets if token in tokens_of(secrets[portal])), None)


def store(ssm: Any, prefix: str, portal: str, secrets: dict[str, str]) -> None:
    """Store a portal's secrets by branch, encrypted."""
    for branch, value in secrets.items():
        ssm.put_parameter(
            Name=f"{prefix}/{branch}/{portal}", Value=value, Type="SecureString", Overwrite=True
        )

"""Environment variables, secrets and AWS clients: no other module reads them, and none at import.

Secrets are in SSM Parameter Store below `SECRETS_PREFIX` (`/relay/<stack>`):

| parameter | holds |
|---|---|
| `application-tokens/<portal>` | the tokens of a portal's outgoing webhooks, one a line |
| `robots/<portal>` | the secrets in the addresses of a portal's robots, one a line |
| `webhook-urls/<read or write>/<portal>` | the URL of an incoming webhook |
| `secrets/<name>` | a secret that a reaction needs for another service than the portal |
"""

import logging
import os
import sys
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import Client
from relay.errors import ConfigurationError, StateError
from relay.secret_cache import KEEP_SECONDS, SecretCache

# At DEBUG these loggers write requests and answers: tokens of spilled requests, secrets of SSM. A
# level of their own stays when the root logger or `botocore` is set to DEBUG.
_LOGGERS_WITH_SECRETS = (
    *("auth", "awsrequest", "client", "endpoint", "hooks", "httpchecksum", "httpsession"),
    *("parsers", "regions", "retryhandler", "serialize", "utils"),
    *("retries.adaptive", "retries.standard", "retries.special"),
)
for _logger in ("", *(f".{name}" for name in _LOGGERS_WITH_SECRETS)):
    logging.getLogger(f"botocore{_logger}").setLevel(logging.INFO)


# The name of a task in each log line tells nobody anything. typeshed does not know the switch.
logging.logAsyncioTasks = False  # type: ignore[attr-defined]


# A log line with a lone surrogate, as half of an emoji in a text of people, would be lost.
if hasattr(sys.stdout, "reconfigure"):  # Lambda's is of a class of its own
    sys.stdout.reconfigure(errors="backslashreplace")


def drop_lower_lines() -> None:
    """Drop the lines below POWERTOOLS_LOG_LEVEL in this process.

    Lambda's own filter would drop the metrics too: it takes a line without a level for INFO.
    """
    level = logging.getLevelNamesMapping().get(os.environ.get("POWERTOOLS_LOG_LEVEL", ""), 0)
    if level > logging.INFO:
        logging.disable(level - 1)


drop_lower_lines()


def read(*names: str) -> list[str]:
    """Return environment variables; raises ConfigurationError that names all missing or empty."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} not set; deploy with template.yaml")
    return [os.environ[name] for name in names]


def flag(name: str) -> bool:
    """Return whether an environment variable is `true`."""
    return os.environ.get(name) == "true"


def in_lambda() -> bool:
    """Return whether this process runs in AWS Lambda."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


MISSING_SECONDS = 2  # before a missing secret is read again: a batch may need it a hundred times
_MODELS = Path(__file__).parents[1] / "aws-models"

_client_lock = threading.Lock()  # boto3's default session is not thread-safe


@cache
def client(service: str, *, read_seconds: float = 2, connections: int = 16) -> Client:
    """Return the process's client of an AWS service; it makes two short attempts at a request."""
    with _client_lock:
        if _MODELS.is_dir():  # made by ops/build.py
            os.environ.setdefault("AWS_DATA_PATH", str(_MODELS))
        return boto3.client(
            service,
            config=Config(
                connect_timeout=1,
                read_timeout=read_seconds,
                max_pool_connections=connections,
                # boto3's defaults (60 s, five attempts) are longer than a function's time.
                retries={"total_max_attempts": 2, "mode": "standard"},
                # boto3 would make its own anew for each request, an eighth of a request's time.
                user_agent=f"bitrix24-relay/{os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'local')}",
            ),
        )


def secrets(branch: str) -> dict[str, str]:
    """Return {name: secret} of a branch, read from SSM in one go; raises botocore's errors."""
    (prefix,) = read("SECRETS_PREFIX")
    path = f"{prefix}/{branch}"
    request = {"Path": path, "WithDecryption": True}
    values: dict[str, str] = {}
    while True:  # without boto3's paginator, whose model would have to be loaded
        answer = client("ssm").get_parameters_by_path(**request)
        values |= {
            parameter["Name"].removeprefix(path + "/"): parameter["Value"]
            for parameter in answer["Parameters"]
        }
        if not answer.get("NextToken"):
            return values
        request["NextToken"] = answer["NextToken"]


_caches: dict[str, SecretCache[str]] = {}


def _cached_secrets(branch: str, *names: str) -> list[str]:
    """Return secrets of a branch, "" for a missing one, which is re-read after MISSING_SECONDS.

    Raises StateError if SSM fails and a secret is missing in the values read before.
    """
    cache = _caches.setdefault(branch, SecretCache(lambda: secrets(branch)))
    try:
        for max_age in (KEEP_SECONDS, MISSING_SECONDS):
            stored = cache.values(max_age)
            values = [stored.get(name, "").strip() for name in names]
            if all(values):
                return values
        error = cache.error
    except (BotoCoreError, ClientError) as trouble:
        error = trouble
    if error:
        raise StateError(f"SSM Parameter Store: {error}") from error.with_traceback(None)
    return values


def webhook_url(kind: str, portal: str) -> str:
    """Return a stored URL (`read`, `write`); raises ConfigurationError and StateError."""
    branch = f"webhook-urls/{kind}"
    (url,) = _cached_secrets(branch, portal)
    if not url:
        raise missing_secrets([f"{branch}/{portal}"])
    return url


def is_alone(kind: str) -> bool:
    """Return whether the webhooks that were read last are those of one portal."""
    cache = _caches.get(f"webhook-urls/{kind}")
    return cache is not None and len(cache.values()) == 1


def own_secrets(*names: str) -> list[str]:
    """Return the secrets of these names below `secrets/`, for a reaction's own use.

    The reaction's mapping entry must have `Secrets: secrets`. Raises ConfigurationError that names
    all missing or empty secrets, StateError if SSM fails.
    """
    values = _cached_secrets("secrets", *names)
    missing = [f"secrets/{name}" for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise missing_secrets(missing, "store it there")
    return values


def forget() -> None:
    """Drop all clients and cached secrets, for tests."""
    client.cache_clear()
    _caches.clear()


def missing_secrets(names: Iterable[str], remedy: str = "run `make connect`") -> ConfigurationError:
    """Return the error that names secrets which are missing or empty, and the remedy."""
    (prefix,) = read("SECRETS_PREFIX")
    listed = ", ".join(f"{prefix}/{name}" for name in names)
    return ConfigurationError(f"{listed} missing or empty in SSM Parameter Store; {remedy}")

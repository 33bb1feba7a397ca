"""The environment and the secrets: the only place that reads either, and not before it is asked.

Secrets live in SSM Parameter Store below `SECRETS_PREFIX` (`/relay/<stack>`):
`application-tokens/<portal>` holds one token a line, `webhook-urls/<read|write>/<portal>` a URL,
`secrets/<name>` what a reaction needs for others than the portal.
"""

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from relay.errors import ConfigurationError, StateError
from relay.secret_cache import SecretCache

# At DEBUG they write down what is sent and answered: tokens of spilled requests, SSM's secrets. A
# level of each one's own outlasts a DEBUG of the root logger or of `botocore`.
_TALKATIVE = (
    "auth",
    "awsrequest",
    "client",
    "endpoint",
    "hooks",
    "httpchecksum",
    "httpsession",
    "parsers",
    "regions",
    "retryhandler",
    "retries.adaptive",
    "retries.standard",
    "retries.special",
    "serialize",
    "utils",
)
for _logger in ("", *(f".{name}" for name in _TALKATIVE)):
    logging.getLogger(f"botocore{_logger}").setLevel(logging.INFO)


def read(*names: str) -> list[str]:
    """Return the environment variables of these names; names all that are missing or empty."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} not set; deploy with template.yaml")
    return [os.environ[name] for name in names]


def flag(name: str) -> bool:
    """Say whether a switch is on: set to `true`."""
    return os.environ.get(name) == "true"


def in_lambda() -> bool:
    """Say whether this process is a Lambda function's environment."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


MISSING_SECONDS = 2  # a batch of a hundred records must not ask a hundred times
_MODELS = Path(__file__).parents[1] / "aws-models"

_making = threading.Lock()  # a boto3 session is not safe to make clients from in two threads


@cache
def _client(service: str, connect_seconds: float, read_seconds: float, connections: int) -> Any:
    with _making:
        if _MODELS.is_dir():  # made by ops/build.py
            os.environ.setdefault("AWS_DATA_PATH", str(_MODELS))
        return boto3.client(
            service,
            config=Config(
                connect_timeout=connect_seconds,
                read_timeout=read_seconds,
                max_pool_connections=connections,
                # With boto3's defaults (60 s, five attempts) nothing after the call would be tried.
                retries={"total_max_attempts": 2, "mode": "standard"},
            ),
        )


def client(
    service: str, *, connect_seconds: float = 1, read_seconds: float = 2, connections: int = 16
) -> Any:
    """Return this process's AWS client of a service; it gives up after two short attempts."""
    return _client(service, connect_seconds, read_seconds, connections)


def secrets(branch: str) -> dict[str, str]:
    """Return every secret below a branch of the prefix by its last name, in one go.

    Raises botocore's errors where SSM does not answer.
    """
    (prefix,) = read("SECRETS_PREFIX")
    path = f"{prefix}/{branch}"
    ask = {"Path": path, "WithDecryption": True}
    found: dict[str, str] = {}
    while True:  # by hand: a paginator would load a model of its own
        answer = client("ssm").get_parameters_by_path(**ask)
        found |= {
            parameter["Name"].removeprefix(path + "/"): parameter["Value"]
            for parameter in answer["Parameters"]
        }
        if not answer.get("NextToken"):
            return found
        ask["NextToken"] = answer["NextToken"]


_caches: dict[str, SecretCache] = {}


def _kept_secrets(branch: str, *names: str) -> list[str]:
    """Return secrets of a branch, empty where there is none; a missing one is looked for soon."""
    cached = _caches.setdefault(branch, SecretCache(lambda: secrets(branch)))
    found = _stripped(cached.values(), names)
    if not all(found):
        found = _stripped(cached.values(MISSING_SECONDS), names)
        if not all(found) and cached.failed:
            raise cached.failed.with_traceback(None)
    return found


def _stripped(values: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [values.get(name, "").strip() for name in names]


def webhook_url(kind: str, portal: str) -> str:
    """Return the URL that is stored for a portal; `kind` is `read` or `write`.

    Raises ConfigurationError where there is none, botocore's errors where SSM does not answer.
    """
    branch = f"webhook-urls/{kind}"
    (url,) = _kept_secrets(branch, portal)
    if not url:
        raise missing_secrets([f"{branch}/{portal}"])
    return url


def own_secrets(*names: str) -> list[str]:
    """Return what a reaction of yours keeps below `secrets/`; names all that are missing or empty.

    Its mapping entry must say `Secrets: secrets`. Raises StateError where SSM does not answer.
    """
    try:
        found = _kept_secrets("secrets", *names)
    except (BotoCoreError, ClientError) as trouble:
        raise StateError(f"SSM Parameter Store: {trouble}") from trouble
    missing = [f"secrets/{name}" for name, value in zip(names, found, strict=True) if not value]
    if missing:
        raise missing_secrets(missing, "store it there")
    return found


def forget() -> None:
    """Make every client and every secret be read anew."""
    _client.cache_clear()
    _caches.clear()


def missing_secrets(names: Iterable[str], remedy: str = "run `make connect`") -> ConfigurationError:
    """Return the one error for all the secrets that are missing or empty."""
    (prefix,) = read("SECRETS_PREFIX")
    listed = ", ".join(f"{prefix}/{name}" for name in names)
    return ConfigurationError(f"{listed} missing or empty in SSM Parameter Store; {remedy}")

"""Any change -> JSON to a URL of yours, signed as the Standard Webhooks specification says.

The receiver recognises a repeat by `webhook-id`: it is the change's id, however often it is sent.
"""

import asyncio
import base64
import hmac
import time
from functools import cache

import requests

from relay import settings
from relay.change import Change
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.reaction import reaction

TIMEOUT_SECONDS = (3, 10)  # to connect, to answer
OK_STATUSES = range(200, 300)
RETRY_STATUSES = {408, 425, 429, *range(500, 1000)}
OPERATOR_STATUSES = {*range(300, 400), 401, 403, 404, 410}  # the URL or the key is wrong


@reaction
async def post_json(change: Change) -> None:
    """Any change -> POST to `secrets/post-json-url`."""
    await asyncio.to_thread(_post, change)


def _post(change: Change) -> None:
    url, key = settings.own_secrets("post-json-url", "post-json-key")
    if not url.startswith("https://"):
        raise ConfigurationError("the secret post-json-url is no https address")
    body = change.to_json().encode()
    try:
        answer = session().post(
            url,
            data=body,
            headers=signed(change.change_id, int(time.time()), body, key),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,  # a signature is meant for one receiver
        )
    except (requests.exceptions.InvalidURL, UnicodeError):
        raise ConfigurationError("the secret post-json-url is no https address") from None
    except requests.RequestException as error:  # its text and its cause contain the URL
        raise TransientError("post_json", type(error).__name__, "no answer") from None
    _judge(answer.status_code)


@cache
def session() -> requests.Session:
    """Return this process's session with the receiver."""
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor a .netrc of the environment
    return session


def signed(change_id: str, seconds: int, body: bytes, key: str) -> dict[str, str]:
    """Return the headers of a message; `key` is base64, with or without `whsec_` before it.

    `seconds` is the time since 1970. Raises ConfigurationError for an empty key or no base64.
    """
    try:
        raw_key = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ConfigurationError("the secret post-json-key is no base64") from None
    if not raw_key:  # anybody could sign with it
        raise ConfigurationError("the secret post-json-key is empty")
    content = f"{change_id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(raw_key, content, "sha256")).decode()
    return {
        "content-type": "application/json",
        "user-agent": "bitrix24-relay",
        "webhook-id": change_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }


def _judge(status: int) -> None:
    """Raise the error that makes a record come back, wait for an operator, or be dead-lettered."""
    if status in OK_STATUSES:
        return
    if status in RETRY_STATUSES:
        raise TransientError("post_json", str(status), "the receiver is busy or broken")
    if status in OPERATOR_STATUSES:
        raise OperatorError("post_json", str(status), "check post-json-url and post-json-key")
    raise PermanentError("post_json", str(status), "the receiver refuses this change")


handler = post_json.handler

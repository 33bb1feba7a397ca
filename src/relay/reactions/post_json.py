"""Any change -> JSON to a URL of yours, signed as Standard Webhooks say.

The receiver knows a repeat by `webhook-id`: it is the change's own, however often it is delivered.
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
OK, WRONG_ADDRESS = range(200, 300), {*range(300, 400), 401, 403, 404, 410}
BUSY, BROKEN = {408, 425, 429}, 500


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
    except requests.RequestException as error:  # its text and its cause have the URL in them
        raise TransientError("post_json", type(error).__name__, "no answer") from None
    _judge(answer.status_code)


@cache
def session() -> requests.Session:
    """Return this process's connections to the receiver."""
    its = requests.Session()
    its.trust_env = False  # no proxy and no .netrc of somebody's
    return its


def signed(change_id: str, seconds: int, body: bytes, key: str) -> dict[str, str]:
    """Return the headers of a message; `key` is base64, with or without `whsec_` before it."""
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
    """Raise what makes the record come back, wait for a person, or be put aside."""
    if status in OK:
        return
    if status in BUSY or status >= BROKEN:
        raise TransientError("post_json", str(status), "the receiver can't take it now")
    if status in WRONG_ADDRESS:
        raise OperatorError("post_json", str(status), "is the URL right, and the key?")
    raise PermanentError("post_json", str(status), "the receiver refuses this change")


handler = post_json.handler

"""A pasted URL -> host, user id and secret of an incoming webhook.

An incoming webhook is `https://<portal>/rest/<user id>/<secret>/` (rest-protocol 1.1). Whoever has
the secret may do all that the user may, so no text that this module returns or raises shows it.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from relay.errors import ConfigurationError

_EXAMPLE = "https://your-portal.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/"
_TOKEN = re.compile(r"[A-Za-z0-9]{20,}")
_SECRET = re.compile(r"[A-Za-z0-9_-]+")
_OAUTH_HOST = re.compile(r"oauth\.(bitrix\.info|bitrix24\.[a-z.]+)")


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """Address and credential of one incoming webhook; prints without its secret."""

    host: str
    user_id: int
    secret: str
    scheme: str = "https"

    @classmethod
    def parse(cls, url: str, *, allow_http: bool = False, portal: str | None = None) -> Self:
        """Return the webhook of a pasted URL, which may have a method and parameters too.

        `portal` is the host that the URL must have, None for any. Raises ConfigurationError that
        names the mistake and does not repeat the URL.
        """
        address = _split(url.strip())
        if address.scheme != "https" and not (allow_http and address.scheme == "http"):
            raise _wrong("it begins with http://, Bitrix24 takes https:// only")
        host = _host(address)
        if portal is not None and host != portal.lower():
            raise _wrong(f"it belongs to {host}, not to {portal}")
        user_id, secret = _credential(host, address)
        return cls(host, user_id, secret, address.scheme)

    def url(self, method: str) -> str:
        """Return the secret address of a REST method."""
        return f"{self.scheme}://{self.host}/rest/{self.user_id}/{self.secret}/{method}.json"

    def mask(self, text: str) -> str:
        """Return a text with `***` in place of the secret."""
        return text.replace(self.secret, "***")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/rest/{self.user_id}/***/"

    def __repr__(self) -> str:
        return f"<Webhook {self}>"


def _wrong(mistake: str) -> ConfigurationError:
    return ConfigurationError(f"not an incoming webhook: {mistake}; it looks like {_EXAMPLE}")


def _split(text: str) -> SplitResult:
    if not text:
        raise _wrong("it is empty")
    if _TOKEN.fullmatch(text):
        raise _wrong("it is a single token, perhaps that of an outgoing webhook")
    if "://" not in text:
        text = f"https://{text}"
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        address = SplitResult("", "", "", "", "")
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise _wrong("it is no web address")
    if address.username is not None:
        raise _wrong("it has a user name before the portal's host")
    return address


def _host(address: SplitResult) -> str:
    try:
        name = (address.hostname or "").encode("idna").decode()
    except UnicodeError:
        raise _wrong("its portal is no host name") from None
    if _OAUTH_HOST.fullmatch(name):
        raise _wrong("it is Bitrix24's OAuth server")
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{address.port}" if address.port else name


def _credential(host: str, address: SplitResult) -> tuple[int, str]:
    folders = [folder for folder in address.path.split("/") if folder]
    if not folders or folders.pop(0) != "rest":
        raise _wrong(f"its path on {host} does not begin with /rest/")
    if folders[:1] == ["api"]:
        del folders[0]
    if not folders or "auth=" in address.query:
        raise _wrong("it is the address for OAuth, without a webhook's user id and secret")
    user, *rest = folders
    if not (user.isascii() and user.isdecimal() and int(user)):
        raise _wrong("the user id is missing after /rest/")
    if not rest:
        raise _wrong("the secret is missing after the user id")
    if not _SECRET.fullmatch(rest[0]):
        raise _wrong("the part after the user id is no secret (letters and digits)")
    return int(user), rest[0]

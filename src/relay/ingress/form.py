"""Request -> form: API Gateway's text becomes the nested values that PHP sent.

Bitrix24 is PHP, so its forms are read as PHP reads them: `a[b]=1`, `a[]=1`, and the last of two
equal names wins. Bytes that can't be decoded are replaced: an event is sent once, and a broken byte
in somebody's text is no reason to lose it.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from relay.cloudevent import Parsed
from relay.errors import MalformedRequestError, RequestTooLargeError, UnsupportedMediaTypeError

MAX_BODY_BYTES = 240 * 1024  # the event made of it, which is larger, fits SNS's 256 KiB
MAX_FIELDS = 10_000  # max_input_vars of Bitrix24's own PHP
LAST_FIELDS = 100  # the token stands at the end of a form
MAX_DEPTH = 64  # PHP's max_input_nesting_level

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

type Form = dict[str, Parsed]
type Request = Mapping[str, Parsed]  # of API Gateway, payload format 2.0


def read_form(request: Request) -> Form:
    """Return the form in a request (payload format 2.0); raises RejectedRequestError."""
    http = mapping(mapping(request.get("requestContext")).get("http"))
    if http.get("method", "POST") != "POST":
        raise MalformedRequestError("only POST is served")
    content_type = mapping(request.get("headers")).get("content-type")
    media_type = str(content_type).partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaTypeError("send application/x-www-form-urlencoded")
    return parse_form(_read_body(request))


def mapping(value: Parsed) -> Mapping[str, Parsed]:
    """Return an object of a request, empty for any other value."""
    return value if isinstance(value, Mapping) else {}


def _read_body(request: Request) -> bytes:
    text = request.get("body")
    if not isinstance(text, str):
        text = ""
    if not request.get("isBase64Encoded"):
        body = text.encode("utf-8", "replace")
    else:
        try:
            body = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequestError(
                "isBase64Encoded is set, but the body is no base64"
            ) from None
    if len(body) > MAX_BODY_BYTES:
        raise RequestTooLargeError(
            f"a body may have {MAX_BODY_BYTES} bytes, this one has {len(body)}"
        )
    return body


def parse_form(body: bytes) -> Form:
    """Return a form's nested values: dicts, lists (of keys 0..n-1) and strings.

    Invalid UTF-8 becomes U+FFFD, a bad percent-encoding stays as it is. Of more than MAX_FIELDS
    fields only the first and the last are read; a field nested deeper than MAX_DEPTH is left out.
    """
    form: Form = {}
    next_index: dict[int, int] = {}  # container's id() -> the key that its next `[]` gets
    fields = body.decode("latin-1").split("&")
    if len(fields) > MAX_FIELDS:
        fields[MAX_FIELDS - LAST_FIELDS : -LAST_FIELDS] = []
    for field in fields:
        name, _, value = field.partition("=")
        path = _path(unquote_plus(_utf8(name)))
        if name and len(path) <= MAX_DEPTH:
            _put(form, path, unquote_plus(_utf8(value)), next_index)
    return {name: _listed(value) for name, value in form.items()}


def _utf8(text: str) -> str:
    """Percent-encode the bytes beyond ASCII of a latin-1 text, so that all are decoded together."""
    if text.isascii():
        return text
    return "".join(char if char.isascii() else f"%{ord(char):02X}" for char in text)


def _path(name: str) -> list[str]:
    """Return the keys in a field's name: `a[b][]` -> ["a", "b", ""]; a key ends at the first `]`.

    Text behind the last bracket is ignored, as in PHP; a name without a pair of brackets is one
    key.
    """
    root, _, rest = name.partition("[")
    if not root or "]" not in rest:
        return [name]
    path, bracket = [root], "["
    while bracket == "[" and "]" in rest:
        key, _, rest = rest.partition("]")
        path.append(key)
        bracket, rest = rest[:1], rest[1:]
    return path


def _put(form: Form, path: list[str], value: str, next_index: dict[int, int]) -> None:
    *parents, last = path
    container = form
    for part in parents:
        key = _key(container, part, next_index)
        inner = container.get(key)
        if not isinstance(inner, dict):
            inner = container[key] = {}
            next_index.pop(id(inner), None)  # may be the id of a container that was overwritten
        container = inner
    container[_key(container, last, next_index)] = value


def _key(container: Form, part: str, next_index: dict[int, int]) -> str:
    following = next_index.get(id(container), 0)
    key = part or str(following)
    if _INDEX.fullmatch(key):
        next_index[id(container)] = max(following, int(key) + 1)
    return key


def _listed(value: Parsed) -> Parsed:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    if all(key == str(position) for position, key in enumerate(inner)):
        return list(inner.values())
    return inner

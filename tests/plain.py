"""Everything that is stored or published, in plain text: what a test greps must be readable.

Rows are zlib, spilled bodies base64, messages JSON within JSON: a secret in one of them is
nowhere in the bytes as they lie there.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from urllib.parse import unquote_plus

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
MOST_LAYERS = 8


def plain(value, layers=MOST_LAYERS):
    """Return a value and all that is packed into it as one text."""
    if not layers:
        return ""
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return "\n".join(plain(one, layers) for one in value)
    if hasattr(value, "value"):  # boto3's Binary
        value = value.value
    if isinstance(value, bytes | bytearray):
        return _of_bytes(bytes(value), layers)
    return _of_text(str(value), layers) if value is not None else ""


def _of_bytes(value, layers):
    for window in (zlib.MAX_WBITS, zlib.MAX_WBITS | 16):  # zlib, gzip
        try:
            inside = zlib.decompressobj(window).decompress(value)
        except zlib.error:
            continue
        if inside:
            return plain(inside, layers - 1)
    return _of_text(value.decode("utf-8", "replace"), layers)


def _of_text(text, layers):
    parts = [text]
    try:
        inside = json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(inside, str | list | dict):  # a number's text is there already
            parts.append(plain(inside, layers - 1))
    if "%" in text:
        parts.append(unquote_plus(text))
    for found in _BASE64.findall(text):
        digits = found.rstrip("=").translate(_URL_SAFE)
        try:
            inside = base64.b64decode(digits + "=" * (-len(digits) % 4))
        except binascii.Error:
            continue
        parts.append(plain(inside, layers - 1))
    return "\n".join(parts)

"""Everything that is stored or published, in plain text: what a test greps must be readable.

Rows are zlib, spilled bodies base64, messages JSON within JSON: a secret in one of them is
nowhere in the bytes as they lie there, and an address may be percent-encoded or escaped.
"""

import base64
import binascii
import codecs
import json
import re
import zlib
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

MOST_LAYERS = 6
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_ESCAPE = re.compile(rb"(\\(?:[\\'\"abfnrtv]|x[0-9a-fA-F]{2}))|\\")
_UNICODE_ESCAPES = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
_ZLIB, _GZIP, _DEFLATE = zlib.MAX_WBITS, zlib.MAX_WBITS | 16, -zlib.MAX_WBITS


def plain(value):
    """Return a value and all that is packed, escaped or encoded in it as one text."""
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return "\n".join(map(plain, value))
    if hasattr(value, "value"):  # boto3's Binary
        value = value.value
    raw = value if isinstance(value, bytes | bytearray) else str(value).encode("utf-8", "replace")
    found = new = {bytes(raw)}
    for _ in range(MOST_LAYERS):
        new = {inside for one in new for inside in _decoded(one)} - found
        found = found | new
    return "\n".join(one.decode("utf-8", "replace") for one in found)


def _decoded(raw):
    """Yield what bytes hold one layer below."""
    if b"%" in raw or b"+" in raw:
        yield unquote_to_bytes(raw.replace(b"+", b" "))
    if b"\\" in raw:
        yield codecs.escape_decode(_ESCAPE.sub(lambda known: known[1] or rb"\\", raw))[0]
        yield _UNICODE_ESCAPES.sub(_characters, raw)
    yield from _decompressed(raw, _ZLIB, _GZIP)
    for run in _BASE64.findall(raw):
        digits = run.rstrip(b"=").translate(_STANDARD)
        try:
            inside = base64.b64decode(digits + b"=" * (-len(digits) % 4))
        except binascii.Error:
            continue
        yield inside
        yield from _decompressed(inside, _DEFLATE)


def _characters(escapes):
    return json.loads(f'"{escapes[0].decode()}"').encode("utf-8", "replace")


def _decompressed(raw, *windows):
    for window in windows:
        try:
            yield zlib.decompressobj(window).decompress(raw)
        except zlib.error:
            continue

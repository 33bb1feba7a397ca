"""What a text says once it is decoded: a secret must not hide from a test in another spelling."""

import base64
import binascii
import codecs
import json
import re
import zlib
from urllib.parse import unquote_plus

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")


def readings(raw: bytes, depth: int = 3) -> set[bytes]:
    """Return raw bytes and what they hold percent-encoded, escaped, in base64 or compressed."""
    found, new = {raw}, {raw}
    for _ in range(depth):
        new = {reading for one in new for reading in _decoded(one)} - found
        found |= new
    return found


def says(text: str, secret: str) -> bool:
    """Return whether a text holds a secret in any spelling."""
    wanted = secret.encode()
    return any(wanted in one for one in readings(text.encode("utf-8", "replace")))


def _decoded(raw):
    yield unquote_plus(raw.decode("latin-1")).encode("latin-1", "replace")
    yield codecs.escape_decode(re.sub(rb"\\(?![\\'\"abfnrtvx0-7])", rb"\\\\", raw).rstrip(b"\\"))[0]
    yield re.sub(
        rb"\\u([0-9a-fA-F]{4})",
        lambda found: json.loads(f'"\\u{found[1].decode()}"').encode("utf-8", "replace"),
        raw,
    )
    for run in _BASE64.findall(raw):
        try:
            plain = base64.b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
        except binascii.Error:
            continue
        yield plain
        for wbits in (zlib.MAX_WBITS, 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
            try:
                yield zlib.decompressobj(wbits).decompress(plain)
            except zlib.error:
                continue

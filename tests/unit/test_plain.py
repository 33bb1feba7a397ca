"""tests.plain: what is packed is found."""

import base64
import gzip
import json
import zlib

import pytest

from tests.plain import plain

SECRET = "s3cr3t-of-a-webhook"
URL = f"https://a.example/rest/1/{SECRET}/"
TEXT = json.dumps({"item": {"url": URL}})


@pytest.mark.parametrize(
    "packed",
    [
        SECRET,
        SECRET.encode(),
        zlib.compress(TEXT.encode()),
        gzip.compress(TEXT.encode(), mtime=0),
        base64.b64encode(zlib.compress(TEXT.encode())).decode(),
        base64.urlsafe_b64encode(b"?>" * 20 + TEXT.encode()).decode(),
        json.dumps({"Message": json.dumps({"body": base64.b64encode(TEXT.encode()).decode()})}),
        base64.b64encode(base64.b64encode(SECRET.encode())),
        json.dumps(SECRET).replace("-", "\\u002d"),
        json.dumps({"a": json.dumps({"b": SECRET})}).replace("-", "\\u002d"),
        SECRET.replace("-", "%2D"),
        {"writes": {"B": zlib.compress(TEXT.encode())}},
        [{SECRET: None}],
    ],
)
def test_what_is_packed_is_found(packed):
    """In rows, in messages, in bodies, in names."""
    assert SECRET in plain({"some": [packed]})
    assert "another-secret" not in plain(packed)

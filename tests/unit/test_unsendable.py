"""relay.unsendable: the documented set of SQS, character by character."""

import json
import sys

from relay.unsendable import IN_JSON, IN_TEXT

# "Unicode characters allowed in a message", SQS API reference of SendMessage.
ALLOWED = [(0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF)]


def is_allowed(text):
    """Return whether SQS takes a text."""
    return all(any(low <= ord(c) <= high for low, high in ALLOWED) for c in text)


def test_a_text_has_no_character_left_that_sqs_refuses():
    """IN_TEXT matches exactly the characters that SQS's documentation does not allow."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    allowed = "".join(everything[low : high + 1] for low, high in ALLOWED)
    assert IN_TEXT.sub("", everything) == allowed


def test_json_has_no_character_left_that_sqs_refuses():
    """IN_JSON matches the characters that JSON does not escape and SQS does not allow."""
    for code in [*range(0x100), *range(0xD7FF, 0xE001), *range(0xFFFD, 0x10001)]:
        text = json.dumps(chr(code), ensure_ascii=False)
        assert is_allowed(IN_JSON.sub("", text))
        assert bool(IN_JSON.search(text)) is not is_allowed(text)

"""relay.cloudevent: one envelope for events and changes, and nothing else is taken for it."""

import json

import pytest

from relay.cloudevent import Envelope
from relay.errors import NotOursError

ENVELOPE = Envelope("1", "main", "com.bitrix24.deal.updated", "2026-03-01", {"a": "Ё"}, "deal/662")
DOCUMENT = json.loads(ENVELOPE.to_json())


def test_an_envelope_is_a_cloudevent():
    """The JSON has the attributes that CloudEvents 1.0 requires, and the portal in its source."""
    assert DOCUMENT == {
        "specversion": "1.0",
        "id": "1",
        "source": "urn:bitrix24:main",
        "type": "com.bitrix24.deal.updated",
        "subject": "deal/662",
        "time": "2026-03-01",
        "datacontenttype": "application/json",
        "data": {"a": "Ё"},
    }


def test_an_envelope_is_read_back():
    """Everything but the subject, which the data repeats, is read back; extensions are ignored."""
    assert Envelope.of(DOCUMENT | {"traceparent": "00"}, "com.") == ENVELOPE._replace(subject=None)


def test_letters_of_any_script_are_written_as_they_are():
    """A Cyrillic letter takes two bytes, not the six of its escape: messages have a limit."""
    assert '"a":"Ё"' in ENVELOPE.to_json()


def test_a_character_that_sqs_refuses_is_spelt_in_ascii():
    """A lone surrogate and a noncharacter are escaped, and read back."""
    text = ENVELOPE._replace(data={"a": "\ud800\ufffe"}).to_json()
    assert text.encode()
    assert json.loads(text)["data"] == {"a": "\ud800\ufffe"}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "list instead of an object"),
        ("x", "str instead of an object"),
        (None, "NoneType instead of an object"),
        ({}, "specversion is None, not 1.x"),
        (DOCUMENT | {"specversion": "2.0"}, "specversion is 2.0, not 1.x"),
        *((DOCUMENT | {name: 5}, "needed") for name in ("id", "source", "type", "time", "data")),
        (DOCUMENT | {"type": "org.example"}, "type is 'org.example', not com.bitrix24"),
    ],
)
def test_another_document_is_refused(document, reason):
    """A document that is no CloudEvent of the wanted type raises NotOursError with the reason."""
    with pytest.raises(NotOursError, match=reason):
        Envelope.of(document, "com.bitrix24.")

"""relay.reactions.tidy_phone: which methods it calls, with what."""

import asyncio
from dataclasses import replace

import pytest

from relay.change import Fields
from relay.portal.fake import FakePortal
from relay.reactions.tidy_phone import tidy, tidy_phone
from tests.samples import load

CHANGE = load("sqs_contact_phone_changed")


def test_only_the_phone_that_is_untidy_is_written():
    """The phone's row is updated by its id; e-mails and tidy numbers stay."""
    portal = FakePortal({"crm.item.update": {"item": {}}})
    asyncio.run(tidy_phone(CHANGE, portal))
    row = {"id": 7, "typeId": "PHONE", "valueType": "WORK", "value": "+74951234567"}
    assert portal.calls == [
        ("crm.item.update", {"entityTypeId": 3, "id": "89", "fields": {"fm": {7: row}}})
    ]


@pytest.mark.parametrize(
    "fields",
    [{}, {"fm": [{"id": 1, "typeId": "PHONE", "value": "+74951234567", "valueType": "WORK"}]}],
)
def test_a_contact_whose_phones_are_tidy_costs_no_call(fields):
    """A change of tidy numbers, such as the reaction's own write, causes no call."""
    portal = FakePortal()
    asyncio.run(tidy_phone(replace(CHANGE, changed=("fm",), after=Fields(fields)), portal))
    assert portal.calls == []


@pytest.mark.parametrize(
    ("typed", "dialled"),
    [
        ("8 (495) 123-45-67", "+74951234567"),
        ("+7 495 123.45.67", "+74951234567"),
        ("00 49 9061 23456", "+49906123456"),
        ("+74951234567", "+74951234567"),
        ("123-45-67", "123-45-67"),
        ("495 123-45-67", "495 123-45-67"),
        ("8 495 123-45-67 ext. 12", "8 495 123-45-67 ext. 12"),
        ("+", "+"),
        ("", ""),
    ],
)
def test_a_number_becomes_what_is_dialled_where_that_is_certain(typed, dialled):
    """A number gets its country's code; one with an extension stays as it was typed."""
    assert tidy(typed) == dialled
    assert tidy(dialled) == dialled

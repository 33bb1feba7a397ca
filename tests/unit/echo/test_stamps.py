"""relay.echo.stamps: the fields by which a create is found again."""

import pytest

from relay.echo.stamps import put_on, stamp_of

ORIGIN = {"originatorId": "bitrix24-relay", "originId": "relay-key"}


OLD_ORIGIN = {"ORIGINATOR_ID": "bitrix24-relay", "ORIGIN_ID": "relay-key"}


@pytest.mark.parametrize(
    ("method", "params", "fields"),
    [
        *(("crm.item.add", {"entityTypeId": n, "fields": {}}, ORIGIN) for n in (1, 2, 3, "4")),
        *(
            ("crm.item.add", {"entityTypeId": n, "fields": {}}, {"xmlId": "relay-key"})
            for n in (31, 128, 1_032)
        ),
        *(("crm.item.add", {"entityTypeId": n, "fields": {}}, None) for n in (0, 5, 30, 32, 127)),
        ("crm.item.add", {"fields": {}}, None),
        *(
            (f"CRM.{name}.add", {"fields": {}}, OLD_ORIGIN)
            for name in ("Lead", "deal", "contact", "company")
        ),
        ("crm.quote.add", {"fields": {}}, None),
        ("crm.deal.update", {"fields": {}}, None),
        ("tasks.task.add", {"fields": {"TITLE": "x"}}, {"XML_ID": "relay-key"}),
        ("tasks.task.add", {}, {"XML_ID": "relay-key"}),
        ("tasks.task.add", {"fields": {"xmlId": "mine"}}, None),
        ("crm.deal.add", {"FIELDS": {"ORIGINATOR_ID": "mine"}}, None),
        ("crm.deal.add", {"FIELDS": {"ORIGIN_ID": "", "TITLE": "x"}}, OLD_ORIGIN),
    ],
)
def test_a_create_gets_the_stamp_of_its_kind(method, params, fields):
    """A create gets a stamp where its kind has a field for keys that the reaction has not used."""
    stamp = stamp_of(method, params, "key")
    assert stamp == fields


def test_a_stamp_is_added_to_the_fields():
    """A stamp is added under the name that the reaction wrote, and other parameters stay."""
    params = {"FIELDS": {"TITLE": "x"}, "params": {"REGISTER_SONET_EVENT": "N"}}
    stamp = stamp_of("crm.deal.add", params, "key")
    marked = {"FIELDS": {"TITLE": "x"} | OLD_ORIGIN, "params": {"REGISTER_SONET_EVENT": "N"}}
    assert put_on(params, stamp) == marked
    assert params["FIELDS"] == {"TITLE": "x"}

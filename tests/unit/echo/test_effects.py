"""relay.echo.effects: which item a call writes to or makes."""

import pytest

from relay.echo.effects import created_item, written_item

STAMP = "relay-0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("crm.item.update", {"entityTypeId": "128", "id": 3, "fields": {}}, ("dynamic_128", "3")),
        ("crm.item.delete", {"entityTypeId": 31, "id": "4"}, ("invoice", "4")),
        ("crm.lead.update", {"ID": 4, "FIELDS": {"STATUS_ID": "X"}}, ("lead", "4")),
        ("tasks.task.update", {"taskId": 8, "fields": {"STATUS": 5}}, ("task", "8")),
        ("tasks.task.complete", {"taskId": 8}, ("task", "8")),
        ("crm.deal.contact.items.set", {"id": 5, "items": []}, ("deal", "5")),
        ("crm.deal.contact.add", {"id": "5", "fields": {"CONTACT_ID": 1}}, ("deal", "5")),
        ("crm.deal.productrows.set", {"id": 5, "rows": []}, ("deal", "5")),
        ("crm.item.productrow.set", {"ownerType": "SI", "ownerId": 5}, ("invoice", "5")),
        ("crm.item.productrow.set", {"ownerType": "T80", "ownerId": 5}, ("dynamic_128", "5")),
        ("crm.item.productrow.set", {"ownerType": "what", "ownerId": 5}, ("what", "5")),
        (
            "crm.item.productrow.add",
            {"fields": {"ownerType": "D", "ownerId": "5", "price": 1}},
            ("deal", "5"),
        ),
        (
            "crm.timeline.comment.add",
            {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 5, "COMMENT": "x"}},
            ("deal", "5"),
        ),
    ],
)
def test_a_call_names_the_item_that_it_writes_to(method, params, expected):
    """Item methods, classic methods, task methods and comments name the item that they write to."""
    one = written_item(method, params)
    assert (one.entity, one.id) == expected


def test_a_call_that_writes_to_no_item_names_none():
    """Creates, messages and unresolved references write to no item."""
    assert written_item("crm.item.add", {"entityTypeId": 2, "fields": {}}) is None
    assert written_item("crm.settings.update", {"id": 2}) is None
    assert written_item("im.notify.system.add", {"USER_ID": 2}) is None
    assert written_item("crm.invoice.update", {"id": 2, "fields": {}}) is None  # a former invoice
    assert written_item("crm.deal.add", {"fields": {"TITLE": "A"}}) is None
    assert written_item("crm.deal.add", {"id": 5, "fields": {"TITLE": "A"}}) is None
    assert written_item("tasks.task.add", {"taskId": 5, "fields": {"TITLE": "A"}}) is None
    assert written_item("tasks.task.update", {"fields": {"TITLE": "A"}}) is None
    for odd in ("$result[task][task][id]", None, "", "-5", "5.0", [5]):
        assert written_item("crm.deal.update", {"id": odd, "fields": {"TITLE": "A"}}) is None


def test_only_the_item_itself_is_deleted():
    """Removing a contact from a deal deletes no deal."""
    deleting = [
        written_item("crm.deal.delete", {"id": 5}),
        written_item("crm.item.delete", {"entityTypeId": 2, "id": 5}),
        written_item("tasks.task.delete", {"taskId": 5}),
        written_item("crm.deal.contact.delete", {"id": 5}),
        written_item("crm.deal.update", {"id": 5}),
    ]
    assert [one.deleted for one in deleting] == [True, True, True, False, False]


def test_a_create_has_a_stamp_only_with_the_relays_prefix():
    """Only a key with the relay's prefix is a stamp, and a task's counts as none."""
    for fields, expected in (
        ({"originId": STAMP}, STAMP),
        ({"XML_ID": STAMP}, STAMP),
        ({"originId": "shop-1"}, ""),
        ({"title": "A"}, ""),
    ):
        assert created_item("crm.item.add", {"entityTypeId": 2, "fields": fields}).stamp == expected
    assert created_item("tasks.task.add", {"fields": {"TITLE": "A", "XML_ID": STAMP}}).stamp == ""
    assert created_item("im.notify.system.add", {"USER_ID": 1}) is None

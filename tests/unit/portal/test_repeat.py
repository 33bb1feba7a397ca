"""Which calls may be sent twice."""

import pytest

from relay.portal.repeat import is_harmless


@pytest.mark.parametrize(
    "method",
    [
        *("profile", "scope", "server.time", "user.current", "crm.item.get", "CRM.Deal.List"),
        *("crm.deal.fields", "crm.duplicate.findbycomm", "disk.folder.getchildren", "method.get"),
        "crm.item.productrow.set",
    ],
)
def test_reads_and_replacements_are_harmless(method):
    """Twice is as once."""
    assert is_harmless(method, {})


@pytest.mark.parametrize(
    ("method", "fields", "harmless"),
    [
        ("crm.item.update", {"title": "a"}, True),
        ("crm.deal.update", {"TITLE": "a"}, True),
        ("tasks.task.update", {"TITLE": "a"}, True),
        ("crm.item.update", {"fm": {"n0": {"value": "1"}}}, False),
        ("crm.contact.update", {"PHONE": [{"VALUE": "1"}]}, False),
        ("crm.timeline.comment.update", {"FILES": []}, False),
        ("crm.deal.update", None, False),
        ("lists.element.update", {"NAME": "a"}, False),
    ],
)
def test_updates_are_harmless_if_they_add_no_rows(method, fields, harmless):
    """Equal values change nothing; phones, e-mails and files are added once more."""
    assert is_harmless(method, {"id": 1, "FIELDS": fields}) is harmless


@pytest.mark.parametrize(
    "method",
    [
        *("crm.item.add", "tasks.task.add", "crm.item.import", "crm.item.delete"),
        *("im.notify.system.add", "im.message.add", "bizproc.workflow.start", "x.unknown"),
    ],
)
def test_everything_else_is_not(method):
    """A second item, message or workflow; a deletion that says "not found"; the unknown."""
    assert not is_harmless(method, {"fields": {"title": "a"}})

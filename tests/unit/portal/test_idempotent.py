"""relay.portal.idempotent: the calls that may run twice."""

import pytest

from relay.portal.idempotent import is_idempotent


@pytest.mark.parametrize(
    "method",
    [
        *("profile", "scope", "server.time", "user.current", "crm.item.get", "CRM.Deal.List"),
        *("crm.deal.fields", "crm.duplicate.findbycomm", "disk.folder.getchildren", "method.get"),
        "crm.item.productrow.set",
    ],
)
def test_reads_and_replacements_are_idempotent(method):
    """Methods that only read, and `set`, may run twice."""
    assert is_idempotent(method, {})


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
def test_updates_are_idempotent_if_they_add_no_rows(method, fields, harmless):
    """Updates of CRM items and tasks may run twice, except of phones, e-mails and files."""
    assert is_idempotent(method, {"id": 1, "FIELDS": fields}) is harmless


FILE = ["contract.pdf", "JVBERi0xLjQK"]


@pytest.mark.parametrize(
    ("value", "harmless"),
    [
        (FILE, False),
        (tuple(FILE), False),
        (["договор v1.2.docx", "..."], False),
        ([FILE, FILE], False),
        ([{"fileData": FILE}], False),
        ({"fileData": FILE}, False),
        ({"0": "contract.pdf", "1": "JVBERi0xLjQK"}, False),
        ([{"id": 7}, FILE], False),
        ("QUJD" * 16, False),
        ("QUJD" * 16 + "\r\nQUI=", False),
        ("data:image/png;base64," + "QUJD" * 16, False),
        (["scan", "QUJD" * 16], False),
        ("n123", False),
        (["n123", "n124"], False),
        (["123", 124], True),
        ("QUJD" * 15, True),
        ("A text of more than sixty-four characters, as people write it into a field.", True),
        (["red", "green"], True),
        (["red"], True),
        (["a.pdf", "b.pdf", "c.pdf"], True),
        (["https://acme.com/a.html", "https://acme.com/b.html"], True),
        (["D_10", "CO_5"], True),
        (["contract.pdf", 5], True),
        ([1, 2], True),
        ("100|EUR", True),
        (None, True),
    ],
)
@pytest.mark.parametrize("method", ["crm.item.update", "tasks.task.update"])
def test_a_file_is_recognised_by_its_value(method, value, harmless):
    """A value that may be a file or a row makes an update not idempotent; other values do not."""
    assert is_idempotent(method, {"fields": {"ufCrm7": value}}) is harmless


@pytest.mark.parametrize("name", ["file", "FILES", "Phone"])
def test_a_field_that_adds_rows_is_recognised_by_its_name(name):
    """An update of files or phones is not idempotent, whatever the value."""
    assert not is_idempotent("crm.timeline.comment.update", {"fields": {name: "1"}})


@pytest.mark.parametrize(
    "method",
    [
        *("crm.item.add", "tasks.task.add", "crm.item.import", "crm.item.delete"),
        *("im.notify.system.add", "im.message.add", "bizproc.workflow.start", "x.unknown"),
    ],
)
def test_other_calls_are_not_idempotent(method):
    """Creates, imports, deletions, messages, workflows and unknown methods may not run twice."""
    assert not is_idempotent(method, {"fields": {"title": "a"}})

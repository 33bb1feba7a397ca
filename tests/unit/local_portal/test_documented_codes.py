"""A refusal has a code that the method's page knows.

`rest_codes.json`: the codes of each method's page, those of every method left out. What a page
shows as words alone has the empty code.
"""

import json
from itertools import groupby
from pathlib import Path

import pytest

import local.portal.methods  # noqa: F401  importing them registers them
from local.portal.errors import RestError
from local.portal.portal import Denial, Portal
from local.portal.run import run_method
from local.portal.seed import seed
from local.portal.webhooks import OTHER_SCOPES

CODES = json.loads(
    (Path(__file__).parents[2] / "data" / "rest_codes.json").read_text(encoding="utf-8")
)
IDS = ("id", "taskId", "itemId", "ownerId", "activityId", "entityId", "ELEMENT_ID", "SECTION_ID")
IDS += ("LIST_ID", "CHAT_ID", "DIALOG_ID", "MESSAGE_ID", "USER_ID", "propertyId", "resourceId")
AROUND = {"entityTypeId": 2, "ownerTypeId": 2, "moduleId": "crm", "IBLOCK_TYPE_ID": "lists"}
AROUND |= {"IBLOCK_ID": 1, "type": "user"}
NOTHING = {"fields": {}, "field": {}, "FIELDS": {}}
REQUESTS = (
    {},
    AROUND,
    AROUND | NOTHING,
    AROUND | dict.fromkeys(IDS, 9_999_999) | NOTHING,
    AROUND | dict.fromkeys(IDS, 9_999_999) | {"fields": {"NAME": "x", "name": "x", "TITLE": "x"}},
    AROUND | dict.fromkeys(IDS, 0) | NOTHING,
    AROUND | dict.fromkeys(IDS, "nonsense") | NOTHING,
    AROUND | dict.fromkeys(IDS, 1) | {"fields": "text", "field": "text", "FIELDS": "text"},
    {"filter": "text", "order": "text"} | AROUND,
)
# Codes that a page leaves out, and that the pages of the same section have
SIBLINGS = {
    "crm.activity.list": {""},
    "crm.automatedsolution.delete": {"NOT_FOUND"},
    "crm.automatedsolution.update": {"NOT_FOUND"},
    "crm.calllist.list": {"LIST_ID_ERROR", "ERROR_ARGUMENT"},
    "crm.deal.productrows.set": {""},
    "crm.duplicate.findbycomm": {"Communication type 'USER' is not supported in current context"},
    "crm.lead.productrows.set": {""},
    "crm.requisite.list": {""},
    "crm.status.get": {"Invalid identifier."},
    "crm.vat.delete": {"VAT rate not found."},
    "crm.vat.get": {"Invalid identifier."},
    "crm.vat.update": {"VAT rate not found."},
    "im.chat.leave": {"DIALOG_ID_EMPTY"},
    "im.chat.user.add": {"DIALOG_ID_EMPTY"},
    "im.chat.user.delete": {"DIALOG_ID_EMPTY"},
    "im.chat.user.list": {"DIALOG_ID_EMPTY"},
    "im.dialog.messages.search": {"DIALOG_ID_EMPTY"},
    "im.dialog.read": {"ACCESS_ERROR"},
    "im.dialog.unread": {"ACCESS_ERROR"},
    "im.recent.hide": {"ACCESS_ERROR"},
    "im.recent.unread": {"ACCESS_ERROR"},
    "im.search.last.add": {"ACCESS_ERROR"},
    "im.search.last.delete": {"ACCESS_ERROR"},
    "lists.section.add": {"ERROR_IBLOCK_NOT_FOUND"},
    "lists.section.delete": {"ERROR_IBLOCK_NOT_FOUND"},
    "lists.section.get": {"ERROR_IBLOCK_NOT_FOUND"},
    "lists.section.update": {"ERROR_IBLOCK_NOT_FOUND"},
}
# What binds parameters by their names knows this code, whether a page says so or not
BINDER = "100"


@pytest.fixture(scope="module")
def callers():
    """Make a portal, and three who call: an administrator, a colleague, one without rights."""
    portal = Portal()
    seed(portal)
    hooks = [portal.add_incoming(user) for user in (1, 2, 3)]
    for hook in hooks:
        hook.scopes |= set(OTHER_SCOPES)
    portal.denials.add(Denial(3))
    return portal, hooks


def refusals(callers, method):
    """Return the codes that a method answers bad requests with."""
    portal, hooks = callers
    found = set()
    for hook in hooks:
        for request in REQUESTS:
            try:
                run_method(portal, hook, method, dict(request))
            except RestError as error:
                found.add(str(error.code))
    return found - {BINDER}


SECTIONS = {
    name: list(methods)
    for name, methods in groupby(sorted(CODES), lambda one: ".".join(one.split(".")[:2]))
}


@pytest.mark.parametrize("section", SECTIONS)
def test_refusals_have_codes_of_the_page(callers, section):
    """What can't be done is refused with a code that the method's page names."""
    strays = {
        name: refusals(callers, name) - {*CODES[name]} - SIBLINGS.get(name, set())
        for name in SECTIONS[section]
    }
    assert {name: codes for name, codes in strays.items() if codes} == {}

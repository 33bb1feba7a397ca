"""What the pages' tables of errors say of values: each is refused with its code and its text.

`tests/data/rest_refusals.json`: a method, its parameters, the code and how the text begins.
"""

import json
from pathlib import Path

import pytest

from local.portal.faults import add_fault
from local.portal.portal import Denial

ADDRESS = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 3, "ENTITY_ID": 1, "CITY": "Wien"}
TODO = {"ownerTypeId": 2, "ownerId": 1}
SOON = "2030-12-01T10:00:00+03:00"
TASK = {"TITLE": "One", "RESPONSIBLE_ID": 1}
LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1}
UNIT = {"code": 1, "measureTitle": "One"}
CATALOGUES = ("get", "list", "isOffers")
REFUSED = json.loads(
    (Path(__file__).parents[2] / "data" / "rest_refusals.json").read_text(encoding="utf-8")
)


@pytest.fixture
def ready(desk):
    """Have of everything the one that must not come twice."""
    desk.webhook.scopes |= {"catalog", "lists", "task", "im", "user.userfield", "userfieldconfig"}
    calls = [
        ("crm.address.add", {"fields": ADDRESS}),
        ("crm.deal.recurring.add", {"fields": {"DEAL_ID": 1}}),
        *2 * [("crm.activity.todo.add", TODO | {"deadline": SOON})],
        ("crm.activity.update", {"id": 2, "fields": {"COMPLETED": "Y"}}),
        *2 * [("im.chat.add", {"USERS": [1]})],
        ("im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "First"}),
        *2 * [("tasks.task.add", {"fields": TASK})],
        ("tasks.task.add", {"fields": TASK | {"PARENT_ID": 1}}),
        ("crm.automatedsolution.add", {"fields": {"title": "One", "typeIds": [1]}}),
        ("lists.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "a", "FIELDS": {"NAME": "A"}}),
        ("lists.element.add", LIST | {"ELEMENT_CODE": "one", "FIELDS": {"NAME": "One"}}),
        ("lists.field.add", LIST | {"FIELDS": {"NAME": "a", "TYPE": "S", "CODE": "TWICE"}}),
        ("catalog.measure.add", {"fields": UNIT}),
        ("catalog.section.add", {"fields": {"iblockId": 1, "name": "One"}}),
    ]
    for method, params in calls:
        desk.call(method, **params)
    return desk


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]} {case[2]}")
def test_a_value_that_a_page_names_is_refused(ready, case):
    """With the page's code, and its text where it has one."""
    method, params, code, text = (*case, "")[:4]
    if "todo" in method:
        params = TODO | params
    refused = ready.refusal(method, **params)
    assert refused.code == code
    assert refused.text.startswith(text)


def test_what_is_refused_changes_nothing(ready):
    """A row that breaks a rule is not stored, and says so once."""
    before = len(ready.call("crm.currency.list"))
    ready.refusal("crm.currency.add", fields={"CURRENCY": "EUR"})
    assert len(ready.call("crm.currency.list")) == before
    ready.call("catalog.measure.update", id=5, fields={"code": 796, "isDefault": "Y"})  # its own


DOCUMENTS = "crm.documentgenerator"
PRODUCT = {"fields": {"iblockId": 23, "name": "x", "iblockSectionId": 1}}


@pytest.mark.parametrize(
    ("who", "method", "params", "code"),
    [
        *[("guest", f"catalog.catalog.{one}", {"id": 1}, 200040300030) for one in CATALOGUES],
        *[("denied", f"catalog.catalog.{one}", {"id": 1}, 200040300010) for one in CATALOGUES],
        ("guest", "catalog.product.sku.add", PRODUCT, 200040300010),
        ("denied", "catalog.product.add", PRODUCT, 200040300043),
        ("colleague", "catalog.product.offer.update", {"id": 1} | PRODUCT, 200040300050),
        ("guest", "catalog.product.service.get", {"id": 1}, 200040300040),
        ("guest", "catalog.product.delete", {"id": 1}, 200040300010),
        ("guest", "catalog.price.update", {"id": 1, "fields": {}}, 200040300030),
        ("denied", "catalog.priceTypeLang.getLanguages", {}, 200040300010),
        ("guest", f"{DOCUMENTS}.template.update", {"id": 37}, "DOCGEN_ACCESS_ERROR"),
        ("guest", f"{DOCUMENTS}.document.list", {}, ""),
        ("denied", f"{DOCUMENTS}.document.getfields", {"id": 1}, ""),
        ("poor", f"{DOCUMENTS}.document.add", {}, "DOCGEN_LIMIT_ERROR"),
        ("poor", "crm.automatedsolution.add", {"fields": {}}, "LIMIT_EXCEEDED"),
        ("guest", "crm.timeline.item.pin", {}, "CAN_NOT_CHANGE_PINNED"),
        ("guest", "crm.category.add", {"entityTypeId": 2}, "allowed_only_intranet_user"),
        ("colleague", "crm.category.add", {"entityTypeId": 2}, "ACCESS_DENIED"),
        ("denied", "crm.status.entity.items", {"entityId": "SOURCE"}, ""),
        ("denied", "crm.automation.trigger.list", {}, ""),
        ("denied", "crm.activity.configurable.get", {"id": 1}, "ACCESS_DENIED"),
    ],
)
def test_who_may_not_is_told_so_before_anything_else(ready, who, method, params, code):
    """Guests, colleagues and those without rights meet the code of the page, and nobody else."""
    portal = ready.portal
    if who == "poor":
        portal.settings.plan_restricted = True
    elif who == "denied":
        portal.denials.add(Denial(1))
    else:
        portal.users[1] |= {"external": who == "guest", "admin": False}
    assert ready.refusal(method, **params).code == code


def test_a_refusal_is_given_on_demand(ready):
    """A fault answers with the code and the text it is given, else with those of the section."""
    given = {"kind": "failed", "method": "crm.item.update", "times": 1}
    portal = ready.portal
    add_fault(portal.faults, given | {"code": "", "text": "You may not", "status": 403})
    add_fault(portal.faults, {"kind": "failed", "method": "catalog.vat.getFields"})
    refused = ready.refusal("crm.item.update", entityTypeId=2, id=1, fields={})
    assert (refused.code, refused.text, refused.status) == ("", "You may not", 403)
    assert ready.call("crm.item.update", entityTypeId=2, id=1, fields={})
    assert ready.refusal("catalog.vat.getFields").code == "0"


def test_a_document_names_the_company_of_ones_own(ready):
    """Its fields have the own companies to choose from, the first of them chosen."""
    fields = {"TITLE": "Ours", "IS_MY_COMPANY": "Y"}
    number = ready.call("crm.company.add", fields=fields)
    ready.call(f"{DOCUMENTS}.document.add", templateId=39, entityTypeId=2, entityId=1)
    found = ready.call(f"{DOCUMENTS}.document.getfields", id=1)["documentFields"]
    own = [{"value": str(number), "title": "Ours", "selected": True}]
    assert found["MY_COMPANY"]["value"] == own
    assert found["MyCompanyUfLogo"]["type"] == "IMAGE"
    assert ready.call(f"{DOCUMENTS}.document.list")["documents"][0]["updatedBy"] == "1"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("add", "#8; Adding item"),
        ("update", "#4; No access to edit"),
        ("delete", "#8; Deleting item"),
        ("moveafteritem", "#8; Moving item"),
        ("getlist", "#8; Action failed"),
    ],
)
def test_a_checklist_of_a_task_of_others_is_closed(ready, method, text):
    """[tasks/checklist-item/] Each method says no in its own words."""
    for name in ("One", "Two"):
        ready.call("task.checklistitem.add", TASKID=1, FIELDS={"TITLE": name})
    ready.portal.denials.add(Denial(1))
    fields = {"FIELDS": {"TITLE": "Three"}}
    beside = {"add": fields, "update": {"ITEMID": 1} | fields, "delete": {"ITEMID": 1}}
    beside |= {"moveafteritem": {"ITEMID": 1, "AFTERITEMID": 2}}
    refused = ready.refusal(f"task.checklistitem.{method}", TASKID=1, **beside.get(method, {}))
    assert text in refused.text

"""What the pages' tables of errors say of values: each is refused with its code and its text.

`tests/data/rest_refusals.json`: a method, its parameters, the code and how the text begins.
"""

import json
from pathlib import Path

import pytest

from local.portal.portal import Denial

ADDRESS = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 3, "ENTITY_ID": 1, "CITY": "Wien"}
TODO = {"ownerTypeId": 2, "ownerId": 1}
SOON = "2030-12-01T10:00:00+03:00"
TASK = {"TITLE": "One", "RESPONSIBLE_ID": 1}
LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1}
UNIT = {"code": 1, "measureTitle": "One"}
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

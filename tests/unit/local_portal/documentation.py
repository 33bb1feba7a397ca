"""A portal in which the requests of the documentation's pages make sense."""

import json
from pathlib import Path

from local.portal.chats import new_chat, say
from local.portal.items import Actor, add_item
from local.portal.portal import Portal
from local.portal.schema import EntityType
from local.portal.table import Table
from local.portal.task_store import create_task

SAMPLES = json.loads(
    (Path(__file__).parents[2] / "data" / "rest_samples.json").read_text(encoding="utf-8")
)
TEXT_FIELDS = {
    1: ["UF_CRM_1720019876534"],
    2: ["UF_CRM_1721244482250", "UF_CRM_1725365197310"],
    3: ["UF_CRM_1720697698689"],
    4: ["UF_CRM_64A29A1CD5CC2"],
}
PARENTS = {
    1: [1222, 1226, 1228, 1236, 1238, 1240, 1244, 1246, 1254, 1256],
    2: [1220, 1032],
    3: [1224],
    4: [156],
    1268: [1, 2, 1248],
}
PHONES = [
    {"id": 1, "valueType": "WORK", "value": "8976543", "typeId": "PHONE"},
    {"id": 2, "valueType": "HOME", "value": "+13333333555", "typeId": "PHONE"},
    {"id": 3, "valueType": "WORK", "value": "user@example.com", "typeId": "EMAIL"},
    {"id": 4, "valueType": "OPENLINE", "value": "imol|livechat|1|67|21", "typeId": "IM"},
]
FILE = {"id": 1, "date": "", "type": "image", "name": "1.gif", "size": 43, "authorId": 1}
FILE |= {"image": {"width": 1, "height": 1}, "authorName": "", "urlPreview": ""}
FILE |= {"urlShow": "", "urlDownload": ""}
EVERYBODY = (2, 3, 5, 6, 123, 139, 456, 503, 547)


def sample(method, page_end=""):
    """Find the record of a method's page."""
    return next(r for r in SAMPLES if r["method"] == method and r["page"].endswith(page_end))


def plant(portal: Portal, type_number: int, number: int, **values) -> dict:
    """Put an item where a page expects one, without telling anybody."""
    entity = portal.types[type_number]
    return add_item(portal, entity, values, Actor(), number=number, event=False)


def documentation_portal() -> Portal:
    """Build it: users, fields, funnels, smart processes and items with the pages' numbers."""
    portal = Portal()
    for number in EVERYBODY:
        portal.add_user("John", "Smith", id=number)
    portal.add_incoming(1, "documentation1")
    for type_number in (1268, 177, 1256):
        portal.add_type(type_number, "Smart Process #20", {"id": type_number - 160})
    _rich_type(portal, 16, 1220)
    for type_number, names in TEXT_FIELDS.items():
        for name in names:
            portal.types[type_number].add_user_field(name, "string", multiple=False)
    portal.types[2].add_user_field("UF_CRM_1721244707107", "double", multiple=False)
    portal.types[4].add_user_field("UF_CRM_1687188367", "crm", multiple=False)
    portal.types[177].add_user_field("UF_CRM_7_1739432938", "file", multiple=True)
    for type_number, numbers in PARENTS.items():
        for number in numbers:
            portal.types[type_number].add_parent(number)
    for number in (9, 10, 4):
        portal.directories.add_category(2, "Funnel with Original Name", number)
    for code in ("C9:UC_KN8KFI", "C9:UC_NYL06U"):
        portal.directories.add_status("DEAL_STAGE_9", code, "Own stage")
    _items(portal)
    portal.tables["disk.object"] = Table()
    for number in (4753, 4755):
        portal.tables["disk.object"].put(number, {"id": number, "NAME": "a.txt", "SIZE": 1})
    _rest(portal)
    return portal


def _rich_type(portal: Portal, record: int, number: int) -> EntityType:
    answer = sample("crm.type.get")["answer"]["result"]["type"]
    return portal.add_type(number, "SPA", answer | {"id": record, "entityTypeId": number})


def _items(portal: Portal) -> None:
    fm = {"fm": [dict(row) for row in PHONES], "hasPhone": "Y", "hasEmail": "Y"}
    filled = {"comments": "[B]Comment[/B]", "sourceId": "WEB", "sourceDescription": "text"}
    deal = filled | {
        "typeId": "COMPLEX",
        "probability": 99,
        "companyId": 9,
        "contactId": 84,
        "additionalInfo": "text",
        "utmSource": "google",
        "utmMedium": "CPC",
        "parentId1220": 22,
        "parentId1032": 1,
        "ufCrm_1721244482250": "Hello world!",
        "ufCrm_1725365197310": "text",
        "ufCrm_1721244707107": 1.5,
    }
    for number in (1, 12, 123, 410, 10, 2):
        plant(portal, 2, number, **deal)
    plant(portal, 2, 37, **deal, categoryId=10)
    plant(portal, 2, 351, **deal, categoryId=9, stageId="C9:UC_KN8KFI")
    person = filled | {
        "honorific": "HNR_RU_1",
        "name": "Ivan",
        "secondName": "Doe",
        "lastName": "Ilyina",
        "typeId": "PARTNER",
        "post": "Administrator",
        "birthdate": "2001-11-11T03:00:00+03:00",
        "companyId": 12,
        "utmSource": "google",
        "utmMedium": "CPC",
        "utmCampaign": "summer_sale",
        "utmContent": "header_banner",
        "utmTerm": "discount",
        "parentId1224": 12,
        "ufCrm_1720697698689": "text",
        "sourceId": "CRM_FORM",
        "export": "Y",
    }
    for number in (23, 43, 50, 102, 275):
        plant(portal, 3, number, **(person | fm))
    company = {
        "title": "Crossroads",
        "companyType": "CUSTOMER",
        "bankingDetails": "7736050003",
        "industry": "IT",
        "employees": "EMPLOYEES_1",
        "comments": "text",
        "ufCrm_1687188367": "12",
    }
    for number in (12, 43, 50):
        plant(portal, 4, number, **company, **fm)
    lead = {
        "companyTitle": "Administrative Company",
        "honorific": "HNR_RU_1",
        "name": "Admin",
        "lastName": "Admins",
        "secondName": "Admin",
        "post": "Admin",
        "comments": "text",
        "sourceId": "WEB",
        "sourceDescription": "text",
        "birthdate": "2000-01-01T03:00:00+03:00",
        "opportunity": 9999.5,
        "isManualOpportunity": "Y",
        "stageId": "IN_PROCESS",
        "ufCrm_1720019876534": "321",
        "searchContent": "250 Lead",
        "phone": "8976543",
        "phoneWork": "8976543",
        "email": "user@example.com",
        "emailWork": "user@example.com",
    }
    for number in (250, 123, 1608, 1):
        plant(portal, 1, number, **lead, **fm)
    plant(portal, 1268, 1, title="An item")
    plant(portal, 177, 29, title="An item")


def _rest(portal: Portal) -> None:
    portal.comments.put(
        999,
        {
            "id": 999,
            "bindings": [("deal", 10)],
            "created": portal.clock.stamp(),
            "author": 1,
            "comment": "New comment was added",
            "files": {"1": FILE, "2": FILE},
        },
    )
    shown = sample("tasks.task.complete")["answer"]["result"]["task"]
    task = {key: value for key, value in shown.items() if isinstance(value, str) and key != "id"}
    task |= {
        "status": "3",
        "description": "text",
        "deadline": portal.clock.stamp(),
        "responsibleId": "547",
        "createdBy": "503",
        "ufCrmTask": ["C_43", "D_12"],
        "ufTaskWebdavFiles": ["n1065", "n1067"],
        "mark": "P",
        "parentId": "11",
        "auditors": ["5", "6"],
        "accomplices": ["2", "3"],
        "startDatePlan": portal.clock.stamp(),
        "endDatePlan": portal.clock.stamp(),
    }
    for number in (1, 11, 8017, 8131):
        portal.tasks.last_id = number - 1
        create_task(portal, dict(task), Actor(), event=False)
    person = {"NAME": "Klaus", "SECOND_NAME": "Weber", "LAST_NAME": "", "HONORIFIC": "1"}
    contact = {
        "ID": "23",
        "TYPE": "PHONE",
        "VALUE": "8976543",
        "ENTITY_ID": "102",
        "ENTITY_TYPE_ID": "3",
        "ENTITY_SETTINGS": person | {"COMPANY_TITLE": "", "COMPANY_ID": "21"},
    }
    portal.tables["im.chat"] = Table()
    portal.tables["im.chat"].last_id = 2941 - 1
    say(portal, new_chat(portal, 1, []), 1, "What is answered", 34237)
    portal.tables["crm.activity"] = Table()
    row = {"id": 20, "OWNER_TYPE_ID": 3, "OWNER_ID": 102, "SUBJECT": "Call"}
    portal.tables["crm.activity"].put(20, row | {"COMMUNICATIONS": [contact]})

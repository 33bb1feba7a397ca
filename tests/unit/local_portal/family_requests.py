"""Requests that make, change and list a row of each family, and what their answers hold."""

import json
from pathlib import Path

from local.portal.family import FAMILIES
from tests.unit.local_portal.test_documented_answers import kind

SHAPES = json.loads(
    (Path(__file__).parents[2] / "data" / "rest_shapes.json").read_text(encoding="utf-8")
)
KINDS = {"str": "text", "dict": "object", "list": "array", "NoneType": "null"}
VALUES = {"date": "2026-05-04", "datetime": "2026-05-04T10:00:00+03:00", "bool": True}
VALUES |= {"integer": 1, "int": 1, "double": 2.5, "user": 1, "char": "Y", "picture": None}
# What only makes sense with other things there
GIVEN = {
    "crm.activity": {"OWNER_TYPE_ID": 2, "OWNER_ID": 1, "TYPE_ID": 2, "SUBJECT": "Call"},
    "crm.calllist": {"ENTITY_TYPE": "CONTACT", "ENTITIES": [1, 2]},
    "crm.item.productrow": {"ownerType": "D", "ownerId": 1, "productName": "Chair", "price": 5},
    "crm.status": {"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "A fair"},
    "crm.timeline.comment": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"},
    "crm.timeline.logmessage": {"title": "A", "text": "B", "iconCode": "info"}
    | {"entityTypeId": 2, "entityId": 1},
    "crm.timeline.icon": {"code": "one", "fileContent": "aWNvbg=="},
    "crm.timeline.logo": {"code": "one", "fileContent": "bG9nbw=="},
    "lists.field": {"NAME": "Colour", "TYPE": "S", "CODE": "COLOUR"},
    "task.stages": {"TITLE": "Soon", "AFTER_ID": 1},
    "department": {"NAME": "Sales", "PARENT": 1, "UF_HEAD": 1},
    "crm.requisite.link": {"ENTITY_TYPE_ID": 2, "ENTITY_ID": 1, "REQUISITE_ID": 0}
    | dict.fromkeys(("BANK_DETAIL_ID", "MC_REQUISITE_ID", "MC_BANK_DETAIL_ID"), 0),
    "crm.requisite": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "One"},
    "catalog.priceTypeLang": {"catalogGroupId": 1, "lang": "de", "name": "Preis"},
    "catalog.productProperty": {"name": "Colour", "propertyType": "L", "iblockId": 1},
}
GIVEN |= {
    "crm.documentgenerator.document": {"templateId": 39, "entityTypeId": 2, "entityId": 1},
    "crm.documentgenerator.template": {"name": "Bill", "region": "de", "numeratorId": 2}
    | {"entityTypeId": ["2"], "file": ["bill.docx", "YmlsbA=="]},
    "crm.item.payment": {"entityTypeId": 2, "entityId": 1},
    "crm.item.payment.delivery": {"paymentId": 1, "deliveryId": 1},
    "crm.item.payment.product": {"paymentId": 1, "rowId": 1, "quantity": 2},
}
BESIDE = {
    "catalog.productImage": {"productId": 1, "fileContent": ["a.png", "YQ=="]},
    "calendar.event": {"type": "user", "ownerId": 1, "from": "2026-05-04", "to": "2026-05-05"},
    "calendar.section": {"type": "user", "ownerId": 1},
    "crm.timeline.logmessage": {"entityTypeId": 2, "entityId": 1},
    "crm.requisite.preset.field": {"preset": {"ID": 1}},
    "lists": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "one"},
    "lists.element": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1, "ELEMENT_CODE": "one"},
    "lists.field": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1},
    "lists.section": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1, "SECTION_CODE": "one"},
    "task.checklistitem": {"TASKID": 1},
    "task.commentitem": {"TASKID": 1},
    "task.elapseditem": {"TASKID": 1},
    "userfieldconfig": {"moduleId": "crm"},
}
UNCOMPARED = {"object", "picture", "image", "file", "property"}
LISTED = {
    "crm.item.payment": {"entityTypeId": 2, "entityId": 1},
    "crm.item.delivery": {"entityTypeId": 2, "entityId": 1},
    "crm.item.payment.delivery": {"paymentId": 1},
    "crm.item.payment.product": {"paymentId": 1},
    "crm.item.productrow": {"filter": {"=ownerType": "D", "=ownerId": 1}},
}
ADDED = [name for name, family in FAMILIES.items() if "add" in family.operations]


def value_of(field):
    """Return a value that a field can hold."""
    plain = VALUES.get(field.type, "Some text" if field.type == "string" else None)
    if plain is None and field.type not in UNCOMPARED:
        plain = 1
    return [plain] if field.multiple else plain


def fields_for(name):
    """Return what a request to add says, beside what it says outside of its fields."""
    family = FAMILIES[name]
    if name in GIVEN:
        return dict(GIVEN[name])
    if family.table == "user_fields":
        names = {"FIELD_NAME": "UF_CRM_ONE", "USER_TYPE_ID": "string"}
        camel = {"fieldName": "UF_CRM_ONE", "userTypeId": "string", "entityId": "CRM_DEAL"}
        return camel if family.native else names
    needed = [f for f in family.fields.values() if "R" in f.flags and not f.readonly]
    return {
        field.name: value_of(field)
        for field in needed
        if field.name not in {*family.within, "CAL_TYPE"}
    }


def request_of(name, fields):
    """Wrap fields as a family takes them."""
    family, beside = FAMILIES[name], BESIDE.get(name, {})
    if family.data.get("flat") == "add":
        return beside | fields | {"fields": fields}
    if family.data.get("flat"):
        return beside | fields
    return beside | {family.given_names[0]: fields}


def call_of(name, operation):
    """Name the method of an operation."""
    return f"{name}.{FAMILIES[name].operations[operation]}"


def send(desk, name, operation, params):
    """Call an operation, its arguments in their order where they are bound by it."""
    order = FAMILIES[name].data.get("positional", {}).get(operation, "").split()
    places = {one.rstrip("*").lower(): at for at, one in enumerate(order)}
    ordered = sorted(params.items(), key=lambda pair: places.get(pair[0].lower(), 99))
    return desk.call(call_of(name, operation), **dict(ordered))


def key_of(name, answer, fields):
    """Return the parameters that name a row which was just made."""
    family = FAMILIES[name]
    if family.key_fields:
        return request_of(name, {part: fields[part] for part in family.key_fields})
    if isinstance(answer, dict):
        answer = next(iter(answer.values()))
    number = answer[family.key] if isinstance(answer, dict) else answer
    return BESIDE.get(name, {}) | {family.id_names[-1 if name == "crm.calllist" else 0]: number}


def listed(name):
    """Return what makes a list show everything: labels want a language, some fields a select."""
    family = FAMILIES[name]
    if family.table == "user_fields" and not family.native and "list" in family.operations.values():
        return {"filter": {"LANG": "en"}}
    if name.startswith("catalog.product"):
        return {"select": [*family.classic]}
    return LISTED.get(name, {})


def misfits(shape, view):
    """Return where a view lacks a documented name or has another JSON type."""
    if isinstance(shape, str):
        view, shape = {"": view}, {"": shape}
    found = []
    for name, documented in shape.items():
        if name not in view:
            found.append(f"{name} is missing")
            continue
        ours = KINDS.get(kind(view[name]), kind(view[name]))
        empty = view[name] in ([], {}, None, "")
        if documented not in {ours, "null"} and not empty:
            found.append(f"{name}: {documented} documented, {ours} answered")
    return found

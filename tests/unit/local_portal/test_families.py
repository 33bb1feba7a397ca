"""Families of methods do what their descriptions say, and answer in the documented shapes.

`rest_shapes.json`: the names and JSON types of what the pages' answers hold, by method.
"""

import json
from pathlib import Path

import pytest

from local.portal.family import FAMILIES
from local.portal.items import Actor, add_item
from tests.unit.local_portal.test_documented_answers import kind

SHAPES = json.loads(
    (Path(__file__).parents[2] / "data" / "rest_shapes.json").read_text(encoding="utf-8")
)
EVENTS = {
    one["event"]: one
    for one in json.loads(
        (Path(__file__).parents[2] / "data" / "events.json").read_text(encoding="utf-8")
    )
}
WRITES = ("add", "update", "delete")
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
    "department": {"NAME": "Sales", "PARENT": 1, "UF_HEAD": 1},
    "crm.requisite": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "One"},
    "catalog.priceTypeLang": {"catalogGroupId": 1, "lang": "de", "name": "Preis"},
    "catalog.productProperty": {"name": "Colour", "propertyType": "L", "iblockId": 1},
}
BESIDE = {
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
LISTED = {"crm.item.productrow": {"filter": {"=ownerType": "D", "=ownerId": 1}}}
ADDED = [name for name, family in FAMILIES.items() if "add" in family.operations]


@pytest.fixture
def full(desk):
    """Make a portal in which a row of each family can be made."""
    for scope in ("catalog", "lists", "task", "userfieldconfig", "user.userfield"):
        desk.webhook.scopes.add(scope)
    portal = desk.portal
    add_item(portal, portal.types[1], {"title": "Lead"}, Actor(), event=False)
    desk.call("lists.add", IBLOCK_TYPE_ID="lists", IBLOCK_CODE="first", FIELDS={"NAME": "First"})
    desk.events()
    return desk


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


@pytest.mark.parametrize("name", ADDED)
def test_a_row_is_added_read_listed_changed_and_deleted(full, name):
    """A family's methods work on one row, in the shapes of the pages; afterwards it is gone."""
    family = FAMILIES[name]
    fields = fields_for(name)
    answer = send(full, name, "add", request_of(name, fields))
    key = key_of(name, answer, fields)
    for operation in ("get", "list"):
        if operation not in family.operations:
            continue
        method = call_of(name, operation)
        params = key if operation == "get" else BESIDE.get(name, {}) | listed(name)
        found = send(full, name, operation, params)
        if "wrap" in family.data and isinstance(found, dict):
            found = next(iter(found.values()))
        row = found if operation == "get" else found[-1]
        assert misfits(SHAPES.get(method, {}), row) == []
        shown = {n: v for n, v in fields.items() if n in row and isinstance(v, int | str)}
        wrong = {n: (v, row[n]) for n, v in shown.items() if not same(v, row[n])}
        assert wrong == {}
    if "update" in family.operations:
        send(full, name, "update", request_of(name, fields) | key)
    if "delete" in family.operations:
        send(full, name, "delete", key)
        if "get" in family.operations:
            assert full.refusal(call_of(name, "get"), **key).text


def same(given, shown):
    """Compare a value with how it is shown: numbers as texts, dates with their time."""
    return str(shown).startswith(str(given)) or shown in (given, True, str(given).upper())


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if "fields" in f.operations])
def test_fields_have_the_documented_names_and_types(full, name):
    """A description of fields holds what its page lists."""
    described = full.call(call_of(name, "fields"), entityTypeId=2)
    if len(described) == 1:  # wrapped
        described = next(iter(described.values()))
    documented = SHAPES.get(call_of(name, "fields"), {})
    assert [one for one in documented if one not in described] == []


@pytest.mark.parametrize("name", ADDED)
def test_what_is_required_is_asked_for(full, name):
    """Without a required field nothing is made, and the error is the family's own."""
    fields = fields_for(name)
    needed = [f.name for f in FAMILIES[name].fields.values() if "R" in f.flags and f.name in fields]
    for gone in needed[:1]:
        rest = {key: value for key, value in fields.items() if key != gone}
        assert full.refusal(call_of(name, "add"), **request_of(name, rest)).text


ALWAYS = [(n, f.name) for n in ADDED for f in FAMILIES[n].fields.values() if "V" in f.flags]


@pytest.mark.parametrize(("name", "field"), ALWAYS)
def test_what_every_change_names_is_asked_for(full, name, field):
    """A change without a field that its page requires is refused, and named in the error."""
    fields = fields_for(name)
    answer = send(full, name, "add", request_of(name, fields))
    rest = {key: value for key, value in fields.items() if key != field}
    params = request_of(name, rest) | key_of(name, answer, fields)
    refused = full.refusal(call_of(name, "update"), **params)
    assert field.lower() in refused.text.lower() or "parameters" in refused.text.lower()


@pytest.mark.parametrize("name", [n for n in ADDED if FAMILIES[n].data.get("rights") == "admin"])
def test_only_administrators_write_where_a_page_says_so(full, name):
    """Rights are the family's."""
    full.portal.users[1]["admin"] = False
    assert full.refusal(call_of(name, "add"), **request_of(name, fields_for(name))).text


def names_in(data):
    """Return the names that an event's data hold."""
    return sorted(data.get("FIELDS", data))


RAISING = [n for n in ADDED if {"event", "events"} & FAMILIES[n].data.keys()]
RAISING += [n for n in ADDED if FAMILIES[n].table == "user_fields" and n.startswith("crm.")]


@pytest.mark.parametrize("name", RAISING)
def test_writes_raise_the_documented_events(full, name):
    """[EVENTS] One event for each write, and it tells what its page says."""
    fields, waiting = fields_for(name), full.portal.outbox.waiting
    key = key_of(name, send(full, name, "add", request_of(name, fields)), fields)
    send(full, name, "update", request_of(name, fields) | key)
    send(full, name, "delete", key)
    for row in waiting:
        documented = EVENTS[row.event]["sample_data"]
        assert names_in(row.fields()["data"]) == names_in(documented)
    assert len(waiting) == len(WRITES)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if "list" in f.operations])
def test_a_list_takes_every_operator_on_each_field(full, name):
    """No documented operator on no field breaks a list, or lets a row pass that it should not."""
    family = FAMILIES[name]
    beside = BESIDE.get(name, {}) | LISTED.get(name, {})
    conditions = dict(beside.pop("filter", {}))
    fields = [f for f in family.classic.values() if f"={f.name}" not in conditions]
    order = family.data.get("positional", {}).get("list", "FILTER")
    for field in fields if "FILTER" in order else ():
        for operator in ("", "=", "!", "@", "!@", ">", ">=", "<", "<=", "%", "=%", "!%"):
            value = value_of(field)
            value = value[0] if isinstance(value, list) else value
            value = [value] if "@" in operator else value
            if value is None or field.type in UNCOMPARED:
                continue
            given = conditions | {f"{operator}{field.name}": value}
            send(full, name, "list", beside | {"order": {}, "filter": given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"CURRENCY": "USD"}, ["USD"]),
        ({"!CURRENCY": "USD"}, ["EUR", "GBP"]),
        ({"@CURRENCY": ["USD", "GBP"]}, ["USD", "GBP"]),
        ({">=SORT": 200, "<SORT": 300}, ["USD"]),
        ({"%FULL_NAME": "dollar"}, ["USD"]),
        ({"=%FULL_NAME": "E%"}, ["EUR"]),
        ({"BASE": "Y"}, ["EUR"]),
    ],
)
def test_lists_of_families_filter_as_items_do(desk, given, expected):
    """One filter serves items and families alike."""
    rows = desk.call("crm.currency.list", filter=given, order={"SORT": "ASC"})
    assert [row["CURRENCY"] for row in rows] == expected


def test_a_list_of_a_family_has_pages_select_and_order(full):
    """[list-methods-pecularities.md] Fifty rows, `next`, `total`, and what was selected."""
    for number in range(60):
        full.call("crm.product.add", fields={"NAME": f"Product {number:02}", "PRICE": number})
    first = full.answer("crm.product.list", order={"NAME": "DESC"}, select=["NAME"])
    assert (len(first["result"]), first["next"], first["total"]) == (50, 50, 60)
    assert first["result"][0] == {"ID": "60", "NAME": "Product 59"}
    rest = full.call("crm.product.list", start=-1, filter={">ID": 55}, order={"ID": "ASC"})
    assert [row["ID"] for row in rest] == ["56", "57", "58", "59", "60"]
    native = full.refusal("crm.automatedsolution.list", filter={"nonsense": 1})
    assert (native.code, "nonsense" in native.text) == ("INVALID_ARG_VALUE", True)
    other = full.refusal("catalog.measure.list", filter={"nonsense": 1})
    assert (other.code, "nonsense" in other.text) == ("0", True)

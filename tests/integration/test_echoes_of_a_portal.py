"""What a portal sets beside a written field is known; else a write would pass for a person's.

The simulated portal answers as the documentation's samples do, shadows of fields included.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests

from local.portal.conversion import convert_lead
from local.portal.items import Actor
from local.portal.server import PortalServer
from relay.change import Fields
from relay.echo.detect import is_echo, mark_echoes
from relay.echo.effects import created_item
from relay.echo.ledger import Note, stamped
from relay.echo.note_text import NoteText
from relay.echo.row_writes import written_rows
from relay.echo.stamps import put_on, stamp_of
from relay.kinds import kind_of
from relay.state_table import ledger_key
from relay.tracking.commands import get_command, read_command
from relay.tracking.difference import difference
from relay.tracking.part_projection import project_rows
from relay.tracking.projection import project
from tests.ledger import note_of, rows_of
from tests.samples import change_of

NOON = "2026-03-01T12:00:00.000+00:00"
OWN_FIELDS = {
    "TEXT": "string",
    "NUMBER": "double",
    "YES": "boolean",
    "DAY": "date",
    "TIME": "datetime",
    "MONEY": "money",
    "MANY": "string",
    "FILE": "file",
}
CHANGE = change_of()


@pytest.fixture(scope="module")
def server():
    """Return a portal with fields of its own."""
    with PortalServer(secret="s3cr3ts3cr3ts3cr", limits=False) as server:
        for name, kind in OWN_FIELDS.items():
            add = server.portal.types[2].add_user_field
            add(f"UF_CRM_{name}", kind, "", multiple=name == "MANY")
        yield server


@pytest.fixture(scope="module")
def call(server):
    """Call a method of a portal."""
    with requests.Session() as session:

        def ask(method, **params):
            answer = session.post(server.webhook_url + method, json=params, timeout=10).json()
            assert "error" not in answer, answer
            return answer["result"]

        yield ask


def read(call, entity, number):
    """Return an item as the mirror has it."""
    method, params = read_command(entity, [number])
    result = call(method, **params)
    return project(entity, result["tasks" if entity == "task" else "items"][0])


def make(call, entity, **fields):
    """Make an item; returns its number."""
    if entity == "task":
        made = call("tasks.task.add", fields={"TITLE": "a", "RESPONSIBLE_ID": 1} | fields)
        return int(made["task"]["id"])
    number = kind_of(entity).entity_type_id
    return call("crm.item.add", entityTypeId=number, fields={"title": "a"} | fields)["item"]["id"]


def judge(call, entity, number, method, **params):
    """Write; return what has changed, and whether that is taken for an echo."""
    before = read(call, entity, number)
    call(method, **params)
    after = read(call, entity, number)
    changed = difference(before, after)
    change = replace(
        CHANGE,
        entity=entity,
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        changed=tuple(changed),
        before=Fields({name: before.get(name) for name in changed}),
        after=Fields(after),
    )
    return changed, is_echo(rows_of(note_of(method, params)), change)


@pytest.mark.parametrize(
    ("entity", "fields"),
    [
        ("deal", {"title": "New"}),
        ("deal", {"stageId": "WON"}),
        ("deal", {"stageId": "LOSE"}),
        ("deal", {"stageId": "PREPARATION"}),
        ("deal", {"opportunity": 100.5}),
        ("deal", {"opportunity": 5, "isManualOpportunity": "Y", "currencyId": "USD"}),
        ("deal", {"assignedById": 2}),
        ("deal", {"companyId": 1}),
        ("deal", {"contactId": 1}),
        ("deal", {"contactIds": [1, 2]}),
        ("deal", {"observers": [1, 2]}),
        ("deal", {"begindate": "2026-03-05", "closedate": "2026-04-05T10:00:00+03:00"}),
        ("deal", {"begindate": "2026-03-05T10:00:00", "closedate": "2026-04-05T20:30:00Z"}),
        ("deal", {"opened": False, "assignedById": "2", "opportunity": "7.50"}),
        ("deal", {"opened": 0, "companyId": "1", "sourceId": ""}),
        ("deal", {"opened": "0", "title": "1e3"}),
        ("deal", {"ufCrmText": "007", "ufCrmNumber": "10.50", "ufCrmYes": "Y"}),
        ("deal", {"ufCrmYes": True, "ufCrmTime": "2026-04-05T10:00:00+03:00"}),
        ("deal", {"ufCrmMany": ["b", "a"], "ufCrmDay": "2026-04-05"}),
        ("deal", {"comments": "New", "opened": "N", "sourceId": "CALL", "probability": 5}),
        ("lead", {"stageId": "IN_PROCESS"}),
        ("lead", {"stageId": "JUNK"}),
        ("lead", {"name": "A", "lastName": "B", "birthdate": "2000-01-02"}),
        ("lead", {"fm": {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": "+1"}}}),
        ("lead", {"fm": [{"typeId": "EMAIL", "valueType": "HOME", "value": "a@b.example"}]}),
        ("contact", {"name": "A", "lastName": "B", "companyId": 1}),
        ("contact", {"companyIds": [1]}),
        ("contact", {"fm": {"n0": {"typeId": "PHONE", "valueType": "MOBILE", "value": "+1"}}}),
        ("company", {"title": "New", "industry": "IT", "revenue": 5}),
        ("company", {"fm": {"n0": {"typeId": "WEB", "valueType": "WORK", "value": "x.example"}}}),
        ("quote", {"stageId": "SENT"}),
        ("quote", {"title": "New", "opportunity": 7}),
        ("invoice", {"title": "New"}),
    ],
)
def test_a_write_of_an_item_is_an_echo(call, entity, fields):
    """Whatever the portal sets with it."""
    number = make(call, entity)
    how = {"entityTypeId": kind_of(entity).entity_type_id, "id": number, "fields": fields}
    changed, ours = judge(call, entity, number, "crm.item.update", **how)
    assert changed, "nothing was written"
    assert ours, changed


def test_a_tidied_phone_is_an_echo(call):
    """By its number in the new methods and in the classic ones."""
    phone = {"typeId": "PHONE", "valueType": "WORK", "value": "8 (495) 123-45-67"}
    number = make(call, "contact", fm={"n0": phone})
    (row,) = read(call, "contact", number)["fm"]
    fields = {"fm": {row["id"]: {**row, "value": "+74951234567"}}}
    how = {"entityTypeId": 3, "id": number, "fields": fields}
    changed, ours = judge(call, "contact", number, "crm.item.update", **how)
    assert changed == ["fm", "phone", "phoneWork"]
    assert ours
    fields = {"PHONE": [{"ID": row["id"], "VALUE": "+7495", "VALUE_TYPE": "WORK"}]}
    _, ours = judge(call, "contact", number, "crm.contact.update", id=number, fields=fields)
    assert ours


def test_a_custom_field_of_a_task_is_read(call):
    """People make fields of tasks too, and no list of names knows them."""
    call("task.item.userfield.add", PARAMS={"USER_TYPE_ID": "string", "FIELD_NAME": "UF_AUTO_7"})
    number = make(call, "task")
    before = read(call, "task", number)
    call("tasks.task.update", taskId=number, fields={"UF_AUTO_7": "a"})
    after = read(call, "task", number)
    changed = set(difference(before, after))
    assert [after[name] for name in changed if name.startswith("uf")] == ["a"]
    method, params = get_command("task", number)
    assert project("task", call(method, **params)["task"])["ufAuto7"] == "a"


@pytest.mark.parametrize(
    "fields",
    [
        {"TITLE": "New"},
        {"STATUS": 3},
        {"STATUS": 5},
        {"RESPONSIBLE_ID": 2},
        {"DEADLINE": "2026-05-05T10:00:00+03:00"},
        {"PRIORITY": 2, "DESCRIPTION": "New"},
        {"ACCOMPLICES": [2], "AUDITORS": [1, 2]},
    ],
)
def test_a_write_of_a_task_is_an_echo(call, fields):
    """Whatever the portal sets with it."""
    number = make(call, "task")
    changed, ours = judge(call, "task", number, "tasks.task.update", taskId=number, fields=fields)
    assert changed, "nothing was written"
    assert ours, changed


def test_a_file_is_nobodys_echo(call):
    """What a portal reads back of it is a number: it passes for a person's."""
    number = make(call, "deal")
    fields = {"ufCrmFile": ["a.txt", "aGVsbG8="]}
    how = {"entityTypeId": 2, "id": number, "fields": fields}
    changed, ours = judge(call, "deal", number, "crm.item.update", **how)
    assert changed == ["UF_CRM_FILE"]
    assert not ours


@pytest.mark.parametrize("user", [1, 2])
def test_what_a_person_makes_of_a_lead_is_a_persons(server, call, user):
    """The portal copies a lead's mark to its company, contact and deal, whoever converts it."""
    params = {"fields": {"TITLE": "A", "NAME": "B", "OPPORTUNITY": 5}}
    marked = put_on(params, stamp_of("crm.lead.add", params, "0123456789abcdef01234567"))
    number = call("crm.lead.add", **marked)
    item = stamped("main", created_item("crm.lead.add", marked), 1, time.time(), by="mark").item
    rows = {item["pk"]["S"]: item}
    made = server.run(lambda: convert_lead(server.portal, number, Actor(user)))
    origins = {}
    for entity, item in {"lead": number, **made}.items():
        after = read(call, entity, item)
        assert after["originId"] == "relay-0123456789abcdef01234567"
        change = replace(
            CHANGE, entity=entity, id=str(item), action="added", after=Fields(after), time=NOON
        )
        (change,) = mark_echoes(
            [change], lambda keys: {key: rows[key] for key in keys if key in rows}
        )
        origins[entity] = change.origin
    assert origins == {"lead": "relay", "company": "portal", "contact": "portal", "deal": "portal"}


@pytest.mark.parametrize("method", ["set", "add", "update"])
@pytest.mark.parametrize("edited", [False, True])
def test_product_rows_are_an_echo_unless_somebody_edited_them(call, method, edited):
    """Rows, and the total that follows, are known by the answer; a person's edit after it shows."""
    number = make(call, "deal")
    owner = {"ownerType": "D", "ownerId": number}
    tea = {"productName": "Tea", "price": 12.5, "quantity": 2, "taxRate": 20, "taxIncluded": "N"}
    cup = {"productName": "Cup", "price": "3", "discountTypeId": 2, "discountRate": 10}
    before = call("crm.item.productrow.set", **owner, productRows=[cup])["productRows"]
    was = whole(call, number)
    params = {
        "set": owner | {"productRows": [tea, cup]},
        "add": {"fields": owner | tea},
        "update": {"id": before[0]["id"], "fields": {"quantity": 3}},
    }[method]
    written = written_rows(
        f"crm.item.productrow.{method}", params, call(f"crm.item.productrow.{method}", **params)
    )
    if edited:
        rows = call("crm.item.productrow.list", filter={f"={n}": v for n, v in owner.items()})
        last = rows["productRows"][-1]["id"]
        call("crm.item.productrow.update", id=last, fields={"productName": "Mug"})
    now = whole(call, number)
    changed = difference(was, now)
    assert {"opportunity", "productRows"} <= {*changed}
    key, text = ledger_key("main", written.item, time.time()), NoteText.of(written, 1, time.time())
    note = Note(key, written.item, "tidy", "t", "w", text.to_json(), time.time())
    change = replace(
        CHANGE,
        id=str(number),
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        changed=tuple(changed),
        before=Fields({name: was.get(name) for name in changed}),
        after=Fields(now),
    )
    assert is_echo(rows_of(note), change) is not edited


def whole(call, number):
    """Return a deal with its product rows as the mirror has them."""
    owner = {"=ownerType": "D", "=ownerId": number}
    rows = call("crm.item.productrow.list", filter=owner)["productRows"]
    return read(call, "deal", number) | {"productRows": project_rows(rows)}

"""relay.echo: what a reaction wrote is told from what somebody else did."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.change import Change, Fields
from relay.echo import is_echo, mark, notes_of
from relay.ledger import (
    BUDGET,
    HOUR,
    NOTED_SECONDS,
    Making,
    Note,
    canonical,
    created,
    row_keys,
    written,
)
from relay.tracking.projection import project
from tests.dynamo import Dynamo

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
CHANGE = Change(
    change_id="main.deal.5.b.7",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="5",
    action="updated",
    version=7,
    time="2026-03-01T12:00:10.000+00:00",
)


def change_of(**after):
    """Return a change of these fields."""
    return replace(CHANGE, changed=tuple(after), after=Fields(after))


def note_of(method, now=NOW, **params):
    """Return the row into which a call is noted, as the table holds it."""
    table = Dynamo()
    its = written(method, params)
    table.transact_write_items([Note("main", its, "tidy", "t.0", 1, now).make("State")])
    return table.rows


def judge(change, method="crm.item.update", now=NOW, **params):
    """Say whether a change is the echo of a call."""
    rows = note_of(method, now, **params)
    return is_echo(notes_of(rows.values(), NOW + 10), change)


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"title": "New"}, {"title": "New"}),
        ({"stageId": "WON"}, {"stageId": "WON", "movedTime": "x", "stageSemanticId": "S"}),
        ({"opportunity": "100.00"}, {"opportunity": 100, "isManualOpportunity": "Y"}),
        ({"assignedById": "7"}, {"assignedById": 7}),
        ({"UF_CRM_1": ["b", "a"]}, {"UF_CRM_1": ["a", "b"]}),
        ({"ufCrm_1": True}, {"UF_CRM_1": "Y"}),
        ({"comments": ""}, {"comments": None}),
        ({"begindate": "2026-03-05"}, {"begindate": "2026-03-04T21:00:00Z"}),
        ({"closedate": "2026-03-05T10:00:00+03:00"}, {"closedate": "2026-03-05T07:00:00Z"}),
    ],
)
def test_what_was_written_and_what_follows_is_an_echo(fields, after):
    """However it was spelt, and with the fields that the portal sets with it."""
    assert judge(change_of(**after), entityTypeId=2, id=5, fields=fields)


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"title": "New"}, {"title": "Newer"}),
        ({"title": "New"}, {"title": "New", "opportunity": 5}),
        ({"title": "New"}, {"stageId": "WON"}),
        ({"stageId": "WON"}, {"movedTime": "x"}),
        ({"begindate": "2026-03-05"}, {"begindate": "2026-04-05T00:00:00Z"}),
        ({"begindate": "2026-03-05"}, {"begindate": "whenever it is"}),
        ({"UF_CRM_1": ["a"]}, {"UF_CRM_1": "a"}),
        ({}, {"title": "New"}),
    ],
)
def test_what_somebody_else_did_meanwhile_is_not(fields, after):
    """Another value, another field beside it, or what follows alone: a person's change is kept."""
    assert not judge(change_of(**after), entityTypeId=2, id=5, fields=fields)


OLD_ROWS = [
    {"id": 3, "typeId": "PHONE", "value": "8 1"},
    {"id": 4, "typeId": "EMAIL", "value": "a"},
]


@pytest.mark.parametrize(
    ("method", "fields", "rows"),
    [
        ("crm.item.update", {"fm": {"3": {"id": 3, "value": "+7 1"}}}, {3: "+7 1", 4: "a"}),
        ("crm.item.update", {"fm": [{"id": 3, "value": "+7 1"}]}, {3: "+7 1", 4: "a"}),
        ("crm.item.update", {"fm": {"n0": {"value": "+1"}}}, {3: "8 1", 4: "a", 5: "+1"}),
        ("crm.item.update", {"fm": {"3": {"value": ""}}}, {4: "a"}),
        ("crm.contact.update", {"PHONE": [{"ID": 3, "VALUE": "+7 1"}]}, {3: "+7 1", 4: "a"}),
        ("crm.contact.update", {"PHONE": [{"ID": 3, "VALUE": "x", "DELETE": "Y"}]}, {4: "a"}),
        (
            "crm.contact.update",
            {"PHONE": [{"VALUE": "+1"}], "EMAIL": [{"ID": 4, "VALUE": "b"}]},
            {3: "8 1", 4: "b", 5: "+1"},
        ),
    ],
)
def test_phones_and_what_shows_them_are_an_echo(method, fields, rows):
    """Rows are told by their numbers, new ones by their text; the item shows the first of each."""
    entity = {"crm.item.update": {"entityTypeId": 3}}.get(method, {})
    shown = {"phone": "x", "phoneWork": "x", "emailWork": "x", "hasPhone": "Y"}
    assert judge(of_rows(rows, **shown), method, id=5, fields=fields, **entity)


def of_rows(rows, **shown):
    """Return a contact's change from the old phones to these."""
    old = {(row["id"], row["value"]): row for row in OLD_ROWS}
    after = [
        old.get((number, text), {"id": number, "typeId": "PHONE", "value": text})
        for number, text in rows.items()
    ]
    change = replace(change_of(fm=after, **shown), entity="contact", entity_type_id=3)
    return replace(change, before=Fields(fm=OLD_ROWS))


@pytest.mark.parametrize("rows", [{3: "+7 2", 4: "a"}, {4: "a"}, {3: "+7 1"}, {3: "+7 1", 4: "b"}])
def test_another_phone_by_a_person_is_a_persons(rows):
    """Within the minutes in which the note of a tidied phone counts, and in the same reading."""
    fields = {"fm": {"3": {"id": 3, "value": "+7 1"}}}
    assert not judge(of_rows(rows), id=5, entityTypeId=3, fields=fields)


def test_of_phones_that_were_too_many_to_store_any_note_is_believed():
    """Only their digest is known; announce must not stumble over it, nor over odd parameters."""
    change = replace(change_of(fm={"$sha256": "x"}), entity="contact")
    assert judge(change, id=5, entityTypeId=3, fields={"fm": "nonsense"})
    assert not judge(change_of(title="x"), id=5, entityTypeId=3, fields={"fm": None})


def test_two_writes_that_were_read_at_once_are_an_echo_together():
    """Each field is looked for among all notes of the item."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"title": "a"})
    more = note_of("crm.deal.update", id=5, fields={"STAGE_ID": "WON"})
    notes = notes_of([*rows.values(), *more.values()], NOW)
    assert is_echo(notes, change_of(title="a", stageId="WON"))


def test_a_note_counts_for_minutes_and_not_before_it_was_made():
    """The same edit by a person an hour later, or just before, is a person's."""
    change = change_of(title="a")
    for now, expected in ((NOW, True), (NOW - NOTED_SECONDS, False), (NOW + 60, False)):
        assert judge(change, now=now, entityTypeId=2, id=5, fields={"title": "a"}) is expected


def test_what_was_made_is_known_by_its_mark():
    """A create carries a stamp, which is read with the item."""
    for after in ({"originatorId": "bitrix24-relay"}, {"xmlId": "relay-1"}):
        assert is_echo([], replace(CHANGE, action="added", after=Fields(after)))
    assert not is_echo([], replace(CHANGE, action="added", after=Fields(title="x")))


def making(method="crm.item.add", user=1, now=NOW, **params):
    """Return the rows into which a create is noted."""
    its = created(method, {"entityTypeId": 7, **params})
    row = Making("main", its, user, now).make("State")
    return {row["pk"]["S"]: row}


def origin_of(rows, seconds=10, entity="quote", **after):
    """Return the origin of a new item that is read so many seconds after noon."""
    when = datetime.fromtimestamp(NOW + seconds, UTC).isoformat()
    change = replace(CHANGE, entity=entity, action="added", time=when, after=Fields(after))
    (its,) = mark([change], lambda keys: {key: rows[key] for key in keys if key in rows})
    return its.origin


@pytest.mark.parametrize(
    ("entity", "call", "after"),
    [
        ("quote", {"fields": {"title": "A"}}, {"title": "A"}),
        ("quote", {"fields": {"title": " A  &amp; B "}}, {"title": "A & B"}),
        ("quote", {"fields": {"title": "long" * 99}}, {"title": "long" * 60}),
        ("quote", {"fields": {"opportunity": 5}}, {"title": "Quote #5", "opportunity": 5}),
        ("deal", {"entityTypeId": 2, "fields": {"TITLE": "A", "originId": "x"}}, {"title": "A"}),
        (
            "contact",
            {
                "method": "crm.contact.add",
                "fields": {"NAME": "A", "LAST_NAME": "B", "ORIGIN_ID": 1},
            },
            {"lastName": "B", "name": "A"},
        ),
        ("task", {"method": "tasks.task.add", "fields": {"TITLE": "A"}}, {"title": "A"}),
    ],
)
def test_what_bears_no_mark_is_known_by_its_name_and_its_maker(entity, call, after):
    """However the name was spelt; what has none is named by the portal."""
    rows = making(**call)
    assert origin_of(rows, entity=entity, createdBy=1, **after) == "relay"
    assert origin_of(rows, entity=entity, createdBy=2, **after) == "portal"
    assert origin_of(rows, entity="lead", createdBy=1, **after) == "portal"


def test_what_a_person_makes_meanwhile_is_a_persons():
    """Of another name, or by another user, or a good while later."""
    rows = making(fields={"title": "A"})
    assert origin_of(rows, createdBy=1, title="B") == "portal"
    assert origin_of(rows, createdBy=1) == "portal"
    for seconds, origin in ((-60, "portal"), (899, "relay"), (1801, "portal")):
        assert origin_of(rows, seconds, createdBy=1, title="A") == origin
    rows = making(fields={"title": "A", "createdBy": 5})
    assert origin_of(rows, createdBy=5, title="A") == "relay"
    assert origin_of(rows, createdBy=1, title="A") == "portal"


def test_what_bears_a_mark_needs_no_note():
    """A row less for each; and what is not mirrored has none at all."""
    assert created("crm.item.add", {"entityTypeId": 2, "fields": {"title": "A"}}) is None
    assert created("crm.deal.add", {"fields": {"TITLE": "A"}}) is None
    assert created("im.notify.system.add", {"USER_ID": 1}) is None


def test_a_thousand_creates_are_small_rows():
    """However many there are, and whatever they hold."""
    rows = {}
    for number in range(1000):
        rows |= making(fields={"title": "the same", "comments": "x" * 9999, "opportunity": number})
        rows |= making(fields={"title": f"quote {number}"})
    assert len(rows) == 1001
    assert max(len(json.dumps(row)) for row in rows.values()) < 200


def test_a_deletion_of_ours_is_an_echo():
    """One that was noted; another is somebody's."""
    gone = replace(CHANGE, action="deleted")
    assert judge(gone, "crm.item.delete", entityTypeId=2, id=5)
    assert not is_echo([], gone)


def test_the_writer_tells_where_no_note_is_left():
    """Where the writing webhook has a user of its own, its edits are ours."""
    after = {"title": "a", "updatedBy": 9}
    assert is_echo([], replace(CHANGE, changed=("title",), after=Fields(after)), 9)
    assert not is_echo([], replace(CHANGE, changed=("title",), after=Fields(after)), 8)
    assert not is_echo([], replace(CHANGE, changed=("title",), after=Fields(after)))
    made = replace(CHANGE, action="added", after=Fields(createdBy=9))
    assert is_echo([], made, 9)
    task = replace(CHANGE, entity="task", changed=("title",), after=Fields(changedBy=9))
    assert is_echo([], task, 9)


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("crm.item.update", {"entityTypeId": "128", "id": 3, "fields": {}}, ("dynamic_128", "3")),
        ("crm.item.delete", {"entityTypeId": 31, "id": "4"}, ("invoice", "4")),
        ("crm.lead.update", {"ID": 4, "FIELDS": {"STATUS_ID": "X"}}, ("lead", "4")),
        ("tasks.task.update", {"taskId": 8, "fields": {"STATUS": 5}}, ("task", "8")),
        ("tasks.task.complete", {"taskId": 8}, ("task", "8")),
        ("crm.deal.productrows.set", {"id": 5, "rows": []}, ("deal", "5")),
        ("crm.item.productrow.set", {"ownerType": "SI", "ownerId": 5}, ("invoice", "5")),
        ("crm.item.productrow.set", {"ownerType": "T80", "ownerId": 5}, ("dynamic_128", "5")),
        ("crm.item.productrow.set", {"ownerType": "what", "ownerId": 5}, ("what", "5")),
        (
            "crm.timeline.comment.add",
            {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 5, "COMMENT": "x"}},
            ("deal", "5"),
        ),
    ],
)
def test_what_a_call_writes_to_is_known(method, params, expected):
    """Item, classic and task methods, and comments, which count though they change no field."""
    its = written(method, params)
    assert (its.entity, its.id) == expected


def test_a_call_that_writes_to_no_item_is_nobodys_echo():
    """Creates and messages have no item before they are done."""
    assert written("crm.item.add", {"entityTypeId": 2, "fields": {}}) is None
    assert written("crm.settings.update", {"id": 2}) is None
    assert written("im.notify.system.add", {"USER_ID": 2}) is None


def test_a_leads_stage_is_noted_as_it_is_read():
    """Classic leads say STATUS_ID, items stageId."""
    assert judge(
        replace(change_of(stageId="X"), entity="lead"),
        "crm.lead.update",
        id=5,
        fields={"STATUS_ID": "X"},
    )


def test_the_budget_of_an_hour_ends_a_loop():
    """The thirty-first write of a reaction to an item is refused; in the next hour it may again."""
    table = Dynamo()
    its = written("crm.item.update", {"entityTypeId": 2, "id": 5, "fields": {"title": "a"}})

    def write(reaction="tidy", now=NOW):
        table.transact_write_items([Note("main", its, reaction, f"t.{now}", 1, now).make("State")])

    for _ in range(BUDGET):
        write()
    with pytest.raises(table.exceptions.TransactionCanceledException):
        write()
    write("another")
    write(now=NOW + HOUR)


def test_writes_that_wait_together_are_noted_together():
    """One request counts both, and knows the fields of both."""
    table = Dynamo()
    notes = [
        Note(
            "main", written("crm.deal.update", {"id": 5, "fields": {name: 1}}), "tidy", name, 1, NOW
        )
        for name in ("A", "B")
    ]
    notes[0].merge(notes[1])
    table.transact_write_items([notes[0].make("State")])
    (row,) = table.rows.values()
    assert row["count tidy"] == {"N": "2"}
    assert {name for note in notes_of([row], NOW) for name in note["fields"]} == {"a", "b"}


def test_changes_are_marked_by_what_is_noted_of_their_items():
    """Announce reads the rows of the hours in question, and marks what is ours."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"title": "a"})
    asked = []

    def load(keys):
        asked.extend(keys)
        return {key: row for key, row in rows.items() if key in keys}

    ours, theirs = change_of(title="a"), replace(change_of(title="a"), id="6")
    assert [its.origin for its in mark([ours, theirs], load)] == ["relay", "portal"]
    assert len(asked) == 4  # noon: the hour before may hold a note of the last minutes
    assert row_keys("main", "deal", "5", NOW + 1800) == row_keys("main", "deal", "5", NOW + 1801)


def test_written_and_read_values_have_one_spelling():
    """The projection's spelling of a reading is that of the ledger."""
    item = {"a": "2026-03-05T10:00:00+03:00", "b": 10.0, "c": False, "d": ["2", "1"]}
    read = project("deal", item)
    for name, value in item.items():
        assert canonical(value) == canonical(read.get(name)), name
    assert json.dumps(canonical({"x": 1})) == '["1"]'

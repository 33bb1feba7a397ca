"""relay.echo.detect: the echo of a reaction's write is told from the changes of others."""

import json
from dataclasses import replace

import pytest

from relay.change import Fields
from relay.echo.detect import CALL_SECONDS, is_echo, mark_echoes
from relay.echo.effects import created_item
from relay.echo.ledger import (
    CLOCK_SECONDS,
    NOTED_SECONDS,
    Creation,
    add_creations,
    fact,
    keys_around,
    stamped,
)
from relay.state_table import gone_key
from tests import samples
from tests.ledger import note_of as noted
from tests.ledger import rows_of, update

USER, PERSON = 1, 42
NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
NOON = "2026-03-01T12:00:05Z"
CHANGE = samples.change_of(
    version=7, time="2026-03-01T12:00:10.000+00:00", changed=(), before=Fields(), after=Fields()
)


def change_of(before=None, **after):
    """Return a change of these fields, last saved by the webhook's user."""
    saved = {"updatedBy": USER, "changedBy": USER}
    return replace(
        CHANGE, changed=tuple(after), before=Fields(before or {}), after=Fields(saved | after)
    )


def note_of(method, now=NOW, user=USER, **params):
    """Return the rows with the note of a call."""
    return rows_of(noted(method, params, user_id=user, now=now))


def judge(change, method="crm.item.update", now=NOW, **params):
    """Return whether a change is the echo of a call."""
    return is_echo(note_of(method, now, **params), change)


def loading(rows):
    """Return the function that loads rows of the State table."""
    return lambda keys: {key: rows[key] for key in keys if key in rows}


def origin_of(change, *puts):
    """Return the origin that a change is marked with where these rows are stored."""
    rows = {put.item["pk"]["S"]: put.item for put in puts}
    (marked,) = mark_echoes([change], loading(rows))
    return marked.origin


MOVED = {"movedTime": NOON, "movedBy": USER, "stageSemanticId": "S", "previousStageId": "NEW"}


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"title": "New"}, {"title": "New"}),
        ({"stageId": "WON"}, {"stageId": "WON"} | MOVED | {"closed": "Y", "isNew": "N"}),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": "2026-02-28T21:00:00Z"} | MOVED),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": NOON, "probability": 100} | MOVED),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": "2026-02-28T11:58:00Z"} | MOVED),
        ({"status": 5}, {"status": 5, "closedBy": USER, "statusChangedBy": USER}),
        ({"status": 3}, {"status": 3, "closedBy": None}),
        ({"stageId": "A"}, {"stageId": "A", "dateClosed": None} | MOVED),
        ({"stageId": "A"}, {"stageId": "A", "dateClosed": NOON} | MOVED),
        ({"categoryId": 3, "stageId": "A"}, {"categoryId": 3, "stageId": "A"} | MOVED),
        ({"opportunity": "100.00"}, {"opportunity": 100, "isManualOpportunity": "Y"}),
        ({"opportunity": 5}, {"opportunity": 5, "isManualOpportunity": True}),
        ({"companyId": 5}, {"companyId": 5, "companyIds": [5]}),
        ({"contactId": "5"}, {"contactId": 5, "contactIds": [5]}),
        ({"companyId": 0}, {"companyId": None, "companyIds": None}),
        ({"contactIds": [7, 3]}, {"contactIds": [3, 7], "contactId": 7}),
        ({"name": "A"}, {"name": "A", "fullName": "A B"}),
    ],
)
def test_written_fields_and_those_that_follow_are_an_echo(fields, after):
    """Written values, and the values that follow from them, are an echo."""
    change = change_of({"stageId": "NEW", "companyId": 2, "companyIds": [2, 3]}, **after)
    assert judge(change, entityTypeId=2, id=5, fields=fields)


@pytest.mark.parametrize(
    ("read", "expected"), [("2026-03-04T21:00:00Z", True), ("2026-03-05T09:30:00Z", False)]
)
def test_a_day_is_read_at_the_portals_midnight_only(read, expected):
    """A day that was written is read as the portal's midnight, which its own days tell."""
    change = change_of(UF_CRM_1=read)
    days = {"begindate": "2026-01-01T21:00:00Z", "createdTime": "2026-01-01T09:30:00Z"}
    change = replace(change, after=Fields(change.after | days))
    assert judge(change, entityTypeId=2, id=5, fields={"UF_CRM_1": "2026-03-05"}) is expected


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"title": "New"}, {"title": "Newer"}),
        ({"title": "New"}, {"title": "New", "opportunity": 5}),
        ({"title": "New"}, {"stageId": "WON"}),
        ({"stageId": "WON"}, {"movedTime": NOON}),
        ({"stageId": "WON"}, {"stageId": "WON", "movedBy": PERSON}),
        ({"stageId": "WON"}, {"stageId": "WON", "movedTime": "2026-03-01T12:06:00Z"}),
        ({"stageId": "WON"}, {"stageId": "WON", "movedTime": "2026-03-01T11:54:00Z"}),
        ({"stageId": "WON"}, {"stageId": "WON", "movedTime": None}),
        ({"stageId": "WON"}, {"stageId": "WON", "previousStageId": "BETWEEN"}),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": "2031-01-01T00:00:00Z"} | MOVED),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": "2026-02-27T21:00:00Z"} | MOVED),
        ({"stageId": "WON"}, {"stageId": "WON", "closedate": None} | MOVED),
        ({"status": 5}, {"status": 5, "closedBy": PERSON}),
        ({"status": 5}, {"status": 5, "statusChangedBy": None}),
        ({"stageId": "A"}, {"stageId": "A", "closedate": "2026-03-01T00:00:00Z"}),
        ({"stageId": "WON"}, {"stageId": "WON", "probability": 90} | MOVED),
        ({"stageId": "A"}, {"stageId": "A", "probability": 100}),
        ({"stageId": "A"}, {"stageId": "A", "dateClosed": "2026-01-01T00:00:00Z"}),
        ({"categoryId": 3}, {"categoryId": 3, "stageId": "C3:WON"}),
        ({"assignedById": 9}, {"assignedById": 9, "observers": [1, 2, 3]}),
        ({"isManualOpportunity": "Y"}, {"isManualOpportunity": "Y", "opportunity": 5}),
        ({"opportunity": 5}, {"opportunity": 5, "isManualOpportunity": "N"}),
        ({"companyId": 5}, {"companyId": 5, "companyIds": [2, 3, 5]}),
        ({"companyId": 5}, {"companyId": 5, "companyIds": [2, 3]}),
        ({"contactIds": [7, 3]}, {"contactIds": [3, 7], "contactId": 3}),
        ({"contactIds": []}, {"contactIds": None, "contactId": 3}),
        ({"begindate": "2026-03-05"}, {"begindate": "2026-04-05T00:00:00Z"}),
        ({"UF_CRM_1": ["a"]}, {"UF_CRM_1": "a"}),
        ({}, {"title": "New"}),
        ({"title": "x" * 70}, {"title": "x" * 71}),
    ],
)
def test_another_value_or_field_is_a_persons(fields, after):
    """Another value, another field beside it, or only a following field is a person's change."""
    change = change_of({"stageId": "NEW", "companyId": 2, "companyIds": [2, 3]}, **after)
    assert not judge(change, entityTypeId=2, id=5, fields=fields)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [(["WON"], True), (["LOSE", "WON"], False), (["WON", "NEW", "WON"], False)],
)
def test_a_move_in_between_is_a_persons(stages, expected):
    """A move to a stage that nobody noted makes the whole change a person's."""
    steps = tuple({"stageId": stage, "categoryId": 0, "at": NOON} for stage in stages)
    change = replace(change_of({"stageId": "NEW"}, stageId="WON", **MOVED), steps=steps)
    assert judge(change, entityTypeId=2, id=5, fields={"stageId": "WON"}) is expected


def test_a_truncated_field_is_a_persons():
    """A truncated field is a person's: an emptied one would look the same."""
    change = replace(change_of(title=None, stageId="A"), truncated=("title",))
    fields = {"title": "", "stageId": "A"}
    assert not judge(change, entityTypeId=2, id=5, fields=fields)
    assert judge(replace(change, truncated=()), entityTypeId=2, id=5, fields=fields)


@pytest.mark.parametrize("last", [PERSON, None, 0])
def test_a_note_counts_for_the_user_who_saved_last_only(last):
    """A note explains nothing if another user has saved the item last."""
    change = change_of(title="a")
    change = replace(change, after=Fields(change.after | {"updatedBy": last}))
    assert not judge(change, entityTypeId=2, id=5, fields={"title": "a"})


def test_of_a_field_the_last_write_counts():
    """A person who restores the value before the last write has made a change of their own."""
    first = note_of("crm.item.update", NOW, entityTypeId=2, id=5, fields={"title": "a"})
    second = note_of("crm.item.update", NOW + 4, entityTypeId=2, id=5, fields={"title": "b"})
    rows = {"1": next(iter(first.values())), "2": next(iter(second.values()))}
    assert is_echo(rows, change_of(title="b"))
    assert not is_echo(rows, change_of(title="a"))
    for title in ("a", "b"):
        same = note_of("crm.item.update", NOW, entityTypeId=2, id=5, fields={"title": "b"})
        at_once = {"1": next(iter(first.values())), "2": next(iter(same.values()))}
        assert is_echo(at_once, change_of(title=title))  # which was the last is not known
    soon = replace(change_of(title="a"), time="2026-03-01T12:00:08.000+00:00")
    assert is_echo(rows, soon)  # the clocks can't tell which of them was read
    exact = replace(soon, time="2026-03-01T12:00:09.000+00:00")
    assert not is_echo(rows, exact)


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (CALL_SECONDS, True), (61, False)])
def test_a_note_counts_for_the_reading_after_its_write(seconds, expected):
    """A note from before the mirror's former reading, less a call's time, explains nothing."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"title": "a"})
    change = replace(change_of(title="a"), time="2026-03-01T12:05:00.000+00:00")
    since = {change.change_id: NOW + seconds}
    (marked,) = mark_echoes([change], loading(rows), since)
    assert (marked.origin == "relay") is expected


def test_a_late_reading_is_judged_by_when_the_item_was_saved():
    """A reading that comes hours late is judged by the time at which the item was saved."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"stageId": "WON"})
    late = replace(change_of(stageId="WON"), time="2026-03-01T17:00:00.000+00:00")
    late = replace(late, after=Fields(late.after | {"updatedTime": "2026-03-01T12:00:02Z"}))
    both = replace(late, changed=("stageId", "title"), after=Fields(late.after | {"title": "b"}))
    hours = replace(late, after=Fields(late.after | {"updatedTime": "2026-03-01T16:00:02Z"}))
    marked = mark_echoes([late, both, hours], loading(rows))
    assert [one.origin for one in marked] == ["relay", "portal", "portal"]


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
def test_phones_and_the_fields_that_show_them_are_an_echo(method, fields, rows):
    """Phones are matched by their ids, new ones by their text, with the fields that show them."""
    entity = {"crm.item.update": {"entityTypeId": 3}}.get(method, {})
    shown = {"phone": "x", "phoneWork": "x", "emailWork": "x", "hasPhone": "Y"}
    assert judge(of_rows(rows, **shown), method, id=5, fields=fields, **entity)


def of_rows(rows, **shown):
    """Return a contact's change from the old phones to these."""
    kinds = {row["id"]: row["typeId"] for row in OLD_ROWS}
    after = [
        {"id": number, "typeId": kinds.get(number, "PHONE"), "value": text}
        for number, text in rows.items()
    ]
    change = replace(change_of(fm=after, **shown), entity="contact", entity_type_id=3)
    return replace(change, before=Fields(fm=OLD_ROWS))


@pytest.mark.parametrize(
    "rows",
    [
        {3: "+7 2", 4: "a"},
        {4: "a"},
        {3: "+7 1"},
        {3: "+7 1", 4: "b"},
        {3: "8 1", 4: "+7 1"},
        {3: "+1", 4: "a"},
        {3: "8 1", 4: "a", 5: "+7 1"},
        {3: "+7 1", 4: "a", 5: "+1", 6: "+1"},
    ],
)
def test_another_phone_by_a_person_is_a_persons(rows):
    """A phone that was not written so is a person's, even beside one that was."""
    fields = {"fm": {"3": {"id": 3, "value": "+7 1"}, "n0": {"value": "+1"}}}
    assert not judge(of_rows(rows), id=5, entityTypeId=3, fields=fields)


@pytest.mark.parametrize("more", [{"valueType": "HOME"}, {"typeId": "FAX"}])
def test_another_use_of_a_phone_is_a_persons(more):
    """A phone with the written text and another kind or use is a person's."""
    change = of_rows({3: "+7 1", 4: "a"})
    rows = [row | (more if row["id"] == 3 else {}) for row in change.after["fm"]]
    change = replace(change, after=Fields(change.after | {"fm": rows}))
    fields = {"fm": {"3": {"id": 3, "value": "+7 1"}}}
    assert not judge(change, id=5, entityTypeId=3, fields=fields)
    fields["fm"]["3"] |= more
    assert judge(change, id=5, entityTypeId=3, fields=fields)


@pytest.mark.parametrize(("kind", "use", "expected"), [
    ("PHONE", "WORK", True), ("FAX", "WORK", False), ("PHONE", "HOME", False),
])  # fmt: skip
def test_a_new_phone_of_another_kind_or_use_is_a_persons(kind, use, expected):
    """A new phone has the kind and use with which it was written."""
    change = of_rows({3: "8 1", 4: "a"})
    row = {"id": 5, "typeId": kind, "value": "+1", "valueType": use}
    change = replace(change, after=Fields(change.after | {"fm": [*change.after["fm"], row]}))
    fields = {"PHONE": [{"VALUE": "+1", "VALUE_TYPE": "WORK"}]}
    assert judge(change, "crm.contact.update", id=5, fields=fields) is expected


def test_phones_of_two_writes_are_an_echo_together():
    """Two writes of different phones explain one reading together, and no more than that."""
    rows = note_of("crm.item.update", entityTypeId=3, id=5, fields={"fm": {"3": {"value": "+7 1"}}})
    more = note_of("crm.contact.update", NOW + 1, id=5, fields={"PHONE": [{"VALUE": "+1"}]})
    change = of_rows({3: "+7 1", 4: "a", 5: "+1"})
    both = {"1": next(iter(rows.values())), "2": next(iter(more.values()))}
    assert is_echo(both, change)
    assert not is_echo(rows, change)
    undone = note_of(
        "crm.contact.update", NOW + 2, id=5, fields={"PHONE": [{"ID": 3, "VALUE": "x"}]}
    )
    assert not is_echo(both | {"3": next(iter(undone.values()))}, change)


def test_new_phones_of_two_writes_are_an_echo_together():
    """Two writes that each add a phone explain one reading with both, and no third one."""
    fields = [{"fm": {"n0": {"value": text}}} for text in ("+1", "+2")]
    notes = [note_of("crm.item.update", entityTypeId=3, id=5, fields=each) for each in fields]
    both = {str(at): row for at, note in enumerate(notes) for row in note.values()}
    assert is_echo(both, of_rows({3: "8 1", 4: "a", 5: "+1", 6: "+2"}))
    assert not is_echo(both, of_rows({3: "8 1", 4: "a", 5: "+1", 6: "+2", 7: "+2"}))


def test_phones_that_were_too_many_to_store_are_a_persons():
    """Phones stored as a digest are a person's, and odd parameters raise nothing."""
    change = replace(change_of(fm={"$sha256": "x"}), entity="contact", truncated=("fm",))
    assert not judge(change, id=5, entityTypeId=3, fields={"fm": "nonsense"})
    for odd in (None, 5, ["x"], {"n0": "x"}):
        assert not judge(change_of(title="x"), id=5, entityTypeId=3, fields={"fm": odd})


def test_two_writes_that_were_read_at_once_are_an_echo_together():
    """Two writes of different fields explain one reading together."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"title": "a"})
    more = note_of("crm.deal.update", id=5, fields={"STAGE_ID": "WON"})
    both = {"1": next(iter(rows.values())), "2": next(iter(more.values()))}
    assert is_echo(both, change_of(title="a", stageId="WON"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW, True),
        (NOW + 10 - NOTED_SECONDS, True),
        (NOW + 9 - NOTED_SECONDS, False),
        (NOW + 10 + CLOCK_SECONDS, True),
        (NOW + 11 + CLOCK_SECONDS, False),
    ],
)
def test_a_note_counts_for_fifteen_minutes(now, expected):
    """A note explains changes of the next 15 minutes, give or take the clocks' difference."""
    change = change_of(title="a")
    assert judge(change, now=now, entityTypeId=2, id=5, fields={"title": "a"}) is expected


def test_a_change_of_no_field_is_no_echo():
    """A change without changed fields is no echo."""
    assert not judge(change_of(), entityTypeId=2, id=5, fields={"title": "a"})


@pytest.mark.parametrize(("seconds", "expected"), [(600, True), (601, False)])
def test_a_portals_clock_may_be_five_minutes_behind(seconds, expected):
    """A note counts for 300 s more, as the portal's clock may be behind."""
    change = replace(change_of(title="a"), time="2026-03-01T13:30:00.000+00:00")
    change = replace(change, after=Fields(change.after | {"updatedTime": "2026-03-01T12:30:00Z"}))
    now = NOW + 1800 - seconds
    assert judge(change, now=now, entityTypeId=2, id=5, fields={"title": "a"}) is expected


def added(entity="quote", number="5", **after):
    """Return a new item."""
    return replace(CHANGE, entity=entity, id=number, action="added", after=Fields(after))


STAMP = "relay-0123456789abcdef01234567"


def test_new_items_with_neighbouring_ids_are_recognised_one_by_one():
    """A row tells of each of its ids apart, and who made it; other kinds have rows of their own."""
    notes = [Creation.of("main", "quote", number, NOW, by="tidy") for number in ("5", "31", "05")]
    rows = rows_of(*notes, build=add_creations)
    changes = [added(number=number) for number in ("5", "31", "6", "32")]
    another_key = added(number="6", originId="quote/5")
    marked = mark_echoes([*changes, added("task"), another_key], loading(rows))
    assert [one.origin for one in marked] == ["relay"] * 2 + ["portal"] * 4
    assert [one.reaction for one in marked] == ["tidy"] * 2 + [""] * 4
    assert len(rows) == 1


@pytest.mark.parametrize("name", ["originId", "xmlId"])
def test_a_stamp_counts_for_its_kind_and_author_only(name):
    """A stamp that a conversion has copied to another kind, or by another user, is no echo."""
    made = created_item("crm.lead.add", {"fields": {"TITLE": "A", "ORIGIN_ID": STAMP}})
    row = stamped("main", made, USER, NOW, by="tidy")
    assert origin_of(added("lead", createdBy=USER, **{name: STAMP}), row) == "relay"
    for entity in ("deal", "contact", "company"):
        for user in (USER, PERSON):
            assert origin_of(added(entity, createdBy=user, **{name: STAMP}), row) == "portal"
    assert origin_of(added("lead", createdBy=PERSON, **{name: STAMP}), row) == "portal"
    assert origin_of(added("lead", createdBy=USER, **{name: STAMP})) == "portal"
    assert origin_of(added("lead", createdBy=USER, **{name: STAMP + "0"}), row) == "portal"


def test_the_author_that_a_reaction_sets_is_the_stamps():
    """The author of a stamped item is the one that the reaction has set."""
    made = created_item(
        "crm.item.add", {"entityTypeId": 128, "fields": {"xmlId": STAMP, "createdBy": 5}}
    )
    row = stamped("main", made, USER, NOW, by="tidy")
    assert origin_of(added("dynamic_128", createdBy=5, xmlId=STAMP), row) == "relay"
    assert origin_of(added("dynamic_128", createdBy=USER, xmlId=STAMP), row) == "portal"


def test_a_noted_deletion_is_an_echo():
    """A noted deletion is an echo; one that was only sent is not."""
    gone = replace(CHANGE, action="deleted")
    assert origin_of(gone, fact(gone_key("main", "deal/5"), NOW, by="tidy")) == "relay"
    assert origin_of(gone, fact(gone_key("main", "lead/5"), NOW, by="tidy")) == "portal"
    assert origin_of(gone) == "portal"
    for method, params in (
        ("crm.deal.update", {"fields": {"TITLE": "a"}}),
        ("crm.deal.delete", {}),
    ):
        rows = note_of(method, id=5, **params)
        (marked,) = mark_echoes([gone], loading(rows))
        assert marked.origin == "portal"


@pytest.mark.parametrize(("action", "status"), [("complete", "5"), ("start", "3"), ("defer", "6")])
def test_the_status_set_by_a_tasks_own_method_is_an_echo(action, status):
    """The status that a task's own method sets is an echo, with the fields that follow from it."""
    follows = {"statusChangedDate": NOON, "statusChangedBy": USER, "closedBy": USER}
    task = replace(change_of(status=status, realStatus=status, **follows), entity="task")
    assert judge(task, f"tasks.task.{action}", taskId=5)
    assert not judge(task, "tasks.task.delegate", taskId=5)
    other = replace(task, after=Fields(task.after | {"statusChangedBy": PERSON}))
    assert not judge(other, f"tasks.task.{action}", taskId=5)


@pytest.mark.parametrize("entity", ["lead", "quote"])
def test_a_classic_stage_is_noted_as_it_is_read(entity):
    """STATUS_ID of a classic lead or quote is noted as stageId."""
    assert judge(
        replace(change_of(stageId="X"), entity=entity),
        f"crm.{entity}.update",
        id=5,
        fields={"STATUS_ID": "X"},
    )


def test_a_change_is_marked_by_the_notes_of_its_item():
    """Changes keep their order, and only the one with a note gets `origin: relay`."""
    rows = note_of("crm.item.update", entityTypeId=2, id=5, fields={"title": "a"})
    asked = []

    def load(keys):
        asked.extend(keys)
        return {key: row for key, row in rows.items() if key in keys}

    noted_change, other = change_of(title="a"), replace(change_of(title="a"), id="6")
    assert [one.origin for one in mark_echoes([noted_change, other], load)] == ["relay", "portal"]
    assert len(asked) == 4  # noon: the hour before may hold a note of the last minutes
    assert keys_around("main", "deal/5", NOW + 1800) == keys_around("main", "deal/5", NOW + 1801)


@pytest.mark.parametrize("size", [0, 64, 65, 1000, 300_000, 2_000_000])
def test_a_value_of_any_size_is_noted_and_compared(size):
    """A value of two million characters is noted as a digest, and compared by it."""
    rows = rows_of(update({"comments": "x" * size}, now=NOW))
    assert len(json.dumps(rows)) < 500
    assert is_echo(rows, change_of(comments="x" * size or None))
    assert not is_echo(rows, change_of(comments="x" * size + "y"))


def test_a_file_is_a_persons():
    """A written file is never an echo: a reading shows only the file's id."""
    for value in (["a.txt", "aGk="], ["a.txt", "x" * 3_000_000], {"fileData": ["a.txt", "aGk="]}):
        rows = rows_of(update({"ufCrmFile": value}, now=NOW))
        assert not is_echo(rows, change_of(ufCrmFile=17))
        assert not is_echo(rows, change_of(ufCrmFile=[17, 18]))

"""relay.echo.ledger: notes and budget of an item, and that its row never outgrows the table."""

import json
from dataclasses import replace

import pytest

from relay.echo.detect import is_echo, notes_of
from relay.echo.ledger import (
    BUDGET,
    ROW_BYTES,
    Creation,
    add_creations,
    add_notes,
    fact,
    keys_around,
    take_back_notes,
)
from relay.echo.note_text import NOTE_BYTES
from relay.errors import ConditionFailedError
from relay.state_table import HOUR_SECONDS
from tests.dynamo import Dynamo
from tests.ledger import note_of, rows_of, store, update
from tests.samples import change_of

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
MANY = {f"ufCrm{number:03}": "x" * 60 for number in range(90)}


def test_the_budget_of_an_hour_ends_a_loop():
    """The thirty-first write to an item is refused; a repeat of one, and the next hour, are not."""
    table = Dynamo()
    for number in range(BUDGET):
        assert store(table, add_notes, update({"title": "a"}, number=number, now=NOW)) is None
    more = update({"title": "a"}, number=BUDGET, now=NOW)
    refusal = store(table, add_notes, more)
    assert isinstance(refusal, ConditionFailedError)
    assert more.is_over_budget(refusal.item)
    assert not more.is_too_large(refusal.item)
    repeat = update({"title": "a"}, number="again", write_id="tidy 7", now=NOW)
    assert not repeat.is_over_budget(refusal.item)
    another = update({"title": "a"}, number=BUDGET, reaction="another", now=NOW)
    later = update({"title": "a"}, number=BUDGET, now=NOW + HOUR_SECONDS)
    assert [store(table, add_notes, note) for note in (repeat, another, later)] == [None] * 3


def test_writes_that_wait_together_are_noted_together():
    """One update counts both, and has the fields of both."""
    table = Dynamo()
    notes = [
        note_of("crm.deal.update", {"id": 5, "fields": {name: 1}}, number=name, now=NOW)
        for name in "AB"
    ]
    assert store(table, add_notes, *notes) is None
    (row,) = table.rows.values()
    assert row["sent tidy"] == {"SS": ["tidy A", "tidy B"]}
    change = change_of(time="2026-03-01T12:00:10.000+00:00")
    assert {name for note in notes_of([row], change) for name in note.fields} == {"a", "b"}
    texts = {name: value["S"] for name, value in row.items() if name.startswith("note ")}
    assert int(row["bytes"]["N"]) == sum(len(name) + len(text) for name, text in texts.items())


def test_more_writes_than_a_budget_are_refused_together():
    """Whoever waits for them tries each one alone."""
    notes = [update({}, number=number, now=NOW) for number in range(BUDGET + 1)]
    with pytest.raises(ConditionFailedError):
        add_notes(notes)


def test_notes_that_are_taken_back_leave_budget_and_room():
    """A row from which everything was taken back is as if nothing had been noted."""
    table = Dynamo()
    notes = [update({"title": "a"}, number=number, now=NOW) for number in range(2)]
    store(table, add_notes, *notes)
    assert store(table, take_back_notes, *notes) is None
    (row,) = table.rows.values()
    assert row.keys() - {"bytes"} == {"pk", "expires"}
    assert row.get("bytes", {"N": "0"}) == {"N": "0"}
    assert isinstance(store(table, take_back_notes, *notes), ConditionFailedError)


def test_a_row_never_outgrows_the_table():
    """A write without room is counted without its fields, and passes for a person's."""
    table, first = Dynamo(), update(MANY, now=NOW)
    for number in range(900):
        name = f"reaction {number % 90}"
        note = replace(first, token=f"t.{number}", reaction=name, write_id=f"{name} {number}")
        if store(table, add_notes, note):
            assert store(table, add_notes, replace(note, text="")) is None
    (row,) = table.rows.values()
    assert len(json.dumps(row)) < 2 * ROW_BYTES
    assert int(row["bytes"]["N"]) <= ROW_BYTES
    assert len(row["sent reaction 0"]["SS"]) == 10
    change = change_of(changed=("ufCrm000",), after={"ufCrm000": "x" * 60, "updatedBy": 1})
    assert is_echo(table.rows, change)
    together = [update(MANY, number=number, now=NOW) for number in range(BUDGET)]
    assert int(add_notes(together).condition.values[":room"]["N"]) >= 0


def test_a_note_of_too_many_fields_has_none():
    """A part of the fields would explain nothing: the write is only counted."""
    fields = {f"ufCrm{number:04}": "x" * 60 for number in range(NOTE_BYTES // 60)}
    (row,) = rows_of(update(fields, now=NOW)).values()
    assert row.keys() == {"pk", "expires", "sent tidy"}


def test_a_write_may_stand_in_the_hour_before_or_after():
    """At noon two rows are read, as a few seconds before it, and half an hour later one."""
    assert len(keys_around("main", "deal/5", NOW)) == 2
    early = keys_around("main", "deal/5", NOW - 3)  # the clock that dated the note may be ahead
    assert set(early) == set(keys_around("main", "deal/5", NOW))
    assert len(keys_around("main", "deal/5", NOW + 1800)) == 1


def test_what_is_noted_goes_when_no_stream_can_ask_for_it():
    """Notes, new items and facts expire 25 h later: an hour after the stream has lost a change."""
    rows = rows_of(update({"title": "a"}, now=NOW))
    rows |= rows_of(Creation.of("main", "deal", "7", NOW, by="tidy"), build=add_creations)
    rows["gone"] = fact("gone", NOW, by="tidy").item
    assert {int(row["expires"]["N"]) for row in rows.values()} == {int(NOW) + 25 * 3600}
    assert len(rows) == 3


def test_notes_of_one_request_leave_room_for_all_that_is_counted_elsewhere():
    """The budget is counted with the note that knows of the most writes elsewhere."""
    few, many = (
        replace(update({"title": "a"}, number=number, now=NOW), elsewhere=elsewhere)
        for number, elsewhere in ((1, 3), (2, 9))
    )
    for notes in ([few, many], [many, few]):
        assert add_notes(notes).condition.values[":most"] == {"N": str(BUDGET - 2 - 9)}

"""relay.echo.row_writes: product rows are a reaction's only if they are as its calls answered."""

from dataclasses import replace

import pytest

from relay.change import Fields
from relay.echo.detect import is_echo
from relay.echo.ledger import Note
from relay.echo.note_text import NoteText
from relay.echo.row_writes import written_rows
from relay.state_table import ledger_key
from relay.tracking.part_projection import project_rows
from tests import samples
from tests.ledger import rows_of, update

USER, PERSON = 1, 42
NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
CHANGE = samples.change_of(version=7, time="2026-03-01T12:00:10.000+00:00")
SET, ADD, UPDATE = (f"crm.item.productrow.{name}" for name in ("set", "add", "update"))
OWNER = {"ownerType": "D", "ownerId": 5}


def row(number, name="Tea", **fields):
    """Return a row as a write answers it."""
    whole = {"id": number, "ownerId": 5, "ownerType": "D", "productId": 0, "productName": name}
    whole |= {"price": 10, "quantity": 1, "priceNetto": 10, "taxRate": None, "xmlId": ""}
    return whole | {"discountSum": 0, "taxIncluded": "N", "sort": 10, "type": 1} | fields


def state(*rows):
    """Return rows as the mirror has them: a list spells some numbers as texts, and has stores."""
    listed = [one | {"price": f"{one['price']:.2f}", "storeId": 3, "type": 4} for one in rows]
    return project_rows(listed) or None


def wrote(method, *rows, now=NOW, user=USER):
    """Return the note of a call that was answered with these rows."""
    result = {"productRows": list(rows)} if method == SET else {"productRow": rows[0]}
    written = written_rows(method, OWNER if method == SET else {}, result)
    text = NoteText.of(written, user, now).to_json()
    key = ledger_key("main", written.item, now)
    return Note(key, written.item, "tidy", f"t{now}{method}", f"w{now}{method}", text, now)


def judge(notes, before, after, *, saved_by=USER, former_reading=0.0, manual=None, **fields):  # noqa: PLR0913  as a change has
    """Return whether a change from rows to rows is an echo of writes with these notes."""
    changed = ("productRows", *fields)
    change = replace(
        CHANGE,
        changed=changed,
        before=Fields(productRows=state(*before)),
        after=Fields(
            {"updatedBy": saved_by, "isManualOpportunity": manual, "productRows": state(*after)}
            | fields
        ),
    )
    return is_echo(rows_of(*notes), change, former_reading)


OLD = [row(1, "Cup"), row(2, "Pot")]
NEW = [row(11), row(12, "Jar")]
EDITED = row(11, price=12)


@pytest.mark.parametrize(
    ("notes", "before", "after"),
    [
        ([wrote(SET, *NEW)], OLD, NEW),
        ([wrote(SET, *NEW)], [], NEW),
        ([wrote(SET)], OLD, []),
        ([wrote(SET, row(11, discountSum=None))], OLD, [row(11)]),
        ([wrote(ADD, row(3))], OLD, [*OLD, row(3)]),
        ([wrote(UPDATE, row(2, "Pot", price=7.5))], OLD, [row(1, "Cup"), row(2, "Pot", price=7.5)]),
        ([wrote(SET, *NEW), wrote(UPDATE, EDITED, now=NOW + 1)], OLD, [EDITED, NEW[1]]),
        ([wrote(SET, *NEW), wrote(ADD, row(13), now=NOW + 1)], OLD, [*NEW, row(13)]),
        ([wrote(SET, *NEW), wrote(SET, row(21), now=NOW + 1)], OLD, [row(21)]),
        ([wrote(SET), wrote(ADD, row(13), now=NOW + 1)], OLD, [row(13)]),
    ],
)
def test_rows_that_are_as_the_calls_answered_are_an_echo(notes, before, after):
    """Rows that were set, added or edited by noted calls alone are a reaction's."""
    assert judge(notes, before, after)


@pytest.mark.parametrize(
    ("notes", "before", "after"),
    [
        ([wrote(SET, *NEW)], OLD, [EDITED, NEW[1]]),  # edited since
        ([wrote(SET, *NEW)], OLD, [row(11, discountSum=1), NEW[1]]),  # in a field not written
        ([wrote(SET, *NEW)], OLD, [NEW[0]]),  # removed since
        ([wrote(SET, *NEW)], OLD, [*NEW, row(13)]),  # added since
        ([wrote(SET, *NEW)], OLD, [row(21), row(22, "Jar")]),  # set anew since
        ([wrote(SET, *NEW)], OLD, []),
        ([wrote(SET, *NEW)], OLD, [OLD[0], *NEW]),  # no set leaves a row
        ([wrote(SET, *NEW)], [*OLD, *NEW], NEW),  # it was read before: the others went later
        ([wrote(SET, *NEW)], OLD, [OLD[0]]),
        ([wrote(SET)], OLD, [OLD[0]]),
        ([wrote(ADD, row(3))], OLD, [OLD[0], row(3)]),  # another is gone
        ([wrote(ADD, row(3))], OLD, [row(1, "Mug"), OLD[1], row(3)]),  # another is edited
        ([wrote(UPDATE, EDITED), wrote(UPDATE, NEW[0], now=NOW + 1)], NEW, [EDITED, NEW[1]]),
        ([wrote(SET), wrote(SET, *NEW, now=NOW + 1)], OLD, []),  # removed after the last set
        ([], OLD, NEW),
    ],
)  # fmt: skip
def test_rows_with_any_other_difference_are_a_persons(notes, before, after):
    """A row that no call answered like that, or that is missing, makes the change a person's."""
    assert not judge(notes, before, after)


def test_a_person_who_saved_last_has_made_the_change():
    """Rows as they were set are a person's if a person saved, or the note is an older reading's."""
    note = wrote(SET, *NEW)
    assert not judge([note], OLD, NEW, saved_by=PERSON)
    assert not judge([note], OLD, NEW, former_reading=NOW + 61)
    assert judge([note], OLD, NEW, former_reading=NOW + 59)


@pytest.mark.parametrize(
    ("manual", "fields", "expected"),
    [
        ("N", {"opportunity": 20, "opportunityAccount": 20, "taxValue": 3}, True),
        ("N", {"opportunity": 21}, False),
        ("Y", {"opportunity": 20}, False),
        ("N", {"opportunity": "20"}, False),
        ("N", {"title": "b"}, False),
    ],
)
def test_the_total_follows_from_rows_unless_it_is_kept_by_hand(manual, fields, expected):
    """The item's amount is an echo if it is the rows' total; any other field is a person's."""
    assert judge([wrote(SET, *NEW)], OLD, NEW, manual=manual, **fields) is expected


def test_rows_and_a_field_of_two_writes_are_an_echo_together():
    """Each field that differs is looked for in all notes; a unit may be a text as well."""
    rows = [row(11, measureCode="pcs")]
    title = update({"title": "b"}, now=NOW)
    assert judge([wrote(SET, *rows), title], OLD, rows, title="b")
    assert not judge([title], OLD, rows, title="b")


def test_the_amount_of_an_item_without_rows_is_nothing():
    """A set of no rows empties the amount as well."""
    assert judge([wrote(SET)], OLD, [], manual="N", opportunity=None)


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        (SET, OWNER, True),
        (SET, OWNER, {"productRows": [{"price": 5}]}),
        (SET, OWNER, {"productRows": [7]}),
        (ADD, {}, {"productRow": OWNER | {"price": 5}}),
        (SET, {"ownerType": "D", "ownerId": "$result[a]"}, {"productRows": []}),
        (ADD, {}, {"productRow": {"id": 1}}),
        (UPDATE, {"id": 1}, None),
        ("crm.item.productrow.delete", {"id": 1}, None),
        ("crm.deal.productrows.set", {"id": 5, "rows": []}, True),
    ],
)
def test_an_answer_without_rows_notes_none(method, params, result):
    """An answer that names no rows, no ids of theirs or no owner is no note, and no error."""
    assert written_rows(method, params, result) is None


def test_too_many_rows_for_a_note_are_a_persons():
    """A note that has no room for its rows has no text, so nothing is hidden by it."""
    many = [row(number) for number in range(1000, 1500)]
    assert wrote(SET, *many).text == ""
    assert not judge([wrote(SET, *many)], OLD, many)

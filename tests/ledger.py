"""Notes of writes, as reactions put them into the ledger."""

import time

from relay.echo.effects import written_item
from relay.echo.ledger import Note, add_notes
from relay.echo.note_text import NoteText
from relay.state_requests import StateRequests
from relay.state_table import ledger_key
from tests.dynamo import Dynamo


def note_of(method, params, *, number=0, user_id=1, **fields):
    """Return the note of a call that writes to an item, with these fields instead."""
    written, now = written_item(method, params), fields.get("now", time.time())
    reaction = fields.get("reaction", "tidy")
    return Note(
        **{
            "key": ledger_key("main", written.item, now),
            "item": written.item,
            "reaction": reaction,
            "token": f"t.{number}",
            "write_id": f"{reaction} {number}",
            "text": NoteText.of(written, user_id, now).to_json(),
            "now": now,
        }
        | fields
    )


def update(fields, item_id=5, **how):
    """Return the note of an update of a deal."""
    params = {"entityTypeId": 2, "id": item_id, "fields": fields}
    return note_of("crm.item.update", params, **how)


def store(table, build, *notes):
    """Send the update that `build` makes of notes; return its error, None if it is stored."""
    (error,) = StateRequests(table, "State").write_each([build(notes)])
    return error


def rows_of(*notes, build=add_notes):
    """Return the rows of the State table with these notes, by their keys."""
    table = Dynamo()
    for note in notes:
        assert store(table, build, note) is None
    return table.rows

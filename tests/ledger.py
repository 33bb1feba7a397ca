"""Notes of writes, as reactions put them into the ledger."""

import time

from relay.echo.effects import written_item
from relay.echo.ledger import Note, add_notes
from relay.state_requests import StateRequests
from tests.dynamo import Dynamo


def note_of(  # noqa: PLR0913  what a note says
    method, params, *, number=0, reaction="tidy", user_id=1, now=None, write_id=None
):
    """Return the note of a call that writes to an item."""
    return Note.of(
        "main",
        written_item(method, params),
        reaction=reaction,
        token=f"t.{number}",
        write_id=write_id or f"{reaction} {number}",
        user_id=user_id,
        now=time.time() if now is None else now,
    )


def update(fields, item_id=5, **how):
    """Return the note of an update of a deal."""
    params = {"entityTypeId": 2, "id": item_id, "fields": fields}
    return note_of("crm.item.update", params, **how)


def store(table, build, *notes):
    """Send the update that `build` makes of notes; return its error, None if it is stored."""
    (error,) = StateRequests(table, "State").transact([build(notes)])
    return error


def rows_of(*notes):
    """Return the rows of the State table with these notes, by their keys."""
    table = Dynamo()
    for note in notes:
        assert store(table, add_notes, note) is None
    return table.rows

"""Notes in timelines, and what else a comment hangs on [crm/timeline/note/, bindings/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic
from local.portal.family import FAMILIES
from local.portal.family_list import allow
from local.portal.listing import Page
from local.portal.methods.timeline import item_of_numbers, owner_of
from local.portal.php import entries, int_or_none
from local.portal.rows import find_row, hook, insert
from local.portal.table import Row

_NOTE = FAMILIES["crm.timeline.note"]


def _bound(call: Call, given: Any) -> tuple[Row, tuple[str, int]]:
    """A timeline's record and the item that it is to hang on."""
    fields = {str(key).upper(): value for key, value in entries(given)}
    row = call.portal.comments.rows[int(fields["OWNER_ID"])]
    return row, (str(fields["ENTITY_TYPE"]).lower(), int_or_none(fields["ENTITY_ID"]) or 0)


@method("crm.timeline.bindings.bind", "crm")
def bind(call: Call) -> Any:
    """Hang a comment on one more item."""
    row, item = _bound(call, call.get("fields"))
    try:
        owner_of(call, *item)
    except RestError as error:
        denied = error.code == "ACCESS_DENIED"
        text = "Access denied." if denied else "ENTITY_ID is not defined or invalid."
        raise classic(text) from None
    if item not in row["bindings"]:
        row["bindings"].append(item)
    return True


@method("crm.timeline.bindings.unbind", "crm")
def unbind(call: Call) -> Any:
    """Take a comment from an item; the last one stays."""
    row, item = _bound(call, call.get("fields"))
    if item not in row["bindings"] or len(row["bindings"]) == 1:
        raise classic("Not found.")
    row["bindings"].remove(item)
    return True


@method("crm.timeline.bindings.list", "crm")
def bindings(call: Call) -> Page:
    """Items that a comment hangs on."""
    given = {str(k).lstrip("=").upper(): v for k, v in entries(call.get("filter", default={}))}
    number = int_or_none(given.get("OWNER_ID"))
    if not number:
        raise classic("OWNER_ID is not defined or invalid.")
    bound = (call.portal.comments.get(number) or {"bindings": []})["bindings"]
    rows = [{"OWNER_ID": str(number), "ENTITY_ID": str(n), "ENTITY_TYPE": k} for k, n in bound]
    return Page(rows, len(rows))


@method("crm.timeline.note.save", "crm")
def note_save(call: Call) -> Any:
    """Put a note on a record of a timeline, or another one in its place."""
    allow(call, _NOTE, "add")
    row: Row = {name: call.number(name.lower()) for name in _NOTE.key_fields}
    try:
        row = find_row(call, _NOTE, "get")
    except RestError:
        row = insert(call, _NOTE, row)
    row |= {"text": str(call.get("text")), "updatedById": call.user}
    row["updatedTime"] = call.portal.clock.stamp()
    return True


@hook("crm.timeline.logmessage", "check")
def check_log_message(call: Call, values: Row, _old: Row | None) -> None:
    """The item that a record is put on must be there."""
    item_of_numbers(call, values["entityTypeId"], values["entityId"], "OWNER_NOT_FOUND")


@hook("crm.timeline.logmessage", "where")
def of_one_item(call: Call, given: Row) -> None:
    """A list names its item."""
    for name in ("entityTypeId", "entityId"):
        given[f"={name}"] = call.number(name.lower())

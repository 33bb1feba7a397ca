"""Comments in timelines [api-reference/crm/timeline/comments/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import (
    RestError,
    access_denied,
    classic,
    invalid_argument,
    missing,
    not_found,
)
from local.portal.listing import Page, cut, read_start
from local.portal.php import entries, int_or_none
from local.portal.table import Row


def owner_of(call: Call, kind: str, number: int) -> Row:
    """Find the item that a comment or an activity is hung on, and mark it as active."""
    found = call.portal.table_of(kind.lower())
    if found is None:
        raise not_found()
    row = found[1].get(number)
    if row is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    if not call.portal.may_read(call.user, found[0].number, row):
        raise access_denied()
    # What happens in a timeline moves the time of activity, not that of the change
    active = {"lastActivityTime": call.portal.clock.stamp(), "lastActivityBy": call.user}
    found[1].put(number, row | active)
    return row


def _comment_event(call: Call, action: str, number: int) -> None:
    fields: Row = {"ID": number}
    data = {"FIELDS": fields} if call.portal.settings.comment_event_nested else fields
    call.portal.emit(f"ONCRMTIMELINECOMMENT{action}", data, f"timeline_comment/{number}")


def _files(call: Call, given: Any, known: Any) -> Row:
    files = dict(known)
    for _, entry in entries(given):
        parts = [part for _, part in entries(entry)]
        if len(parts) >= 2:  # noqa: PLR2004  name and content
            number = call.portal.add_file(str(parts[0]), str(parts[1]))
            files[str(number)] = {"name": str(parts[0]), "size": len(str(parts[1])) * 3 // 4}
    return files


@method("crm.timeline.comment.add", "crm")
def add(call: Call) -> Any:
    """Comment on an item; the answer is the comment's id."""
    fields = call.get("fields")
    if not isinstance(fields, dict):
        raise missing("fields")
    given = {name.upper(): value for name, value in fields.items()}
    for name in ("ENTITY_ID", "ENTITY_TYPE"):
        if name not in given:
            raise missing(name)
    if not str(given.get("COMMENT") or "").strip():
        raise invalid_argument("Comment message is empty.")
    kind, number = str(given["ENTITY_TYPE"]).lower(), int_or_none(given["ENTITY_ID"]) or 0
    owner_of(call, kind, number)
    portal = call.portal
    row: Row = {
        "id": portal.comments.next_id(),
        "bindings": [(kind, number)],
        "created": portal.clock.stamp(),
        "author": int_or_none(given.get("AUTHOR_ID")) or call.user,
        "comment": str(given["COMMENT"]),
        "files": _files(call, given.get("FILES", []), {}),
    }
    portal.comments.put(row["id"], row)
    call.wrote(f"{kind}/{number}", comment=row["comment"][:200])
    _comment_event(call, "ADD", row["id"])
    return row["id"]


def _view(call: Call, row: Row) -> Row:
    kind, number = row["bindings"][0]
    author = call.portal.users.get(row["author"], {})
    return {
        "ID": str(row["id"]),
        "ENTITY_ID": str(number),
        "ENTITY_TYPE": kind,
        "CREATED": row["created"],
        "COMMENT": row["comment"],
        "AUTHOR_ID": str(row["author"]),
        "FILES": {
            key: _file_view(call, int(key), entry, row, author)
            for key, entry in row["files"].items()
        },
    }


def _file_view(call: Call, number: int, entry: Row, row: Row, author: Row) -> Row:
    address = (
        f"https://{call.portal.domain}/disk/showFile/{number}/?&ncc=1&filename={entry['name']}"
    )
    return {
        "id": number,
        "date": row["created"],
        "type": "image",
        "name": entry["name"],
        "size": entry["size"],
        "image": {"width": 1, "height": 1},
        "authorId": row["author"],
        "authorName": f"{author.get('name', '')} {author.get('lastName', '')}",
        "urlPreview": address,
        "urlShow": address,
        "urlDownload": address.replace("showFile", "downloadFile"),
    }


def _comment(call: Call, *, code: bool = True) -> Row:
    if call.get("id") is None:
        raise missing("id")
    row = call.portal.comments.get(call.number("id"))
    if row is None:
        raise not_found() if code else classic("Not found.")
    return row


@method("crm.timeline.comment.get", "crm")
def get(call: Call) -> Any:
    """One comment; `get` leaves the code of its error empty, unlike update and delete."""
    return _view(call, _comment(call, code=False))


@method("crm.timeline.comment.list", "crm")
def list_comments(call: Call) -> Page:
    """Comments of an item, which the filter must name."""
    conditions = {
        name.lstrip("=@").upper(): v for name, v in entries(call.get("filter", default={}))
    }
    kind, number = str(conditions.get("ENTITY_TYPE", "")).lower(), conditions.get("ENTITY_ID")
    if call.portal.denied(call.user):
        raise classic("Access denied.")
    rows = list(call.portal.comments.walk())
    if kind:
        rows = [row for row in rows if any(one == kind for one, _ in row["bindings"])]
    if number is not None:
        wanted = {int_or_none(v) for _, v in entries(number)} or {int_or_none(number)}
        rows = [row for row in rows if any(one in wanted for _, one in row["bindings"])]
    for name, above in entries(call.get("filter", default={})):
        if name.upper() == ">ID":
            limit = int_or_none(above) or 0
            rows = [row for row in rows if row["id"] > limit]
    order = [
        ("id", str(way).upper() == "DESC") for _, way in entries(call.get("order", default={}))
    ]
    page = cut(rows, order[:1], read_start(call.get("start")), ordered=not order)
    page.result = [_view(call, row) for row in page.result]
    return page


@method("crm.timeline.comment.update", "crm")
def update(call: Call) -> Any:
    """Change a comment's text or add files; the answer is its id."""
    row = _comment(call)
    fields = call.get("fields")
    if not isinstance(fields, dict):
        raise missing("fields")
    given = {name.upper(): value for name, value in fields.items()}
    if "COMMENT" in given:
        row["comment"] = str(given["COMMENT"])
    row["files"] = _files(call, given.get("FILES", []), row["files"])
    _comment_event(call, "UPDATE", row["id"])
    return row["id"]


@method("crm.timeline.comment.delete", "crm")
def delete(call: Call) -> Any:
    """Delete a comment; the answer is null."""
    row = _comment(call)
    call.portal.comments.pop(row["id"])
    _comment_event(call, "DELETE", row["id"])

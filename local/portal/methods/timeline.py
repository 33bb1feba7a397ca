"""What hangs in timelines: comments and their files [crm/timeline/comments/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, access_denied, not_found
from local.portal.php import entries
from local.portal.rows import hook
from local.portal.table import Row

_PINNED = 3  # have room at the top of a timeline


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


def item_of_numbers(call: Call, kind: int, number: int, code: str) -> tuple[str, int]:
    """Find the item by the number of its type, or refuse with a code: no such type."""
    entity = call.portal.types.get(kind)
    if entity is None:
        raise RestError(code, "Owner was not found" if code == "OWNER_NOT_FOUND" else "Not found.")
    owner_of(call, entity.code, number)
    return entity.code, number


def named_owner(call: Call, code: str = "OWNER_NOT_FOUND") -> tuple[str, int] | None:
    """The item of `ownerTypeId` and `ownerId`, where a request names one."""
    if call.get("ownertypeid") is None and call.get("ownerid") is None:
        return None
    return item_of_numbers(call, call.number("ownertypeid"), call.number("ownerid"), code)


def _files(call: Call, given: Any, kept: Row) -> Row:
    files, portal = dict(kept), call.portal
    author = call.owner()
    for _, entry in entries(given):
        pair = [one for _, one in entries(entry)]
        if len(pair) < 2:  # noqa: PLR2004  name and content
            continue
        name, content = str(pair[0]), str(pair[1])
        number = portal.add_file(name, content)
        address = f"https://{portal.domain}/disk/showFile/{number}/?&ncc=1&filename={name}"
        files[str(number)] = {
            "id": number,
            "date": portal.clock.stamp(),
            "type": "image",
            "name": name,
            "size": len(content) * 3 // 4,
            "image": {"width": 1, "height": 1},
            "authorId": call.user,
            "authorName": f"{author.get('name', '')} {author.get('lastName', '')}",
            "urlPreview": address,
            "urlShow": address,
            "urlDownload": address.replace("showFile", "downloadFile"),
        }
    return files


@hook("comments", "check")
def check_comment(call: Call, values: Row, old: Row | None) -> None:
    """Find the item of a new comment; keep its files."""
    if old is None:
        kind, number = str(values.pop("ENTITY_TYPE")).lower(), values.pop("ENTITY_ID")
        owner_of(call, kind, number)
        values["bindings"] = [(kind, number)]
        if not values.get("author"):
            values["author"] = call.user
    else:
        named_owner(call)
    given = dict(entries(call.get("fields"))).get("FILES", [])
    values["files"] = _files(call, given, (old or {}).get("files", {}))


def _pin(on: bool, call: Call) -> None:
    """Put a comment at the top of an item's timeline, where three have room, or take it away."""
    owner, row = named_owner(call), call.portal.comments.get(call.number("id"))
    if row is None or owner not in row["bindings"]:
        raise not_found()
    pinned = row.get("pinned", [])
    if on and owner not in pinned:
        rows = [one for one in call.portal.comments.walk() if owner in one.get("pinned", [])]
        if len(rows) == _PINNED:
            raise RestError("0", "Only three events can be added to favorites")
        row["pinned"] = [*pinned, owner]
    elif not on:
        row["pinned"] = [one for one in pinned if one != owner]


for _name, _on in (("pin", True), ("unpin", False)):
    method(f"crm.timeline.item.{_name}", "crm")(partial(_pin, _on))


def _emit(call: Call, action: str, row: Row) -> None:
    fields: Row = {"ID": row["id"]}
    data = {"FIELDS": fields} if call.portal.settings.comment_event_nested else fields
    call.portal.emit(f"ONCRMTIMELINECOMMENT{action}", data, f"timeline_comment/{row['id']}")


@hook("comments", "add")
def added_comment(call: Call, row: Row) -> None:
    """A comment is a write to its item."""
    kind, number = row["bindings"][0]
    call.wrote(f"{kind}/{number}", comment=row["comment"][:200])
    _emit(call, "ADD", row)


@hook("comments", "update")
def updated_comment(call: Call, row: Row) -> None:
    """Say that a comment changed."""
    _emit(call, "UPDATE", row)


@hook("comments", "deleting")
def deleting_comment(call: Call, row: Row) -> None:
    """A comment on several items is taken from the one that a request names."""
    owner, bindings = named_owner(call), row["bindings"]
    if len(bindings) > 1 and owner is None:
        raise RestError("MULTIPLE_BINDINGS", "Comment is bound to several items")
    if len(bindings) > 1 and owner not in bindings:
        raise not_found()


@hook("comments", "delete")
def deleted_comment(call: Call, row: Row) -> None:
    """Say that a comment went; where other items have it, it stays with them."""
    others = [one for one in row["bindings"] if one != named_owner(call)]
    if len(row["bindings"]) > 1:
        call.portal.comments.put(row["id"], row | {"bindings": others})
    else:
        _emit(call, "DELETE", row)


@hook("comments", "show")
def show_comment(_family: Any, row: Row, view: Row, _operation: str) -> None:
    """Show the first item that a comment hangs on."""
    kind, number = row["bindings"][0]
    view |= {"ENTITY_ID": str(number), "ENTITY_TYPE": kind, "FILES": row.get("files") or {}}


@hook("comments", "where")
def on_item(_call: Call, given: Row) -> Callable[[Row], bool]:
    """Comments are looked up by the item that they hang on."""
    wanted: dict[int, set[str]] = {}
    for name in list(given):
        plain = name.lstrip("=@").upper()
        if plain in {"ENTITY_ID", "ENTITY_TYPE"}:
            value = given.pop(name)
            texts = {str(v).lower() for _, v in entries(value)} or {str(value).lower()}
            wanted[0 if plain == "ENTITY_TYPE" else 1] = texts

    def test(row: Row) -> bool:
        bound = ([str(part).lower() for part in one] for one in row["bindings"])
        return any(all(one[at] in texts for at, texts in wanted.items()) for one in bound)

    return test

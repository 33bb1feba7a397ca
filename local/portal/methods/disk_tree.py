"""What happens to folders and files of the disk: names, places, the bin [api-reference/disk/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, methods
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.disk import (
    bad_argument,
    check_free,
    find_object,
    put_object,
    view_object,
)
from local.portal.rows import table_of
from local.portal.table import Row

_OBJECT = FAMILIES["disk.object"]
_BINNED = 3  # DELETED_TYPE of what was thrown away itself, and not with its folder


def _change(change: Callable[[Call, Row], None], kind: str, call: Call) -> Any:
    row = find_object(call, "id", kind)
    change(call, row)
    row |= {"UPDATE_TIME": call.portal.clock.stamp(), "UPDATED_BY": call.user}
    name = _NUMBERS.get((change, kind))
    return view_object(row) | ({name: int(row[name])} if name else {})


def _rename(call: Call, row: Row) -> None:
    if call.get("newname") is None:
        raise bad_argument(0)
    if not str(call.get("newname")).strip():
        raise RestError("0", "Empty name")
    check_free(call, row.get("PARENT_ID") or 0, str(call.get("newname")), row["TYPE"], row["id"])
    row["NAME"] = str(call.get("newname"))


def _bin(call: Call, row: Row) -> None:
    _no_root(row, "delete")
    row |= {"DELETED_TYPE": _BINNED, "DELETE_TIME": call.portal.clock.stamp()}
    row["DELETED_BY"] = call.user


def _no_root(row: Row, verb: str) -> None:
    if not row.get("PARENT_ID"):
        code = "" if verb == "move" else "DISK_OBJ_22000"
        raise RestError(code, f"Could not {verb} root folder")


def _restore(_call: Call, row: Row) -> None:
    row["DELETED_TYPE"] = 0


def _move(call: Call, row: Row) -> None:
    _no_root(row, "move")
    target = find_object(call, "targetfolderid", "folder")
    inside = target
    while inside.get("PARENT_ID") and inside["id"] != row["id"]:
        inside = table_of(call, _OBJECT).rows[inside["PARENT_ID"]]
    if inside["id"] == row["id"]:
        raise RestError("DISK_OBJ_22000", "A folder can't be moved into itself")
    check_free(call, target["id"], row["NAME"], row["TYPE"], row["id"])
    row |= {"PARENT_ID": target["id"], "STORAGE_ID": target["STORAGE_ID"]}


def _copied(call: Call, row: Row, target: Row) -> Row:
    inside = [r for r in table_of(call, _OBJECT).walk() if r.get("PARENT_ID") == row["id"]]
    own: Row = {name: row[name] for name in ("FILE_ID", "SIZE") if name in row}
    if own:
        own["GLOBAL_CONTENT_VERSION"] = 1
    new = put_object(call, target, row["TYPE"], row["NAME"], own)
    for one in inside:
        if not one["DELETED_TYPE"]:
            _copied(call, one, new)
    return new


def _copy(kind: str, call: Call) -> Any:
    row, target = find_object(call, "id", kind), find_object(call, "targetfolderid", "folder")
    return view_object(_copied(call, row, target), fresh=True)


def _delete(kind: str, call: Call) -> Any:
    row = find_object(call, "id", kind)
    _no_root(row, "delete")
    removed, table = [row["id"]], table_of(call, _OBJECT)
    for number in removed:  # it grows while it is walked
        removed += [one["id"] for one in table.walk() if one.get("PARENT_ID") == number]
    for number in removed:
        table.pop(number)
    return True


def _get(kind: str, call: Call) -> Any:
    return view_object(find_object(call, "id", kind))


def _link(kind: str, call: Call) -> Any:
    return f"https://{call.portal.domain}/~{find_object(call, 'id', kind)['id']:05X}"


# What was just changed is a number, save in a file's way to the bin [the pages' answers, PY]
_NUMBERS: dict[tuple[Callable[[Call, Row], None], str], str] = {
    (_move, "folder"): "PARENT_ID",
    (_move, "file"): "PARENT_ID",
    (_restore, "folder"): "DELETED_TYPE",
    (_restore, "file"): "DELETED_TYPE",
    (_bin, "folder"): "DELETED_TYPE",
}
_ON_BOTH: dict[str, Callable[[str, Call], Any]] = {
    "get": _get,
    "getExternalLink": _link,
    "copyTo": _copy,
    "moveTo": partial(_change, _move),
    "rename": partial(_change, _rename),
    "markDeleted": partial(_change, _bin),
    "restore": partial(_change, _restore),
}
_RUN = {(kind, name): run for kind in ("folder", "file") for name, run in _ON_BOTH.items()}
_RUN |= {("folder", "deleteTree"): _delete, ("file", "delete"): _delete}
methods("disk", {f"disk.{kind}.{k}": partial(run, kind) for (kind, k), run in _RUN.items()})

"""Files of the disk: how they come, their versions, how they are found [api-reference/disk/]."""

import base64
import binascii
from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.family_list import list_rows
from local.portal.listing import cut, read_start
from local.portal.methods.disk import (
    bad_argument,
    find_object,
    folder_of,
    given_name,
    keep_version,
    put_object,
    take_patterns,
    view_object,
)
from local.portal.methods.tasks import task_of
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, insert, table_of
from local.portal.table import Row
from local.portal.task_store import change_task

_OBJECT, _VERSION = FAMILIES["disk.object"], FAMILIES["disk.version"]
_ATTACHED = FAMILIES["disk.attachedObject"]


def _upload(kind: str, call: Call) -> Any:
    folder, name = folder_of(call, kind), given_name(call)
    if kind == "folder" and call.get("filecontent") is None:  # a form is sent there
        address = f"https://{call.portal.domain}/rest/upload.json?token=disk%7C{folder['id']}"
        return {"field": "file", "uploadUrl": address}
    if not name:
        text = "Error: required parameter NAME (DISK_BASE_SERVICE_22001)"
        raise RestError("DISK_BASE_SERVICE_22001", text)
    content, size = _content(call)
    if call.flag("generateuniquename"):
        name = _unique(call, folder["id"], name)
    more = {"FILE_ID": call.portal.add_file(name, content), "SIZE": size}
    row = put_object(call, folder, "file", name, more | {"GLOBAL_CONTENT_VERSION": 1})
    return view_object(row, fresh=True)


def _content(call: Call, code: str = "ERROR_COULD_NOT_SAVE_FILE") -> tuple[str, int]:
    """Base64 of a request and its size in bytes; an ellipsis in it, as in samples, is left out."""
    given = [str(value) for _, value in entries(call.get("filecontent"))]
    content = given[-1].replace("...", "").rstrip("=") if given else ""
    try:
        size = len(base64.b64decode(content + "=" * (-len(content) % 4), validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if not size:
        raise RestError(code, "Could not save file")
    return content, size


def _unique(call: Call, folder: int, name: str) -> str:
    taken = {r["NAME"] for r in table_of(call, _OBJECT).walk() if r.get("PARENT_ID") == folder}
    stem, dot, end = name.rpartition(".") if "." in name else (name, "", "")
    numbers = range(1, len(taken) + 2)
    others = (f"{stem} ({number}){dot}{end}" for number in numbers)
    return name if name not in taken else next(one for one in others if one not in taken)


_RUN = {f"disk.{one}.uploadFile": partial(_upload, one) for one in ("storage", "folder")}
methods("disk", _RUN)
method("disk.folder.shareToUser", "disk")(lambda call: bool(find_object(call, "id", "folder")))


@method("disk.file.uploadVersion", "disk")
def upload_version(call: Call) -> Any:
    """Put new content into a file; the old one stays a version of it."""
    row = find_object(call, "id", "file")
    content, size = _content(call, "DISK_FILE_22002")
    if 0 < call.portal.settings.file_limit < size:
        raise RestError("DISK_FILE_22006", "Size restriction")
    return _renew(call, row, {"FILE_ID": call.portal.add_file(row["NAME"], content), "SIZE": size})


def _renew(call: Call, row: Row, values: Row) -> Any:
    row |= values | {"GLOBAL_CONTENT_VERSION": row["GLOBAL_CONTENT_VERSION"] + 1}
    row |= {"UPDATE_TIME": call.portal.clock.stamp(), "UPDATED_BY": call.user}
    keep_version(call, row)
    return view_object(row) | {"GLOBAL_CONTENT_VERSION": row["GLOBAL_CONTENT_VERSION"]}


@method("disk.file.getVersions", "disk")
def versions(call: Call) -> Any:
    """Versions of a file, the newest first."""
    row = find_object(call, "id", "file")
    order = call.get("order") or {"ID": "DESC"}
    call.params = {**call.params, "object": row["id"], "order": order}
    return list_rows(call, _VERSION)


@hook("disk.version", "where")
def versions_of_file(call: Call, given: Row) -> Any:
    """Those of one file; `%` in a condition stands for anything."""
    take_patterns(call, given)
    return lambda row: row["OBJECT_ID"] == call.params["object"]


@method("disk.file.restoreFromVersion", "disk")
def restore_version(call: Call) -> Any:
    """Let a file hold again what one of its versions holds."""
    row, number = find_object(call, "id", "file"), int_or_none(call.get("versionid"))
    if number is None:
        raise bad_argument(1)
    version = table_of(call, _VERSION).get(number)
    if version is None:
        raise _VERSION.error("get", "missing", str(number))
    if version["OBJECT_ID"] != row["id"]:
        raise RestError("DISK_FILE_22004", "Cannot restore version from another file")
    return _renew(call, row, {name: version[name] for name in ("FILE_ID", "SIZE")})


@method("tasks.task.files.attach", "task")
def attach(call: Call) -> Any:
    """Attach a file of the disk to a task."""
    task = task_of(call, RestError("0", "Access denied (internal error)"))
    number = call.number("fileid")
    row = table_of(call, _OBJECT).get(number)
    if row is None or row["TYPE"] != "file":
        raise RestError("ERROR_CORE", "Insufficient permissions.<br>")
    values = {name: row[name] for name in ("NAME", "SIZE", "DOWNLOAD_URL")}
    attached = insert(call, _ATTACHED, values | {"OBJECT_ID": number, "ENTITY_ID": task["id"]})
    files = [*task.get("ufTaskWebdavFiles", []), str(attached["id"])]
    change_task(call.portal, task, {"ufTaskWebdavFiles": files}, call.actor)
    return {"attachmentId": attached["id"]}


@method("disk.file.search", "disk")
def search(call: Call) -> Any:
    """Files and folders by a part of their names, the newest first; they are not counted."""
    given = dict(entries(call.get("filter", default={})))
    query, kind = str(call.get("query")), str(call.get("type", default="all")).lower()
    if not given.keys() <= {"STORAGE_ID", "FOLDER_ID"}:
        text = "Search filter contains an unknown field. (INVALID_FILTER)."
        raise RestError("INVALID_FILTER", text)
    call.params = {**call.params, **{name.lower(): value for name, value in given.items()}}
    try:
        for name in given:
            find_object(call, name.lower(), name.partition("_")[0].lower())
    except RestError as error:
        raise RestError("NOT_FOUND", "Search scope was not found. (NOT_FOUND).") from error
    wanted = {"STORAGE_ID": given.get("STORAGE_ID"), "PARENT_ID": given.get("FOLDER_ID")}
    rows = [
        row
        for row in table_of(call, _OBJECT).walk_back()
        if kind in {"all", row["TYPE"]} and row.get("PARENT_ID") and not row["DELETED_TYPE"]
        if query.casefold() in row["NAME"].casefold()
        if all(value is None or str(row[name]) == str(value) for name, value in wanted.items())
    ]
    page = cut(rows, [("id", True)], read_start(call.get("start")), ordered=True)
    page.result = [view_object(row) for row in page.result]
    return page if page.next is not None else page.result

"""The disk: storages, folders and files of people [api-reference/disk/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, methods
from local.portal.errors import RestError, access_denied
from local.portal.family import FAMILIES
from local.portal.family_list import list_rows
from local.portal.php import entries, int_or_none
from local.portal.rows import hook, insert, show, table_of
from local.portal.table import Row

_STORAGE, _OBJECT = FAMILIES["disk.storage"], FAMILIES["disk.object"]
_VERSION = FAMILIES["disk.version"]
_UNSEARCHED = {"CREATED_BY", "UPDATED_BY", "DELETED_BY", "GLOBAL_CONTENT_VERSION", "FILE_ID"}
_UNSEARCHED |= {"SIZE", "REAL_OBJECT_ID", "MODULE_ID", "ROOT_OBJECT_ID"}
_OF_FILES = {"GLOBAL_CONTENT_VERSION", "FILE_ID", "SIZE"}
_ENUMS = {"TYPE", "DELETED_TYPE"}
_FRESH = {"ID", "REAL_OBJECT_ID", "DELETED_TYPE", "FILE_ID", "GLOBAL_CONTENT_VERSION"}


def bad_argument(at: int) -> RestError:
    """Say which parameter is missing."""
    return RestError("ERROR_ARGUMENT", f"Invalid value of parameter {{Parameter #{at}}}")


@hook("disk.storage", "before")
def have_storages(call: Call) -> None:
    """Everybody has a storage, and all together have one."""
    portal, table = call.portal, call.portal.tables["disk.storage"]
    there = {row["ENTITY_ID"] for row in table.walk()}
    owners = {"shared_files_s1": ("common", "Shared drive")}
    names = (("name", "lastName"), "user")
    for number, user in portal.users.items():
        owners[str(number)] = (names[1], " ".join(str(user.get(n, "")) for n in names[0]))
    for owner, (kind, name) in owners.items():
        if owner not in there:
            number = table.next_id()
            root = insert(call, _OBJECT, {"NAME": name, "TYPE": "folder", "STORAGE_ID": number})
            row: Row = {"id": number, "NAME": name, "CODE": None, "MODULE_ID": "disk"}
            row |= {"ENTITY_TYPE": kind, "ENTITY_ID": owner, "ROOT_OBJECT_ID": root["id"]}
            table.put(number, row)


@hook("disk.storage", "where")
def take_patterns(_call: Call, given: Row) -> None:
    """Conditions without an operator are patterns here."""
    for name in [n for n, v in given.items() if n[:1].isalpha() and "%" in str(v)]:
        given[f"=%{name}"] = given.pop(name)


@hook("disk.object", "where")
def within_folder(call: Call, given: Row) -> Callable[[Row], bool]:
    """What lies in one folder and was not thrown away; `%` in a condition stands for anything."""
    take_patterns(call, given)
    parent = call.params["parent"]
    return lambda row: row.get("PARENT_ID") == parent and not row["DELETED_TYPE"]


@hook("disk.object", "show")
def show_object(_family: Any, row: Row, view: Row, _operation: str) -> None:
    """Folders have no content, files no object that they stand for."""
    for name in ("REAL_OBJECT_ID",) if row["TYPE"] == "file" else _OF_FILES:
        view.pop(name, None)
    view["DELETE_TIME"] = row.get("DELETE_TIME")


def find_object(call: Call, name: str, kind: str, at: int = 0) -> Row:
    """The storage, folder or file that a parameter names."""
    number = int_or_none(call.get(name))
    if number is None:
        raise bad_argument(at)
    table_of(call, _STORAGE)
    table = table_of(call, _STORAGE if kind == "storage" else _OBJECT)
    row = table.get(number)
    if row is None or (kind != "storage" and row["TYPE"] != kind):
        raise RestError("ERROR_NOT_FOUND", f"Could not find entity with id `{number}`")
    check_access(call, row)
    return row


@hook("disk.storage", "reading")
@hook("disk.version", "reading")
@hook("disk.attachedObject", "reading")
def check_access(call: Call, row: Row) -> None:
    """Refuse what lies in somebody else's storage, its versions and attachments too."""
    row = table_of(call, _OBJECT).get(row.get("OBJECT_ID", 0)) or row
    place = table_of(call, _STORAGE).get(row.get("STORAGE_ID", 0)) or row
    others = place.get("ENTITY_TYPE") == "user" and place["ENTITY_ID"] != str(call.user)
    if others and not call.owner().get("admin"):
        raise access_denied()


def folder_of(call: Call, kind: str) -> Row:
    """The folder that something is put in: that of the request, or its storage's own."""
    row = find_object(call, "id", kind)
    return table_of(call, _OBJECT).rows[row["ROOT_OBJECT_ID"]] if kind == "storage" else row


def view_object(row: Row, *, fresh: bool = False) -> Row:
    """Show a folder or a file."""
    view = show(_OBJECT, row)
    for name in _FRESH & view.keys() if fresh else ():  # new ones have numbers
        view[name] = int(view[name] or 0)
    return view | ({"DELETED_BY": None} if fresh else {})


def put_object(call: Call, folder: Row, kind: str, name: str, more: Row) -> Row:
    """Make a folder or a file in a folder."""
    check_free(call, folder["id"], name, kind)
    values = {"NAME": name, "CODE": None, "TYPE": kind, "PARENT_ID": folder["id"]}
    row = insert(call, _OBJECT, values | {"STORAGE_ID": folder["STORAGE_ID"]} | more)
    base = f"https://{call.portal.domain}"
    row["DETAIL_URL"] = f"{base}/company/personal/user/{call.user}/disk/path/{name}"
    if kind == "file":
        row["DOWNLOAD_URL"] = f"{base}/rest/download.json?token=disk%7C{row['id']}"
        keep_version(call, row)
    else:
        row["REAL_OBJECT_ID"] = row["id"]
    return row


def keep_version(call: Call, row: Row) -> None:
    """Keep what a file holds now as a version of it."""
    names = ("NAME", "SIZE", "GLOBAL_CONTENT_VERSION", "FILE_ID", "DOWNLOAD_URL")
    insert(call, _VERSION, {name: row[name] for name in names} | {"OBJECT_ID": row["id"]})


def check_free(call: Call, folder: int, name: str, kind: str, own: int = 0) -> None:
    """Refuse a name that something in the folder has."""
    for row in table_of(call, _OBJECT).walk():
        if (row.get("PARENT_ID"), row["NAME"]) == (folder, name) and row["id"] != own:
            raise RestError("DISK_OBJ_22000", f"A {kind} with this name already exists")


def given_name(call: Call) -> str:
    """The name that a request gives in `data`."""
    data = call.get("data")
    return str(dict(entries(data)).get("NAME") or "") if isinstance(data, dict) else ""


def _add_folder(kind: str, call: Call) -> Any:
    folder, name = folder_of(call, kind), given_name(call)
    if not name:
        raise bad_argument(1)
    return view_object(put_object(call, folder, "folder", name, {}), fresh=True)


def _children(kind: str, call: Call) -> Any:
    call.params = {**call.params, "parent": folder_of(call, kind)["id"]}
    return list_rows(call, _OBJECT)


def _fields(shown: str, _call: Call) -> Any:
    family = _STORAGE if shown == "storage" else _OBJECT
    hidden = {"folder": _OF_FILES, "file": {"REAL_OBJECT_ID"}}.get(shown, set())
    return {
        name: {
            "TYPE": "enum" if name in _ENUMS else field.type,
            "USE_IN_FILTER": name not in _UNSEARCHED,
            "USE_IN_SHOW": True,
        }
        for name, field in family.classic.items()
        if name not in hidden and not name.endswith("_URL")
    }


_RUN = {
    "storage.addFolder": partial(_add_folder, "storage"),
    "folder.addSubFolder": partial(_add_folder, "folder"),
    "storage.getChildren": partial(_children, "storage"),
    "folder.getChildren": partial(_children, "folder"),
}
_RUN |= {f"{kind}.getFields": partial(_fields, kind) for kind in ("storage", "folder", "file")}
methods("disk", {f"disk.{name}": run for name, run in _RUN.items()})

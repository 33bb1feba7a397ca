"""Files of chats, which lie on the disk [api-reference/chats/files/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.chat_views import TEMPLATES, person, shown
from local.portal.chats import chat_of_id, say
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.methods.disk import put_object
from local.portal.rows import table_of
from local.portal.table import Row

_STORAGE, _OBJECT = FAMILIES["disk.storage"], FAMILIES["disk.object"]
_SAVED = "Saved Files"


def _files(call: Call) -> list[Row]:
    """Files that a request names; an absent one is left out."""
    table_of(call, _STORAGE)
    numbers = call.numbers("file_id", "upload_id", "disk_id")
    rows = (table_of(call, _OBJECT).get(number) for number in numbers)
    return [row for row in rows if row is not None and row["TYPE"] == "file"]


@method("im.disk.file.save", "im")
def save(call: Call) -> Any:
    """Copy a chat's file to the caller's own storage."""
    files, table = _files(call), table_of(call, _OBJECT)
    if not files:
        raise RestError("FILE_SAVE_ERROR", "File ID can't be saved")
    own = {"ENTITY_TYPE": "user", "ENTITY_ID": str(call.user)}.items()
    storage = next(row for row in table_of(call, _STORAGE).walk() if own <= row.items())
    root = storage["ROOT_OBJECT_ID"]
    place = {"NAME": _SAVED, "PARENT_ID": root, "TYPE": "folder"}.items()
    folder = next((row for row in table.walk() if place <= row.items()), None)
    folder = folder or put_object(call, table.rows[root], "folder", _SAVED, {})
    values = {name: files[0][name] for name in ("FILE_ID", "SIZE", "GLOBAL_CONTENT_VERSION")}
    made = put_object(call, folder, "file", files[0]["NAME"], values)
    return {
        name: {"id": one["id"], "name": one["NAME"]}
        for name, one in (("folder", folder), ("file", made))
    }


@method("im.disk.file.delete", "im")
def delete(call: Call) -> Any:
    """Take a file out of a chat."""
    chat_of_id(call)
    for row in _files(call):
        table_of(call, _OBJECT).pop(row["id"])
    return True


@method("im.disk.file.commit", "im")
def commit(call: Call) -> Any:
    """Show files of the disk in a chat."""
    chat = chat_of_id(call)
    files = _files(call)
    if not files:
        raise RestError("SAVE_ERROR", "Error during saving file to chat")
    message = say(call.portal, chat, call.user, call.text("message"))
    views = {f"upload{row['id']}": _view(call, chat, row) for row in files}
    models = {f"upload{row['id']}": _model(row) for row in files}
    found = {"FILES": views, "DISK_ID": [str(row["id"]) for row in files]}
    return found | {"FILE_MODELS": models, "MESSAGE_ID": message["id"]}


def _view(call: Call, chat: Row, row: Row) -> Any:
    more = {"chat": chat["id"], "group": str(chat["id"]), "number": str(row["id"])}
    more |= {"author": call.user, "author_name": person(call.portal, call.user)["name"]}
    return shown(TEMPLATES["file"], row | more | {"extension": row["NAME"].rpartition(".")[2]})


def _model(row: Row) -> Any:
    people = {"created": str(row["CREATED_BY"]), "updated": str(row["UPDATED_BY"])}
    return shown(TEMPLATES["model"], row | people)

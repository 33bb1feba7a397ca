"""Groups and projects, by both of their interfaces [api-reference/sonet-group/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic
from local.portal.family import FAMILIES, Family, camel_case
from local.portal.methods.group_members import roles
from local.portal.php import entries
from local.portal.rows import hook, table_of
from local.portal.table import Row

_GROUP, _API = FAMILIES["sonet_group"], "socialnetwork.api.workgroup"


@hook("sonet_group", "before")
def read_params(call: Call) -> None:
    """One interface has the number of a group in `params`."""
    given = {name.lower(): value for name, value in entries(call.get("params"))}
    call.params = given | {**call.params}


@hook("sonet_group", "show")
def show_group(family: Family, row: Row, view: Row, operation: str) -> None:
    """A single group has numbers as numbers, and its people."""
    if family.name != _API or operation == "list":
        return
    people = roles(row)
    numbers = (name for name in view if family.fields[family.key_of(name)].type == "integer")
    view |= {name: int(view[name] or 0) for name in numbers}
    view |= {name: row.get(name) for name in ("PROJECT_DATE_START", "PROJECT_DATE_FINISH")}
    view |= {"ID": row["id"], "MEMBERS": [*people], "CHAT_ID": 0, "DIALOG_ID": ""}
    view |= {"ORDINARY_MEMBERS": [one for one, role in people.items() if role == "K"]}
    view |= {"INVITED_MEMBERS": [], "SITE_IDS": [row["SITE_ID"]]}
    words = [word.strip() for word in str(row.get("KEYWORDS") or "").split(",")]
    view["MODERATOR_MEMBERS"] = [one for one, role in people.items() if role == "E"]
    view |= {"TAGS": [word for word in words if word]}
    view |= {"DEPARTMENTS": [], "NUMBER_OF_MEMBERS_PLURAL": 0}


@hook("sonet_group", "listed")
def list_group(call: Call, family: Family, view: Row) -> Row:
    """A list of the newer interface has camelCase names."""
    if family.name != _API:
        return view
    more: Row = {}
    if call.get("mode") == "mobile":
        more["additionalData"] = {"role": "", "initiatedByType": ""}
    if call.flag("shouldselectdialogid"):
        more["dialogId"] = ""
    chosen = [name for _, name in entries(call.get("select"))]
    if chosen:
        call.params = {**call.params, "select": [*chosen, "IMAGE_ID", "AVATAR_TYPE", *more]}
    return {camel_case(name): value for name, value in view.items()} | more


def _owns(call: Call, row: Row, text: str) -> None:
    if call.user != row["OWNER_ID"] and not call.owner().get("admin"):
        raise classic(text)


@hook("sonet_group", "check")
def check_group(call: Call, _values: Row, old: Row | None) -> None:
    """A group is changed by its owner, and its picture has the name of one."""
    if old:
        _owns(call, old, "User has no permissions to update group")
    image = call.get("image")
    name = str(image[0]) if isinstance(image, list) and image else image
    if image and not str(name).lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp")):
        raise RestError("ERROR_IMAGE_ID", "Image is incorrect: Invalid file type")


@hook("sonet_group", "deleting")
def check_deletion(call: Call, row: Row) -> None:
    """A group is deleted by its owner."""
    _owns(call, row, "User has no permissions to delete group")


@method("sonet_group.setowner", "sonet_group")
def set_owner(call: Call) -> Any:
    """Hand a group to somebody else."""
    row = table_of(call, _GROUP).get(call.number("group_id"))
    if row is None:
        raise classic("Invalid workgroup/project ID")
    if call.number("user_id") not in call.portal.users:
        raise classic("Invalid user ID")
    _owns(call, row, "Insufficient permissions to complete the operation.")
    row["OWNER_ID"] = call.number("user_id")
    return True

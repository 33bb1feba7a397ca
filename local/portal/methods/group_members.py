"""Members of groups, by their roles: A owner, E moderator, K member [sonet-group/members/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method, methods
from local.portal.errors import classic
from local.portal.family import FAMILIES
from local.portal.rows import table_of
from local.portal.table import Row

_GROUP = FAMILIES["sonet_group"]
_Change = Callable[[Call, dict[int, str], int], None]


def roles(row: Row) -> dict[int, str]:
    """People of a group and their roles; its owner is always one."""
    return {user: role for user, role in row.get("roles", {}).items() if role != "A"} | {
        row["OWNER_ID"]: "A"
    }


def _group(call: Call) -> Row:
    row = table_of(call, _GROUP).get(call.number("group_id", "id"))
    if row is None:
        raise classic("Socialnetwork group not found")
    return row


def _set(change: _Change, right: str, call: Call) -> Any:
    row, users = _group(call), call.numbers("user_id")
    if not users or any(user not in call.portal.users for user in users):
        raise classic("Wrong user IDs")
    people = roles(row)
    if right and people.get(call.user) not in {"A", "E"} and not call.owner().get("admin"):
        raise classic(f"No permissions to {right}")
    for user in users:
        if people.get(user) != "A":
            change(call, people, user)
    row |= {"roles": people, "NUMBER_OF_MEMBERS": len(people)}
    return [str(user) for user in users]


def _join(_call: Call, people: dict[int, str], user: int) -> None:
    people.setdefault(user, "K")


def _leave(_call: Call, people: dict[int, str], user: int) -> None:
    people.pop(user, None)


def _promote(call: Call, people: dict[int, str], user: int) -> None:
    people[user] = str(call.get("role")).upper()


def _nothing(_call: Call, _people: dict[int, str], _user: int) -> None:
    """An invitation waits for its answer."""


_SET: dict[str, tuple[_Change, str]] = {"add": (_join, "add users")}
_SET |= {"delete": (_leave, "update users role")}
_SET |= {"update": (_promote, "update users role"), "invite": (_nothing, "")}
methods("sonet_group", {f"sonet_group.user.{k}": partial(_set, *how) for k, how in _SET.items()})


@method("sonet_group.user.get", "sonet_group")
def members(call: Call) -> Any:
    """Everybody of a group."""
    people = roles(_group(call))
    return [{"USER_ID": str(user), "ROLE": role} for user, role in people.items()]


@method("sonet_group.user.groups", "sonet_group")
def own_groups(call: Call) -> Any:
    """Groups that the caller is in."""
    return [
        {"GROUP_ID": str(row["id"]), "GROUP_NAME": row["NAME"], "ROLE": roles(row)[call.user]}
        | {"GROUP_IMAGE_ID": None, "GROUP_IMAGE": ""}
        for row in table_of(call, _GROUP).walk()
        if call.user in roles(row)
    ]


methods(
    "sonet_group",
    {
        "sonet_group.user.request": lambda call: bool(_group(call)),
        "sonet_group.feature.access": lambda call: call.user in roles(_group(call)),
    },
)

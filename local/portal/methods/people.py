"""`user.get`, `user.current` [api-reference/user/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.clock import Clock
from local.portal.listing import PAGE, Page, cut, read_start
from local.portal.php import entries
from local.portal.table import Row

_SCOPES = "user|user_brief|user_basic"
_FILTERS = {
    "ID": "id",
    "ACTIVE": "active",
    "NAME": "name",
    "LAST_NAME": "lastName",
    "EMAIL": "email",
    "UF_DEPARTMENT": "departments",
    "WORK_POSITION": "position",
    "ADMIN": "admin",
}


def user_view(user: Row) -> Row:
    """A user as both methods show him; `TIMESTAMP_X` reads as `{}`, as documented."""
    return {
        "ID": str(user["id"]),
        "ACTIVE": user["active"],
        "NAME": user["name"],
        "LAST_NAME": user["lastName"],
        "SECOND_NAME": "",
        "EMAIL": user["email"],
        "LAST_LOGIN": user["registered"],
        "DATE_REGISTER": user["registered"],
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "PERSONAL_GENDER": "",
        "PERSONAL_WWW": "",
        "PERSONAL_BIRTHDAY": "",
        "PERSONAL_MOBILE": "",
        "PERSONAL_CITY": "",
        "WORK_PHONE": "",
        "WORK_POSITION": user["position"],
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": user["departments"],
        "USER_TYPE": "extranet" if user["external"] else "employee",
    }


@method("user.current", _SCOPES)
def current(call: Call) -> Any:
    """The owner; fewer fields than user.get, and a time without a zone."""
    view = user_view(call.owner())
    view["LAST_ACTIVITY_DATE"] = call.portal.clock.stamp()[:19].replace("T", " ")
    for name in ("SECOND_NAME", "TIME_ZONE", "TIMESTAMP_X", "PERSONAL_WWW", "USER_TYPE"):
        del view[name]
    return view


@method("user.get", _SCOPES)
def get(call: Call) -> Page:
    """Users by `FILTER`, or by filter fields at top level."""
    conditions = {**call.params, **_upper(call.get("filter", default={}))}
    clock = call.portal.clock
    users = [user for user in call.portal.users.values() if _matches(user, conditions, clock)]
    falling = str(call.get("order", default="asc")).lower() == "desc"
    key = _FILTERS.get(str(call.get("sort", default="ID")).upper(), "id")
    users.sort(key=lambda user: str(user[key]).rjust(12) if key == "id" else str(user[key]))
    page = cut(reversed(users) if falling else users, [], _page_start(call), ordered=True)
    page.result = [user_view(user) for user in page.result]
    return page


def _changed(user: Row, name: str, wanted: Any, clock: Clock) -> bool:
    """Compare the time of a user's last change; an unreadable date matches nobody [user-get.md]."""
    try:
        limit = clock.parse(wanted)
    except ValueError:
        return False
    changed: str = user["changed"]
    return changed >= limit if name.startswith(">") else changed <= limit


def _page_start(call: Call) -> int:
    """Take a page's first offset: the sample's `start` of 10 answers with the first page."""
    start = read_start(call.get("start"))
    return start if start < 0 else start // PAGE * PAGE


def _upper(given: Any) -> Row:
    return {name.upper(): value for name, value in entries(given)}


def _matches(user: Row, conditions: Any, clock: Clock) -> bool:
    for name, wanted in conditions.items():
        plain = name.lstrip("@=!%<>").upper()
        if plain == "TIMESTAMP_X" and not _changed(user, name, wanted, clock):
            return False
        key = _FILTERS.get(plain)
        if key is None:
            continue
        accepted = {str(v).casefold() for _, v in entries(wanted)} or {str(wanted).casefold()}
        value = user[key]
        if isinstance(value, bool):
            accepted = {
                {"y": "true", "n": "false", "1": "true", "0": "false"}.get(a, a) for a in accepted
            }
        found = {str(one).casefold() for one in (value if isinstance(value, list) else [value])}
        hit = (
            any(a in f for a in accepted for f in found) if "%" in name else bool(accepted & found)
        )
        if hit is name.startswith("!"):
            return False
    return True

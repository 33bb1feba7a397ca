"""`main.eventlog.*` of REST 3.0: who came in, for administrators [api-reference/event-log/]."""

from collections.abc import Callable
from typing import Any

from local.portal.table import Row
from local.portal.v3_errors import V3Error, denied, wrong_type
from local.portal.v3_fields import field_methods
from local.portal.v3_query import Dto, bad_filter, read_list, read_select, selected
from local.portal.v3_tasks import V3Call

_ENTRY = Dto("EventLogDto", dict.__getitem__)
_MOST = 1000


def _entries(call: V3Call) -> list[Row]:
    """Everybody came in once, when he was hired."""
    if not call.admin():
        raise denied()
    blank: Row = dict.fromkeys(_ENTRY.types, "") | {
        "guestId": 0,
        "siteId": "s1",
        "moduleId": "main",
    }
    blank |= {"severity": "SECURITY", "auditTypeId": "USER_AUTHORIZE"}
    return [
        blank
        | {"id": number, "timestampX": user["registered"], "userId": number, "itemId": str(number)}
        for number, user in call.portal.users.items()
    ]


def _get(call: V3Call) -> Any:
    number, select = call.number(), read_select(call.params)
    row = next((row for row in _entries(call) if row["id"] == number), None)
    if row is None:
        raise V3Error("ENTITYNOTFOUNDEXCEPTION", f"Entry with ID = `{number}` not found")
    return {"item": selected(row, select)}


def _list(call: V3Call) -> Any:
    select = read_select(call.params)
    rows = read_list(_ENTRY, call.params, _entries(call))
    return {"items": [selected(row, select) for row in rows]}


def _tail(call: V3Call) -> Any:
    """What came after the cursor."""
    given = call.params.get("cursor") or {}
    if not isinstance(given, dict):
        raise wrong_type("cursor", "object")
    cursor = {"field": "id", "order": "ASC", "value": 0, "limit": 50} | given
    limit, name = cursor["limit"], str(cursor["field"])
    if not isinstance(limit, int) or not 0 < limit <= _MOST:
        text = f"Unable to recognize pagination parameter `{limit}`"
        raise V3Error("INVALIDPAGINATIONEXCEPTION", text)
    conditions = call.params.get("filter") or []
    if not isinstance(conditions, list):
        raise bad_filter(conditions)
    if any(isinstance(one, list) and one[:1] == [name] for one in conditions):
        text = f"Cursor field {name} cannot be used at filter."
        raise V3Error("INVALIDFILTEREXCEPTION", f"Unable to recognize filter expression `{text}`")
    falling = str(cursor["order"]).upper() == "DESC"
    after = [[name, "<" if falling else ">", cursor["value"]]]
    listing: Row = {"filter": [*conditions, *after], "order": {name: "DESC" if falling else "ASC"}}
    select = read_select(call.params)
    rows = read_list(_ENTRY, listing | {"pagination": {"limit": limit}}, _entries(call))
    return {"items": [selected(row, select) for row in rows]}


LOG_METHODS: dict[str, Callable[[V3Call], Any]] = {
    "main.eventlog.get": _get,
    "main.eventlog.list": _list,
    "main.eventlog.tail": _tail,
} | field_methods("main.eventlog", _ENTRY.described(), _entries)

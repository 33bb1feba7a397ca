"""The history of stages [crm-stage-history-list.md]."""

from collections.abc import Iterable
from typing import Any

from local.portal.call import Call, intranet_only, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.filters import FilterCompiler, compile_order
from local.portal.listing import Page, cut, read_start
from local.portal.php import entries, int_or_none
from local.portal.schema import FIRST_DYNAMIC, INVOICE
from local.portal.table import Row

_LEAD, _OLD_INVOICE = 1, 5
_TYPE_NAMES = {3: "CONTACT", 4: "COMPANY", 7: "QUOTE", 14: "ORDER", 33: "SHIPMENT_DOCUMENT"}
_FAMILY = FAMILIES["crm.stagehistory"]
_DEAL_NAMES, _LEAD_NAMES = ("STAGE_SEMANTIC_ID", "STAGE_ID"), ("STATUS_SEMANTIC_ID", "STATUS_ID")


@method("crm.stagehistory.list", "crm")
def stage_history(call: Call) -> Page:
    """Every stage an item was in, without who moved it."""
    intranet_only(call)
    portal, number = call.portal, call.number("entitytypeid")
    if number not in {_LEAD, 2, _OLD_INVOICE, INVOICE} and (
        number < FIRST_DYNAMIC or number not in portal.types
    ):
        name = _TYPE_NAMES.get(number, str(number))
        if portal.settings.stage_history_error_number:
            raise RestError(0, f"{name} entity is not supported")
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {name} is not supported")
    test = FilterCompiler(portal, _FAMILY, "item").compile(call.get("filter", default={}))
    order = compile_order(_FAMILY, call.get("order", default={}), "item") or [("id", False)]
    rows = [row for found in _histories(call, number) for row in found]
    page = cut(filter(test, rows), order, read_start(call.get("start")), ordered=False)
    # No `select` here: the documented answer to one of three fields has all seven
    page.result = {"items": [_view(call, row, number) for row in page.result]}
    return page


def _histories(call: Call, number: int) -> Iterable[list[Row]]:
    """The rows of each item of a type that a filter may mean."""
    history, given = call.portal.history, dict(entries(call.get("filter", default={})))
    owners = [one for _, one in entries(given.get("@OWNER_ID", ()))]
    if owners:
        return [history.get((number, int_or_none(one) or 0), []) for one in owners]
    return [found for (kind, _), found in history.items() if kind == number]


def _view(call: Call, row: Row, number: int) -> Row:
    hidden = _DEAL_NAMES if number == _LEAD else _LEAD_NAMES  # leads say STATUS_ID
    view: dict[str, Any] = {}
    for name, field in _FAMILY.classic.items():
        if name in hidden:
            continue
        value = row[field.key]
        text = call.portal.settings.stage_history_strings and isinstance(value, int)
        view[name] = str(value) if text else value
    return view

"""The history of stages [crm-stage-history-list.md]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, invalid_argument
from local.portal.listing import Page, cut, read_start
from local.portal.methods.items import intranet_only
from local.portal.php import entries
from local.portal.schema import FIRST_DYNAMIC, INVOICE
from local.portal.table import Row

_LEAD, _OLD_INVOICE = 1, 5
_TYPE_NAMES = {3: "CONTACT", 4: "COMPANY", 7: "QUOTE", 14: "ORDER", 33: "SHIPMENT_DOCUMENT"}
_HISTORY_FIELDS = {
    "ID": "id",
    "TYPE_ID": "kind",
    "OWNER_ID": "owner",
    "CREATED_TIME": "time",
    "CATEGORY_ID": "category",
    "STAGE_SEMANTIC_ID": "semantic",
    "STAGE_ID": "stage",
}


def _equal(value: Any, wanted: Any) -> bool:
    texts = [str(v) for _, v in entries(wanted)] or [str(wanted)]
    return str(value) in texts


def _falls(direction: Any) -> bool:
    return str(direction).upper() == "DESC"


@method("crm.stagehistory.list", "crm")
def stage_history(call: Call) -> Page:
    """Every stage an item was in, without who moved it."""
    intranet_only(call)
    number = call.number("entitytypeid")
    if number not in {_LEAD, 2, _OLD_INVOICE, INVOICE} and (
        number < FIRST_DYNAMIC or number not in call.portal.types
    ):
        name = _TYPE_NAMES.get(number, str(number))
        if call.portal.settings.stage_history_error_number:
            raise RestError(0, f"{name} entity is not supported")
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {name} is not supported")
    given = call.get("filter", default={})
    rows = [
        row
        for (kind, _), records in call.portal.history.items()
        if kind == number
        for row in records
        if _history_match(row, given)
    ]
    page = cut(rows, _history_order(call), read_start(call.get("start")), ordered=False)
    text = call.portal.settings.stage_history_strings
    page.result = {"items": [_history_view(row, number, text=text) for row in page.result]}
    return page


def _history_key(name: str, place: str) -> str:
    plain = name.upper().replace("STATUS_ID", "STAGE_ID").replace("STATUS_SEM", "STAGE_SEM")
    key = _HISTORY_FIELDS.get(plain)
    if key is None:
        raise invalid_argument(f"Invalid {place}: field '{name}' is not allowed in {place}")
    return key


def _history_match(row: Row, given: Any) -> bool:
    for name, wanted in entries(given):
        plain = name.lstrip("<>=!@%")
        key, operator = _history_key(plain, "filter"), name[: len(name) - len(plain)]
        value = row[key]
        if operator in {">", ">=", "<", "<="}:
            if isinstance(wanted, list | dict):
                raise invalid_argument(f"Invalid filter: field '{plain}' has invalid value")
            other: Any = str(wanted) if isinstance(value, str) else _int(wanted, plain)
            hit = (
                operator.endswith("=")
                if value == other
                else ((value > other) is (operator[0] == ">"))
            )
        else:
            hit = _equal(value, wanted) is not operator.startswith("!")
        if not hit:
            return False
    return True


def _int(value: Any, name: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid_argument(f"Invalid filter: field '{name}' has invalid value") from None


def _history_order(call: Call) -> list[tuple[str, bool]]:
    order = []
    for name, direction in entries(call.get("order", default={})):
        key = _history_key(name, "order")
        if str(direction).upper() not in {"ASC", "DESC"}:
            raise invalid_argument(
                "Invalid order: allowed sort directions are ASC, DESC. "
                f"But got '{direction}' for field '{name}'"
            )
        order.append((key, _falls(direction)))
    return order or [("id", False)]


def _history_view(row: Row, number: int, *, text: bool) -> Row:
    view = {name: row[key] for name, key in _HISTORY_FIELDS.items()}
    if number == _LEAD:  # leads say STATUS_ID
        view["STATUS_SEMANTIC_ID"] = view.pop("STAGE_SEMANTIC_ID")
        view["STATUS_ID"] = view.pop("STAGE_ID")
    if text:
        view = {
            name: str(value) if isinstance(value, int) else value for name, value in view.items()
        }
    # No `select` here: the documented answer to one of three fields has all seven
    return view

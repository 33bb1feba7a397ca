"""Product rows: sums of each row, and what they do to their owner [crm/universal/product-rows/]."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.discounts import check_discount, plain, sums_of
from local.portal.errors import RestError, access_denied, classic, missing
from local.portal.family import FAMILIES, upper_snake
from local.portal.items import update_item
from local.portal.php import entries
from local.portal.rows import hook, insert, show, table_of
from local.portal.schema import FIRST_DYNAMIC, PRODUCT_OWNERS
from local.portal.table import Row, Table
from local.portal.values import read_value

_FAMILY = FAMILIES["crm.item.productrow"]
_CLASSIC = {"lead": "L", "deal": "D", "quote": "Q"}


def _table(call: Call, kind: Any) -> tuple[int, Table]:
    """Items that rows hang on; smart processes are `T` and their number in hexadecimal."""
    code, name = PRODUCT_OWNERS.get(str(kind).upper(), 0), str(kind)
    if not code and name[:1].upper() == "T":
        code = int(name[1:], 16) if all(c in "0123456789abcdefABCDEF" for c in name[1:]) else 0
    table = call.portal.items.get(code)
    if table is None or (code >= FIRST_DYNAMIC and len(name) < len("T80")):
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {kind} is not supported")
    return code, table


def _owner(call: Call, kind: Any, number: Any) -> tuple[int, Row]:
    """The item that rows hang on."""
    code, table = _table(call, kind)
    row = table.get(int(str(number)) if str(number).isdigit() else 0)
    if row is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    if not call.portal.may_read(call.user, code, row):
        raise access_denied()
    return code, row


def _readable(call: Call, kind: Any, number: Any) -> tuple[int, Row]:
    """The item whose rows are asked for; those of what is not there nobody may read."""
    try:
        return _owner(call, kind, number)
    except RestError:
        raise access_denied() from None


@hook("crm.item.productrow", "check")
def check_row(call: Call, values: Row, old: Row | None) -> None:
    """Find the owner, name the product, work the sums out."""
    given = (old or {}) | values
    _owner(call, given.get("ownerType"), given.get("ownerId"))
    if not given.get("productId") and not given.get("productName"):
        raise missing("productName")
    values |= {"productId": given.get("productId") or 0} | sums_of(_FAMILY.blank | given)
    values["productName"] = given.get("productName") or f"Product #{values['productId']}"


@hook("crm.item.productrow", "add", "update", "delete")
def changed_rows(call: Call, row: Row) -> None:
    """Move the owner's amount after its rows unless it is set by hand; the owner has changed."""
    code, owner = _owner(call, row["ownerType"], row["ownerId"])
    rows = _rows_of(call, row["ownerType"], row["ownerId"])
    total = plain(sum(float(one["price"]) * float(one["quantity"]) for one in rows))
    entity = call.portal.types[code]
    follows = "opportunity" in entity.fields and owner.get("isManualOpportunity", "N") != "Y"
    values: Row = {"opportunity": total} if follows else {}
    update_item(call.portal, entity, owner, values, call.actor, force=True)


def _rows_of(call: Call, kind: Any, number: Any) -> list[Row]:
    return [
        row
        for row in table_of(call, _FAMILY).walk()
        if str(row["ownerType"]).lower() == str(kind).lower() and row["ownerId"] == int(number)
    ]


@hook("crm.item.productrow", "where")
def of_owners(call: Call, given: Row) -> Callable[[Row], bool]:
    """A list must name the owner [crm-item-productrow-list.md], or several.

    The core casts an array to a number before it looks at rights, and PHP makes 1 of it: whoever
    may read item 1 gets the rows of all, anybody else of none.
    """
    names = {key.lstrip("=@"): value for key, value in given.items()}
    for name in ("ownerType", "ownerId"):
        if names.get(name) in (None, ""):
            raise RestError("100", f"Required filter parameter {{={name}}} was not found")
    number = names["ownerId"]
    several = [v for _, v in entries(number)]
    if several:
        code, table = _table(call, names["ownerType"])
        if not call.portal.may_read(call.user, code, table.get(1) or {}):
            raise access_denied()
    else:
        _readable(call, names["ownerType"], number)
    wanted = {int(str(one)) for one in several or [number] if str(one).isdigit()}
    return lambda row: row["ownerId"] in wanted


def _replace(call: Call, kind: str, number: Any, given: Any, *, upper: bool) -> list[Row]:
    """Put new rows in the place of all there were; each gets a new id."""
    drafts = []
    for _, one in entries(given):
        values: Row = {"ownerType": kind, "ownerId": int(str(number))}
        for name, value in entries(one):
            fields = _FAMILY.fields.values()
            keys = (f for f in fields if (upper_snake(f.name) if upper else f.name) == name)
            field = next(keys, None)
            if field is not None and not field.readonly and not name.lower().startswith("owner"):
                try:
                    values[field.key] = read_value(call.portal, field, value)
                except RestError as error:
                    raise RestError("" if upper else "0", error.text) from None
        if upper:
            check_discount(values)
        check_row(call, values, None)
        drafts.append(values)
    for old in _rows_of(call, kind, number):
        table_of(call, _FAMILY).pop(old["id"])
    rows = [insert(call, _FAMILY, values) for values in drafts]
    changed_rows(call, {"ownerType": kind, "ownerId": number})
    return rows


@method("crm.item.productrow.set", "crm")
def set_rows(call: Call) -> Any:
    """Replace all rows of an item."""
    kind, number = call.need("ownerType"), call.need("ownerId")
    given = call.need("productRows")
    _owner(call, kind, number)
    rows = _replace(call, str(kind), number, given, upper=False)
    return {"productRows": [show(_FAMILY, row) for row in rows]}


@method("crm.item.productrow.getAvailableForPayment", "crm")
def available_for_payment(call: Call) -> Any:
    """Rows that nobody paid yet: all of them here."""
    kind, number = call.need("ownerType"), call.need("ownerId")
    _readable(call, kind, number)
    return {"productRows": [show(_FAMILY, row) for row in _rows_of(call, kind, number)]}


def _classic_owner(call: Call, owner: str) -> int:
    number = call.number("id")
    try:
        _owner(call, _CLASSIC[owner], number)
    except RestError as error:
        text = "Not found." if error.code == "OWNER_NOT_FOUND" else "Access denied."
        raise classic(text) from None
    return number


def _get(owner: str, call: Call) -> Any:
    number = _classic_owner(call, owner)
    rows = sorted(_rows_of(call, _CLASSIC[owner], number), key=lambda row: row["sort"])
    return [_classic_view(row) for row in rows]


def _classic_view(row: Row) -> Row:
    view = {upper_snake(name): value for name, value in show(_FAMILY, row).items()}
    view |= {"ID": str(row["id"]), "OWNER_ID": str(row["ownerId"])}
    view["PRICE_ACCOUNT"] = f"{float(row['priceAccount']):.2f}"
    more: Row = {"ORIGINAL_PRODUCT_NAME": row["productName"], "PRODUCT_DESCRIPTION": None}
    more |= {"RESERVE_ID": None, "DATE_RESERVE_END": None, "RESERVE_QUANTITY": None}
    return view | more


def _set(owner: str, call: Call) -> Any:
    _replace(call, _CLASSIC[owner], _classic_owner(call, owner), call.get("rows"), upper=True)
    return True


for _code in _CLASSIC:
    method(f"crm.{_code}.productrows.get", "crm")(partial(_get, _code))
    method(f"crm.{_code}.productrows.set", "crm")(partial(_set, _code))

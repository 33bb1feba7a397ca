"""Sums of a product row; a kind of discount wants its figure [crm-deal-productrows-set.md]."""

from local.portal.errors import RestError
from local.portal.table import Row

_MONEY, _PERCENTS, _WHOLE = 1, 2, 100
_RATE = "Discount Rate (DISCOUNT_RATE) is required if Percentage Discount Type"
_SUM = "Discount Sum (DISCOUNT_SUM) is required if"


def check_discount(values: Row) -> None:
    """Refuse a row of the classic methods whose discount has a kind and no figure."""
    kind, rate, amount = (values.get(f"discount{n}") for n in ("TypeId", "Rate", "Sum"))
    text = ""
    if kind == _PERCENTS and rate is None:
        text = f"{_RATE} (DISCOUNT_TYPE_ID) is defined"
    elif kind == _PERCENTS and rate == _WHOLE and amount is None:
        text = f"{_SUM} Percentage Discount Type (DISCOUNT_TYPE_ID) is defined"
        text += " and Discount Rate (DISCOUNT_RATE) is 100%"
    elif kind == _MONEY and amount is None:
        text = f"{_SUM} Monetary Discount Type (DISCOUNT_TYPE_ID) is defined"
    if text:
        raise RestError("ERROR_CORE", f"{text}<br>")


def sums_of(values: Row) -> Row:
    """Work a row's prices out: with and without discount and tax."""
    price = float(values.get("price") or 0)
    rate = float(values.get("taxRate") or 0) / 100
    kind = values.get("discountTypeId") or _PERCENTS
    share = float(values.get("discountRate") or 0) / 100
    exclusive = price / (1 + rate) if values.get("taxIncluded") == "Y" else price
    if kind == _PERCENTS:
        netto = exclusive / (1 - share) if share < 1 else exclusive
        discount = netto - exclusive
    else:
        discount = float(values.get("discountSum") or 0)
        netto = exclusive + discount
        share = discount / netto if netto else 0.0
    brutto = netto * (1 + rate)
    sums = {"price": price, "priceAccount": price, "priceExclusive": exclusive}
    sums |= {"priceNetto": netto, "priceBrutto": brutto, "discountSum": discount}
    found: Row = {key: plain(value) for key, value in sums.items()}
    return found | {"discountTypeId": kind, "discountRate": plain(share * 100)}


def plain(value: float) -> float | int:
    """A sum with two digits, whole where it is."""
    rounded = round(value, 2)
    return int(rounded) if rounded.is_integer() else rounded

"""A kind of discount of a product row wants its figure [crm-deal-productrows-set.md]."""

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

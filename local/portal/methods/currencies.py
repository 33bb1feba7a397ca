"""What currencies have beside their rows: names by language, and the one that others count in."""

from typing import Any

from local.portal.call import Call, method
from local.portal.family import FAMILIES
from local.portal.php import entries
from local.portal.rows import hook, table_of
from local.portal.table import Row

_FAMILY = FAMILIES["crm.currency"]
_NAMES = ("FULL_NAME", "FORMAT_STRING", "DEC_POINT", "THOUSANDS_SEP", "DECIMALS")


@hook("crm.currency", "add", "update")
def name_currency(_call: Call, row: Row) -> None:
    """A currency reads as in its first language."""
    languages = [one for _, one in entries(row.get("LANG")) if isinstance(one, dict)]
    for name in _NAMES if languages else ():
        row[name] = languages[0].get(name, row.get(name))


def _currency(call: Call) -> Row:
    code = str(call.get("id"))
    return next(row for row in table_of(call, _FAMILY).walk() if row["CURRENCY"] == code)


@method("crm.currency.base.get", "crm")
def base_get(call: Call) -> Any:
    """The currency that the others count in."""
    return next(r["CURRENCY"] for r in table_of(call, _FAMILY).walk() if r.get("BASE") == "Y")


@method("crm.currency.base.set", "crm")
def base_set(call: Call) -> Any:
    """Let the others count in this one."""
    chosen = _currency(call)
    for row in table_of(call, _FAMILY).walk():
        row["BASE"] = "Y" if row is chosen else "N"
    return True


@method("crm.currency.localizations.get", "crm")
def localizations_get(call: Call) -> Any:
    """A currency's names by language."""
    return _currency(call).get("LANG") or []


@method("crm.currency.localizations.set", "crm")
def localizations_set(call: Call) -> Any:
    """Name a currency in some languages."""
    row = _currency(call)
    blank: Row = {"FORMAT_STRING": "#", "FULL_NAME": row["CURRENCY"], "DEC_POINT": "."}
    blank |= {"THOUSANDS_SEP": None, "DECIMALS": "2", "THOUSANDS_VARIANT": "C", "HIDE_ZERO": "Y"}
    row["LANG"] = dict(entries(row.get("LANG"))) | {
        language: blank | {name: str(value) for name, value in entries(names)}
        for language, names in entries(call.get("localizations"))
    }
    return True


@method("crm.currency.localizations.delete", "crm")
def localizations_delete(call: Call) -> Any:
    """Forget a currency's names in some languages."""
    row = _currency(call)
    removed = {str(one) for _, one in entries(call.get("lids"))}
    row["LANG"] = {one: names for one, names in entries(row.get("LANG")) if one not in removed}
    return True

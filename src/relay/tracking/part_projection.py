"""The rows of a part as the portal answers them -> their canonical form. Pure."""

from collections.abc import Iterable

from relay.portal.api import Result
from relay.product_rows import DERIVED, OF_OWNER, TEXTS, ordered
from relay.tracking.commands import Item
from relay.tracking.projection import Form, canonical

# Of a requisite: its owner has it, or it follows edits rather than being one.
_OF_REQUISITE = {"ENTITY_TYPE_ID", "ENTITY_ID", "DATE_MODIFY", "MODIFY_BY_ID"}


def project_rows(rows: Iterable[Item]) -> list[Form]:
    """Return product rows in their order, each in its canonical form, without their owner."""
    forms = []
    for row in rows:
        kept = {name: value for name, value in row.items() if name not in OF_OWNER | DERIVED}
        form = {name: _number(name, canonical(kept[name])) for name in sorted(kept)}
        if form.get("productId") == 0:  # a row without a product
            form["productId"] = None
        forms.append({name: value for name, value in form.items() if value is not None})
    return ordered(forms)


def _number(name: str, value: Result) -> Result:
    """Return a value of a product row; the portal answers some of its numbers as texts."""
    if name in TEXTS or not isinstance(value, str):
        return value
    try:
        return canonical(float(value)) if "." in value else int(value)
    except ValueError:
        return value


def project_requisite(row: Item, accounts: Iterable[Item]) -> Form:
    """Return a requisite with its bank details."""
    form = _plain(row)
    if details := [_plain(account) for account in accounts]:
        form["bankDetails"] = details
    return form


def _plain(row: Item) -> Form:
    form = {name: canonical(value) for name, value in row.items() if name not in _OF_REQUISITE}
    return {name: value for name, value in form.items() if value is not None} | {
        "ID": int(row["ID"])
    }


def project_contacts(rows: Iterable[Item]) -> list[Form]:
    """Return contacts in the portal's order, the primary one marked."""
    contacts = [
        {
            "contactId": int(row["CONTACT_ID"]),
            "roleId": int(row.get("ROLE_ID") or 0),
            "sort": int(row.get("SORT") or 0),
            "isPrimary": str(row.get("IS_PRIMARY")) == "Y",
        }
        for row in rows
    ]
    return sorted(contacts, key=lambda one: (one["sort"], one["contactId"]))

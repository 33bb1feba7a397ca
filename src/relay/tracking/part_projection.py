"""The rows of a part as the portal answers them -> their canonical form. Pure."""

from collections.abc import Callable, Iterable, Mapping

from relay.portal.api import Result
from relay.product_rows import DERIVED, OF_OWNER, TEXTS, ordered
from relay.tracking.commands import Item
from relay.tracking.parts import CONTACTS, FIELD_OF_PART, PRODUCTS, REQUISITES
from relay.tracking.projection import Form, canonical

# Of a requisite: its owner has it, or it follows edits rather than being one.
_OF_REQUISITE = {"ENTITY_TYPE_ID", "ENTITY_ID", "DATE_MODIFY", "MODIFY_BY_ID"}
_BANK_DETAILS = "bankDetails"


def project_parts(rows: Mapping[str, Iterable[Item]]) -> Form:
    """Return the fields of parts, each a list in its order; a part without rows has no field."""
    forms = {FIELD_OF_PART[part]: _PROJECT[part](of_part) for part, of_part in rows.items()}
    return {name: form for name, form in forms.items() if form}


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


def _requisites(rows: Iterable[Item]) -> list[Form]:
    """Return requisites in their order, with their bank details."""
    forms = []
    for row in rows:
        form = _plain(row)
        if accounts := [_plain(one) for one in row[_BANK_DETAILS]]:
            form[_BANK_DETAILS] = sorted(accounts, key=lambda account: account["ID"])
        forms.append(form)
    return sorted(forms, key=lambda form: form["ID"])


def _plain(row: Item) -> Form:
    names = sorted(row.keys() - _OF_REQUISITE - {_BANK_DETAILS})
    form = {name: canonical(row[name]) for name in names}
    return {name: value for name, value in form.items() if value is not None} | {
        "ID": int(row["ID"])
    }


def _contacts(rows: Iterable[Item]) -> list[Form]:
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


_PROJECT: Mapping[str, Callable[[Iterable[Item]], list[Form]]] = {
    PRODUCTS: project_rows,
    REQUISITES: _requisites,
    CONTACTS: _contacts,
}

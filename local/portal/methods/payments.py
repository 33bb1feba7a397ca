"""What is special about payments of items, and about documents [crm/universal/payment/, …]."""

from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.php import entries
from local.portal.rows import find_row, hook, show, table_of
from local.portal.table import Row

_PAYMENT = FAMILIES["crm.item.payment"]
_DOCUMENT = FAMILIES["crm.documentgenerator.document"]


@hook("crm.item.payment", "check")
def check_payment(call: Call, values: Row, old: Row | None) -> None:
    """Find the item of a new payment; whoever pays is kept with the time."""
    if old is None:
        table = call.portal.items.get(values["entityTypeId"])
        number, count = values["entityId"], len(table_of(call, _PAYMENT)) + 1
        if table is None or table.get(number) is None:
            raise RestError("0", f"Entity with identifier №{number} does not exist")
        values["accountNumber"] = f"{number}/{count}"
    if "paid" in values:
        paid = values["paid"] == "Y"
        values["datePaid"] = call.portal.clock.stamp() if paid else None
        values["empPaidId"] = call.user if paid else None


def _pay(paid: str, call: Call) -> bool:
    row, values = find_row(call, _PAYMENT, "get"), {"paid": paid}
    check_payment(call, values, row)
    row |= values
    return True


for _name, _paid in (("pay", "Y"), ("unpay", "N")):
    method(f"crm.item.payment.{_name}", "crm")(partial(_pay, _paid))


@hook("crm.documentgenerator.document", "check")
def check_document(call: Call, values: Row, old: Row | None) -> None:
    """Number a document, and name it after its template."""
    row = (old or {}) | values
    if row["entityTypeId"] not in call.portal.types:
        raise RestError("0", "No provider for entityTypeId")
    given = dict(entries(values.get("values")))
    kept = (old or {}).get("values") or {"productsTableVariant": "", "_creationMethod": "rest"}
    given |= {"stampsEnabled": row.get("stampsEnabled", False)}
    template = table_of(call, FAMILIES["crm.documentgenerator.template"]).get(row["templateId"])
    number = len(table_of(call, _DOCUMENT)) + 1
    values["values"] = kept | given
    values["number"] = str(given.get("DocumentNumber") or row.get("number") or number)
    values["title"] = f"{(template or {}).get('name', '')} {values['number']}"


@hook("crm.documentgenerator.template", "show")
def show_template(_family: Any, _row: Row, view: Row, operation: str) -> None:
    """The page of `list` has users as a list where that of `get` has them by their codes."""
    if operation != "list":
        view["users"] = {one: one for one in view["users"]}


@method("crm.documentgenerator.document.enablepublicurl", "crm")
def enable_public_url(call: Call) -> Any:
    """Give a document an address for everybody, or take it away."""
    row = find_row(call, _DOCUMENT, "get")
    row["publicUrl"] = f"https://{call.portal.domain}/~{row['id']}" if call.flag("status") else None
    return {"publicUrl": row["publicUrl"]}


@method("crm.documentgenerator.document.getfields", "crm")
def document_fields(call: Call) -> Any:
    """Fields of a document with their values, some of them given."""
    view = show(_DOCUMENT, find_row(call, _DOCUMENT, "get"))
    values = {"DocumentNumber": view["number"], "DocumentTitle": view["title"]}
    values |= dict(entries(call.get("values")))
    more: Row = {"required": "Y", "group": ["Document"], "chain": "this.DOCUMENT"}
    found = {
        name: more | {"title": name, "value": value, "default": value}
        for name, value in values.items()
    }
    own = [row for row in call.portal.items[4].walk() if row.get("isMyCompany") == "Y"]
    choice = [{"value": str(row["id"]), "title": row["title"], "selected": False} for row in own]
    for row in choice[:1]:
        row["selected"] = True
    more = {"group": ["Document", "My Company"]}
    logo = {"title": "Logo", "value": None, "default": None, "type": "IMAGE"}
    found["MyCompanyUfLogo"] = more | logo | {"chain": "this.SOURCE.MY_COMPANY.UF_LOGO"}
    found["MY_COMPANY"] = more | {"title": "My Company", "value": choice}
    return {"documentFields": found}

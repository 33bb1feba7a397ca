"""Products have the properties of their catalogue [catalog/product/, product-property/]."""

import re
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.php import entries, int_or_none
from local.portal.rows import find_row, hook, show, table_of
from local.portal.table import Row

_DIRECTORY_SETTINGS: Row = {"size": 1, "width": 0, "group": "N", "multiple": "N", "tableName": ""}


def _properties(call: Call, catalogue: Any) -> dict[str, Row]:
    """The properties of a catalogue by the names that products have them under."""
    rows = table_of(call, FAMILIES["catalog.productProperty"]).walk()
    return {f"property{row['id']}": row for row in rows if row["iblockId"] == catalogue}


def of_catalogue(call: Call) -> None:
    """Products have the fields of their catalogue, which must be named."""
    if not dict(entries(call.need("filter"))).get("iblockId"):
        raise RestError("0", "Required filter fields: iblockId")


def describe_properties(call: Call, rows: Row) -> None:
    """The fields of a catalogue's products are its properties too."""
    catalogue = int_or_none(dict(entries(call.get("filter"))).get("iblockId"))
    for name, row in _properties(call, catalogue).items():
        rows[name] = {
            "isDynamic": True,
            "isImmutable": False,
            "isMultiple": row["multiple"] == "Y",
            "isReadOnly": False,
            "isRequired": row["isRequired"] == "Y",
            "name": row["name"],
            "propertyType": row["propertyType"],
            "type": "productproperty",
            "userType": row["userType"],
        }


def keep_properties(call: Call, values: Row, old: Row | None) -> None:
    """Values of properties have numbers of their own; a property without one is shown empty."""
    given, row = dict(entries(call.get("fields"))), (old or {}) | values
    for name, one in _properties(call, row.get("iblockId")).items():
        if name not in given:
            values[name] = row.get(name)
        elif one["multiple"] == "Y":
            values[name] = [_valued(call, value) for _, value in entries(given[name])]
        else:
            values[name] = _valued(call, given[name])


def _valued(call: Call, given: Any) -> Row:
    value = given.get("value") if isinstance(given, dict) else given
    return {"value": str(value), "valueId": str(call.portal.next_multi_field_id())}


def show_properties(_family: Any, row: Row, view: Row, _operation: str) -> None:
    """Show values beside the fields that all products have."""
    view |= {name: value for name, value in row.items() if re.fullmatch(r"property\d+", name)}


for _name in ("", ".service", ".sku", ".offer"):
    for _moment, _run in (
        ("fields", of_catalogue),
        ("described", describe_properties),
        ("check", keep_properties),
        ("show", show_properties),
    ):
        hook(f"catalog.product{_name}", _moment)(_run)


@method("catalog.catalog.isOffers", "catalog")
def is_offers(call: Call) -> Any:
    """Whether a catalogue holds the variations of another one."""
    return find_row(call, FAMILIES["catalog.catalog"], "get").get("productIblockId") is not None


@hook("catalog.productPropertySection", "before")
def follow_properties(call: Call) -> None:
    """Every property has settings of how a section shows it."""
    family = FAMILIES["catalog.productPropertySection"]
    table = call.portal.tables[family.table]
    for row in table_of(call, FAMILIES["catalog.productProperty"]).walk():
        if table.get(row["id"]) is None:
            table.put(row["id"], {"id": row["id"], "propertyId": row["id"]})


@hook("catalog.productProperty", "check")
def check_property(_call: Call, values: Row, old: Row | None) -> None:
    """A directory's property has settings, of which a request names some."""
    row = (old or {}) | values
    if row.get("userType") == "directory":
        given = dict(entries(row.get("userTypeSettings")))
        values["userTypeSettings"] = _DIRECTORY_SETTINGS | given


@method("catalog.productPropertySection.set", "catalog")
def set_section(call: Call) -> Any:
    """Change how a section shows a property."""
    family, given = FAMILIES["catalog.productPropertySection"], dict(entries(call.get("fields")))
    row = table_of(call, family).rows[call.number("propertyid")]
    names = [name for name in family.fields if name != "propertyId"]
    row |= {name: str(given[name]) for name in names if name in given}
    of = table_of(call, FAMILIES["catalog.productProperty"]).rows[row["id"]]
    texts = {"propertyId": str(row["id"]), "iblockId": str(of["iblockId"]), "sectionId": "0"}
    return {"productPropertySection": show(family, row) | texts}


@hook("catalog.productImage", "before")
def of_product(call: Call) -> None:
    """A new image names its product among its fields."""
    given = dict(entries(call.get("fields")))
    if "productId" in given:
        call.params = {**call.params, "productid": given["productId"]}


@hook("catalog.productImage", "check")
def check_image(call: Call, values: Row, _old: Row | None) -> None:
    """An image comes as its name and its content."""
    parts = [str(part) for _, part in entries(call.need("fileContent"))]
    if len(parts) < 2 or not parts[0]:  # noqa: PLR2004  name and content
        raise RestError("0", "The file name is not specified")
    values["name"] = parts[0]

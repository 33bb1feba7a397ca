"""Funnels of deals, invoices and smart processes [crm/universal/category/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, access_denied, not_found
from local.portal.listing import Page
from local.portal.methods.items import entity_of, fields_of
from local.portal.php import entries, int_or_none
from local.portal.rows import hook
from local.portal.schema import EntityType
from local.portal.table import Row

_IS_DEFAULT = "This funnel is the default funnel"


def _funnels(call: Call, absent: str = "SPA not found") -> tuple[EntityType, list[Row]]:
    entity = entity_of(call, absent)
    if not entity.has_categories:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {entity.code} is not supported")
    return entity, call.portal.directories.categories.setdefault(entity.number, [])


def _funnel(call: Call) -> tuple[EntityType, list[Row], Row]:
    entity, rows = _funnels(call)
    row = next((row for row in rows if row["id"] == call.number("id")), None)
    if row is None:
        raise not_found("Element not found")
    return entity, rows, row


def _write(rows: list[Row], row: Row, given: Any) -> Any:
    origin = ("originId", "originatorId") if "originId" in row else ()  # deals alone have them
    for name in ("name", "sort", *origin):
        if given.get(name) is not None:
            row[name] = (int_or_none(given[name]) or 0) if name == "sort" else str(given[name])
    if str(given.get("isDefault")).upper() == "Y":
        for one in rows:
            one["isDefault"] = "Y" if one is row else "N"
    return {"category": row}


@method("crm.category.list", "crm")
def category_list(call: Call) -> Page:
    """Funnels of a type."""
    _, rows = _funnels(call, "Smart process not found")
    return Page({"categories": rows}, len(rows))


@method("crm.category.add", "crm")
def category_add(call: Call) -> Any:
    """Make a funnel with stages of its own."""
    entity, rows = _funnels(call)
    given = dict(entries(fields_of(call)))
    if not given.get("name"):
        raise RestError("0", "Field 'NAME' is required")
    number = call.portal.directories.add_category(entity.number, str(given["name"]))
    return _write(rows, next(row for row in rows if row["id"] == number), given)


@method("crm.category.get", "crm")
def category_get(call: Call) -> Any:
    """One funnel."""
    entity, _, row = _funnel(call)
    if call.portal.denied(call.user, entity.number):
        raise access_denied()
    return {"category": row}


@method("crm.category.update", "crm")
def category_update(call: Call) -> Any:
    """Rename a funnel, move it or make it the default one."""
    _, rows, row = _funnel(call)
    return _write(rows, row, dict(entries(fields_of(call))))


@method("crm.category.delete", "crm")
def category_delete(call: Call) -> Any:
    """Delete a funnel that is empty and not the default one."""
    entity, rows, row = _funnel(call)
    deals = entity.code == "deal"
    code = "0" if deals else "BX_ERROR"
    if row["isDefault"] == "Y":
        text = "Default deal category cannot be deleted" if deals else _IS_DEFAULT
        raise RestError(code, text)
    items = call.portal.items[entity.number].walk()
    if any(item.get("categoryId") == row["id"] for item in items):
        name = f"Deals related to the funnel {row['name']} found"
        raise RestError(code, name if deals else "Elements related to the funnel found")
    rows.remove(row)


@hook("crm.category", "fields")
def fields_of_funnels(call: Call) -> None:
    """Ask whether the type has funnels at all."""
    _funnels(call)

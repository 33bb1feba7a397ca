"""Pages of CRM items, for both families of methods."""

from typing import Any

from local.portal.call import Call
from local.portal.filters import FilterCompiler, compile_order
from local.portal.items import subject_of
from local.portal.listing import Page, candidates, cut, read_start
from local.portal.schema import EntityType


def page_of(call: Call, entity: EntityType, names: str, given: Any, order: Any) -> Page:
    """The readable items that match; `names` says how the request calls fields."""
    portal = call.portal
    test = FilterCompiler(portal, entity, names).compile(given)
    keys = compile_order(entity, order, names)
    rows, ordered = candidates(portal.items[entity.number], given, keys)
    if portal.denials:
        rows = (row for row in rows if portal.may_read(call.user, entity.number, row))
    if test is not None:
        rows = filter(test, rows)
    page = cut(rows, keys, read_start(call.get("start")), ordered=ordered)
    call.touched += [("read", subject_of(entity, row["id"])) for row in page.result]
    return page

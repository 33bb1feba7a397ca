"""Pages of CRM items, for both families of methods."""

from collections.abc import Iterable, Iterator
from typing import Any

from local.portal.call import Call
from local.portal.filters import FilterCompiler, compile_order
from local.portal.items import subject_of
from local.portal.listing import Page, candidates, cut, read_start
from local.portal.schema import EntityType
from local.portal.table import Row


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
    if portal.doubled_rights and not call.owner().get("admin"):
        rows = _joined(
            rows, {number for kind, number in portal.doubled_rights if kind == entity.number}
        )
    page = cut(rows, keys, read_start(call.get("start")), ordered=ordered)
    page.result = list({row["id"]: row for row in page.result}.values())
    call.touched += [("read", subject_of(entity, row["id"])) for row in page.result]
    return page


def _joined(rows: Iterable[Row], doubled: set[int]) -> Iterator[Row]:
    """Yield the rows beside those of their rights, as the database counts them for a page.

    [CORE crm/lib/Service/Factory.php getItems, crm/lib/security/accessattribute]
    """
    for row in rows:
        yield from [row] * (1 + (row["id"] in doubled))

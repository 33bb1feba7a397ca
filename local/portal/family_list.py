"""Lists of families: conditions, order, select and pages, for all of them."""

from typing import Any

from local.portal.call import Call, intranet_only
from local.portal.errors import RestError, classic
from local.portal.family import Family
from local.portal.filters import FilterCompiler, compile_order
from local.portal.listing import PAGE, candidates, cut, read_start
from local.portal.php import entries
from local.portal.rows import HOOKS, show, table_of, within
from local.portal.table import Row

_ORDERS = ("order", "iblock_order", "element_order", "section_order")


def check_module(call: Call, family: Family) -> None:
    """Ask whether the module that a request names has such rows, and the webhook its scope."""
    call.need("moduleId")
    module = str(call.get("moduleid"))
    if module not in family.data["modules"]:
        raise classic("No settings for UserFieldAccess")
    if not call.webhook.may(module):
        raise classic(f"The current method required more scopes. ({module})")


def allow(call: Call, family: Family, operation: str) -> None:
    """Refuse who may not, and guests of the portal where a family does."""
    if "modules" in family.data:
        check_module(call, family)
    if family.data.get("intranet"):
        intranet_only(call)
    free = operation in family.data.get("free", "fields").split()
    if not free and family.scope in {"crm", "catalog", "lists"} and call.portal.denied(call.user):
        raise family.error(operation, "denied")
    for_admins = {"add", "update", "delete"} if family.data.get("rights") == "admin" else set()
    for_admins |= set(family.data.get("admins", "").split())
    if operation in for_admins and not call.owner().get("admin"):
        raise family.error(operation, "denied")


def list_rows(call: Call, family: Family) -> Any:
    """Rows that fit the filter: a page, or rows alone where the family counts none."""
    allow(call, family, "list")
    table, where = table_of(call, family), HOOKS.get((family.table, "where"))
    maps: dict[str, Any] = {}
    for name, names in (("filter", ("filter",)), ("order", _ORDERS)):
        maps[name] = {} if family.data.get("whole") else call.get(*names, default={})
        if not isinstance(maps[name], list | dict):
            raise family.error("list", "array", name)
    given = dict(entries(maps["filter"])) | within(call, family, "list")
    given |= {f"={name}": value for name, value in family.fixed.items()}
    if family.operations.get("list") == "get" and call.get(family.id_names[0].lower()) is not None:
        given["ID"] = call.get(family.id_names[0].lower())
    special = where(call, given) if where else None
    if "unknown" in family.data:
        _check_names(call, family, given, maps["order"])
    try:
        order = compile_order(family, maps["order"], family.names)
        test = FilterCompiler(call.portal, family, family.names).compile(given)
    except RestError as error:
        raise family.error("list", "condition", error.text) from None
    given_order = family.data.get("order", [])
    order = order or [(family.key_of(one.lstrip("-")), one[0] == "-") for one in given_order]
    rows, ordered = candidates(table, given, order)
    rows = filter(test, filter(special, rows) if special else rows)
    start, size = read_start(call.get("start")), family.data.get("page", PAGE)
    page = cut(rows, order, start, ordered=ordered, size=size)
    views = [show(family, row, "list") for row in page.result]
    if listed := HOOKS.get((family.table, "listed")):
        views = [listed(call, family, view) for view in views]
    page.result = [_selected(call, family, view) for view in views]
    if family.data.get("uncounted"):
        return page.result
    if family.data.get("keyed"):
        page.result = {str(view[family.key]): view for view in page.result}
    if name := family.data.get("wrap", ("", ""))[1]:
        page.result = {name: page.result}
    return page


def _check_names(call: Call, family: Family, given: Row, order: Any) -> None:
    select = [str(name) for _, name in entries(call.get("select", default=[]))]
    for name in (*given, *dict(entries(order)), *select):
        plain = name.lstrip("!<>=@%")
        if plain != "*" and family.find(plain) is None:
            raise family.error("list", "unknown", plain)


def _selected(call: Call, family: Family, view: Row) -> Row:
    select = [str(name) for _, name in entries(call.get("select", default=[]))]
    only = {f.name for f in family.fields.values() if "s" in f.flags} - set(select)
    if not select or "*" in select or family.data.get("unselected"):
        return {name: value for name, value in view.items() if name not in only}
    names = select if family.data.get("bare") else [*select, family.key]
    wanted = {name.lower().replace("_", "") for name in names}
    return {n: value for n, value in view.items() if n.lower().replace("_", "") in wanted}

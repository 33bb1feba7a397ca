"""Converting a lead into a contact, a company and a deal, as a person does on the lead's page.

Which fields the new items take, and that the origin is among them, is the vendor's table [CORE
crm/lib/conversion/leadconversionmapper.php, createMap]. REST has no method for it.
"""

from local.portal.errors import not_found
from local.portal.items import Actor, add_item, update_item
from local.portal.portal import Portal

_LEAD, _DEAL, _CONTACT, _COMPANY = 1, 2, 3, 4
_ORIGIN = ("originatorId", "originId")
_ALL = ("comments", "opened", "assignedById", *_ORIGIN)
_UTM = tuple(f"utm{name}" for name in ("Source", "Medium", "Campaign", "Content", "Term"))
_NAMES = ("honorific", "name", "secondName", "lastName", "birthdate", "post")
_SOURCE = ("sourceId", "sourceDescription")
_COPIED = {
    _COMPANY: (*_ALL, *_UTM),
    _CONTACT: (*_ALL, *_UTM, *_NAMES, *_SOURCE),
    _DEAL: (*_ALL, *_UTM, *_SOURCE, "title", "opportunity", "currencyId"),
}
_CONVERTED = "CONVERTED"


def convert_lead(portal: Portal, number: int, actor: Actor) -> dict[str, int]:
    """Make the company, the contact and the deal of a lead; returns their ids by their names."""
    entity = portal.types[_LEAD]
    lead = portal.items[_LEAD].get(number)
    if lead is None:
        raise not_found("Item not found")
    made: dict[str, int] = {}
    for kind, fields in _COPIED.items():
        values = {name: lead[name] for name in fields if lead.get(name) is not None}
        values |= {"leadId": number}
        if kind == _COMPANY:
            values["title"] = lead.get("companyTitle") or lead.get("title")
        else:
            values["companyId"] = made["company"]
        if kind == _DEAL:
            values |= {"contactId": made["contact"], "contactIds": [made["contact"]]}
        target = portal.types[kind]
        rows = lead.get("fm", []) if target.has_fm else []
        multi = [(f"n{at}", dict(row, id=None)) for at, row in enumerate(rows)]
        made[target.code] = add_item(portal, target, values, actor, multi)["id"]
    links = {
        "companyId": made["company"],
        "contactId": made["contact"],
        "contactIds": [made["contact"]],
        "stageId": _CONVERTED,
    }
    update_item(portal, entity, lead, links, actor)
    return made

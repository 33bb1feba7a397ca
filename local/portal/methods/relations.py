"""Who belongs to what: contacts of deals, leads, quotes and companies, companies of contacts.

`crm.deal.contact.add`, `crm.deal.contact.items.set`, …. A company's contacts are kept with the
contacts; everything else is kept with the item itself. The first one is the primary one.
"""

from functools import partial
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError, classic, not_found
from local.portal.items import update_item
from local.portal.php import entries, int_or_none
from local.portal.table import Row

_NUMBERS = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7}
_PAIRS = (
    ("lead", "contact"),
    ("deal", "contact"),
    ("quote", "contact"),
    ("company", "contact"),
    ("contact", "company"),
)
_STEP = 10  # between what is sorted by nobody


def _owner(call: Call, owner: str) -> Row:
    number = call.number("id")
    row = call.portal.items[_NUMBERS[owner]].get(number)
    if row is None:
        raise not_found() if owner == "lead" else classic("Not found.")
    if not call.portal.may_read(call.user, _NUMBERS[owner], row):
        raise RestError("ACCESS_DENIED", "Access denied.")
    return row


def _linked(call: Call, owner: str, other: str, row: Row) -> list[int]:
    if owner == "company":
        contacts = call.portal.items[3].walk()
        return [one["id"] for one in contacts if row["id"] in one.get("companyIds", [])]
    found = row.get(f"{other}Ids") or []
    return list(found) or [row[f"{other}Id"]] if found or row.get(f"{other}Id") else []


def _link(call: Call, owner: str, other: str, row: Row, numbers: list[int]) -> None:
    portal = call.portal
    if owner != "company":
        first = numbers[0] if numbers else 0
        values = {f"{other}Ids": numbers, f"{other}Id": first}
        update_item(portal, portal.types[_NUMBERS[owner]], row, values, call.actor)
        return
    for contact in list(portal.items[3].walk()):
        before: list[int] = contact.get("companyIds", [])
        after = [one for one in before if one != row["id"]]
        if contact["id"] in numbers:
            after = before if row["id"] in before else [*before, row["id"]]
        if after != before:
            values = {"companyIds": after, "companyId": after[0] if after else 0}
            update_item(portal, portal.types[3], contact, values, call.actor)


def _sorts(call: Call, owner: str, row: Row) -> dict[int, int]:
    return call.portal.links.setdefault((owner, row["id"]), {})


def _number_of(call: Call, other: str, given: Any) -> int:
    found = {str(k).upper(): v for k, v in entries(given)}
    number = int_or_none(found.get(f"{other.upper()}_ID")) or 0
    if number <= 0:
        raise classic("The parameter 'fields' is not valid.")
    if call.portal.items[_NUMBERS[other]].get(number) is None:
        raise classic("Not found.")
    return number


def _get(owner: str, other: str, call: Call) -> Any:
    row = _owner(call, owner)
    sorts = _sorts(call, owner, row)
    numbers = _linked(call, owner, other, row)
    views = [
        {
            f"{other.upper()}_ID": number,
            "SORT": sorts.get(number, _STEP * (at + 1)),
            "ROLE_ID": 0,
            "IS_PRIMARY": "Y" if at == 0 else "N",
        }
        for at, number in enumerate(numbers)
    ]
    return sorted(views, key=lambda view: int(str(view["SORT"])))


def _change(verb: str, owner: str, other: str, call: Call) -> Any:
    """Add one, take one away, or put others in the place of all there were."""
    row, whole = _owner(call, owner), verb.startswith("items")
    numbers = [] if whole else _linked(call, owner, other, row)
    given = [one for _, one in entries(call.get("items"))] if whole else [call.get("fields")]
    for item in given if verb != "items.delete" else ():
        number = _number_of(call, other, item)
        if verb == "delete" and number not in numbers:
            raise classic("Not found.")
        numbers = [one for one in numbers if one != number]
        if verb != "delete":
            primary = str(item.get("IS_PRIMARY", "")).upper() == "Y"
            numbers = [number, *numbers] if primary else [*numbers, number]
            sort = int_or_none(item.get("SORT")) or _STEP * len(numbers)
            _sorts(call, owner, row)[number] = sort
    _link(call, owner, other, row, numbers)
    return True


for _one, _two in _PAIRS:
    method(f"crm.{_one}.{_two}.items.get", "crm")(partial(_get, _one, _two))
    for _verb in ("add", "delete", "items.set", "items.delete"):
        method(f"crm.{_one}.{_two}.{_verb}", "crm")(partial(_change, _verb, _one, _two))

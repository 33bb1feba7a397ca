"""Phones, e-mails and their like: rows of their own, and what an item shows of them beside."""

from typing import Any

from local.portal.php import int_or_none
from local.portal.portal import Portal
from local.portal.schema import EntityType
from local.portal.table import Row
from local.portal.values import InvalidValueError


def merge_multi_fields(portal: Portal, old: list[Row], given: Any) -> list[Row]:
    """Rows with an id change or, empty, go; rows without are added; the others stay.

    [sdk/b24gosdk/index.md] A number sent again without its id is there twice. Keys `n0`… add, a key
    that is a row's id changes that row [universal/index.md]. Without `typeId` a row is ignored.
    """
    rows = {row["id"]: row for row in old}
    for key, entry in given:
        number = _row_id(entry.get("id") or (key if int_or_none(key) in rows else None))
        if number in rows:
            if entry.get("value") in (None, "") or entry.get("delete") == "Y":
                del rows[number]
            else:
                rows[number] = rows[number] | {
                    name: str(entry[name]) for name in ("value", "valueType") if name in entry
                }
        elif entry.get("typeId") and entry.get("value") not in (None, ""):
            number = portal.next_multi_field_id()
            rows[number] = {
                "id": number,
                "valueType": str(entry.get("valueType") or "WORK"),
                "value": str(entry["value"]),
                "typeId": str(entry["typeId"]).upper(),
            }
    return list(rows.values())


def _row_id(value: Any) -> int | None:
    if value is None:
        return None
    number = int_or_none(value)
    if number is None:
        raise InvalidValueError("row id")
    return number


def search_content(entity: EntityType, row: Row) -> None:
    """Keep the text that the portal searches in; it follows every change."""
    if "searchContent" in entity.blank:
        values = (row.get(key) for key in ("id", "title", "name", "lastName", "opportunity"))
        row["searchContent"] = " ".join(str(value) for value in values if value)


def contact_marks(entity: EntityType, row: Row) -> None:
    """What item answers say beside `fm`: marks, and the first phone and e-mail."""
    if not entity.has_fm:
        return
    values = row.get("fm", [])
    for kind, flag in (("PHONE", "hasPhone"), ("EMAIL", "hasEmail")):
        of_kind = [entry for entry in values if entry["typeId"] == kind]
        row[flag] = "Y" if of_kind else "N"
        row[kind.lower()] = of_kind[0]["value"] if of_kind else None
        for use in ("WORK", "HOME", "MOBILE", "MAILING"):
            key = kind.lower() + use.capitalize()
            if key in entity.blank:
                found = [entry["value"] for entry in of_kind if entry["valueType"] == use]
                row[key] = found[0] if found else ""

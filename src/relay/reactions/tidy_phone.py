"""A contact's phones as they were typed -> as they are dialled, such as +74951234567."""

import re

from relay.change import Change
from relay.portal import PortalApi
from relay.reaction import reaction

NATIONAL = re.compile(r"8(\d{10})")  # in Russia and Kazakhstan 8 stands for +7
MIN_DIGITS = 8  # of a number with its country's code
CONTACT = 3


def tidy(phone: str) -> str:
    """Return a number with its country's code and nothing between the digits.

    A number with letters (an extension) or without a country's code is returned as it was typed.
    """
    digits = re.sub(r"\D", "", phone)
    if len(digits) < MIN_DIGITS or not re.fullmatch(r"\+?[\d\s().-]+", phone):
        return phone
    if phone.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    national = NATIONAL.fullmatch(digits)
    return f"+7{national[1]}" if national else phone


@reaction
async def tidy_phone(change: Change, portal: PortalApi) -> None:
    """contact.added, contact.updated (fm) -> crm.item.update."""
    if change.entity != "contact" or not change.moved("fm"):
        return
    rows = {
        row["id"]: {**row, "value": tidy(row["value"])}
        for row in change.after["fm"] or []
        if row["typeId"] == "PHONE" and tidy(row["value"]) != row["value"]
    }
    if rows:
        await portal.call(
            "crm.item.update", entityTypeId=CONTACT, id=change.id, fields={"fm": rows}
        )


handler = tidy_phone.handler

"""People, contacts and deals for a portal to begin with; the same ones in every run."""

import random
from typing import Any

from local.portal.items import Actor, add_item
from local.portal.portal import Portal
from local.portal.task_store import create_task

_FIRST = ("Anna", "Boris", "Clara", "Dmitri", "Elena", "Felix", "Galina", "Hugo", "Irina", "Jan")
_LAST = ("Ivanova", "Petrov", "Weber", "Novak", "Rossi", "Larsen", "Moreau", "Kowalski", "Orlova")
_GOODS = ("office chairs", "a web shop", "support for a year", "pumps", "training", "packaging")
_STAGES = ("NEW", "NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON")


def seed(portal: Portal, deals: int = 12, contacts: int = 6) -> None:
    """Fill a new portal; raises no events: what was there before you came is no news."""
    generator = random.Random(portal.name)
    people = list(portal.users)
    for name, last, position in (
        ("Maria", "Johnson", "Sales manager"),
        ("Olga", "Smirnova", "Sales manager"),
        ("Relay", "Robot", "Integration"),
    ):
        people.append(portal.add_user(name, last, position=position))
    if "ufCrm_1721244482250" not in portal.types[2].fields:
        portal.types[2].add_user_field("UF_CRM_1721244482250", "string", "Region", multiple=False)
        portal.types[2].add_user_field("UF_CRM_1725365197310", "file", "Contract", multiple=False)
    add_contacts(portal, contacts, generator)
    add_deals(portal, deals, generator, people[:3])
    for number in list(portal.items[3].ids)[:2]:
        row = portal.items[3].rows[number]
        values = {"title": f"Call {row['name']} {row['lastName']}", "ufCrmTask": [f"C_{number}"]}
        create_task(portal, values | {"description": ""}, Actor(), event=False)


def add_contacts(
    portal: Portal, amount: int, generator: random.Random, *, event: bool = False
) -> list[int]:
    """Make contacts with a phone and an e-mail."""
    made = []
    for _ in range(amount):
        name, last = generator.choice(_FIRST), generator.choice(_LAST)
        number = portal.items[3].last_id + 1
        multi: list[tuple[str, Any]] = [
            ("n0", {"typeId": "PHONE", "valueType": "WORK", "value": f"+49555{number:06d}"}),
            ("n1", {"typeId": "EMAIL", "value": f"{name.lower()}.{number}@example.com"}),
        ]
        values = {"name": name, "lastName": last, "typeId": "CLIENT", "sourceId": "WEB"}
        made.append(add_item(portal, portal.types[3], values, Actor(), multi, event=event)["id"])
    return made


def add_deals(
    portal: Portal,
    amount: int,
    generator: random.Random,
    people: list[int],
    *,
    event: bool = False,
) -> list[int]:
    """Make deals spread over the stages."""
    made, contacts = [], portal.items[3].ids
    for _ in range(amount):
        values: dict[str, Any] = {
            "title": f"Order of {generator.choice(_GOODS)}",
            "stageId": generator.choice(_STAGES),
            "opportunity": generator.randrange(10, 900) * 50,
            "isManualOpportunity": "Y",
            "assignedById": generator.choice(people),
        }
        if contacts:
            values["contactId"] = generator.choice(contacts)
            values["contactIds"] = [values["contactId"]]
        made.append(add_item(portal, portal.types[2], values, Actor(), event=event)["id"])
    return made

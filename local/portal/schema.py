"""Which fields each kind of CRM item has, under both of its names.

`data/fields.json` holds what the pages on `crm.<entity>.fields` and `crm.item.fields` list: name of
the classic methods, name of `crm.item.*`, type, flags (r read-only, R required, i immutable,
m multiple, d deprecated, s without settings, c not
shown by the classic methods), title, directory. An empty second name: the field is classic only.
"""

import json
from pathlib import Path
from typing import Any

from local.portal.shape import Field, Shape, user_field_key

DATA = Path(__file__).parent / "data"
_TABLES: dict[str, list[list[str]]] = json.loads((DATA / "fields.json").read_text(encoding="utf-8"))
# Shown by crm.item.get and crm.item.list beside what *.fields lists [crm-item-get.md]
_SHADOWS: dict[str, dict[str, Any]] = json.loads((DATA / "shadows.json").read_text("utf-8"))

FIRST_DYNAMIC = 128
INVOICE = 31
# What product rows call the types that they may hang on.
PRODUCT_OWNERS = {"L": 1, "D": 2, "C": 3, "CO": 4, "Q": 7, "SI": INVOICE}
MULTI_FIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")


class EntityType(Shape):
    """A kind of CRM item: its fields, names and blank form."""

    def __init__(self, number: int, code: str, title: str, table: str) -> None:
        self.number, self.code, self.title, self.table = number, code, title, table
        super().__init__()
        self.info: dict[str, Any] = {}  # a smart process's own record (crm.type.*)
        for row in _TABLES[table]:
            self.add_field(Field(*row))
        self.blank |= _SHADOWS.get(table, {})
        if table != "dynamic":
            self.fields.setdefault("observers", Field("OBSERVERS", "observers", "user", "m"))
        self.has_stages = "stageId" in self.fields
        self.has_categories = "categoryId" in self.fields and number != INVOICE
        self.has_fm = "PHONE" in self.classic

    def add_user_field(self, name: str, kind: str, title: str = "", *, multiple: bool) -> Field:
        """A field that the portal's people made."""
        field = Field(name, user_field_key(name), kind, "m" if multiple else "", title or name)
        self.add_field(field)
        return field

    def add_parent(self, number: int) -> None:
        """A link to items of another type, `PARENT_ID_<type>`."""
        self.add_field(Field(f"PARENT_ID_{number}", f"parentId{number}", "crm_entity"))

    @property
    def event_prefix(self) -> str:
        """Smart processes and new invoices share their events [on-crm-dynamic-item-update.md]."""
        dynamic = self.number >= FIRST_DYNAMIC or self.number == INVOICE
        return "ONCRMDYNAMICITEM" if dynamic else f"ONCRM{self.code.upper()}"


def standard_types() -> dict[int, EntityType]:
    """The types that every portal has."""
    rows = [
        (1, "lead", "Lead", "lead"),
        (2, "deal", "Deal", "deal"),
        (3, "contact", "Contact", "contact"),
        (4, "company", "Company", "company"),
        (7, "quote", "Estimate", "quote"),
        (INVOICE, "invoice", "Invoice", "invoice"),
    ]
    return {row[0]: EntityType(*row) for row in rows}

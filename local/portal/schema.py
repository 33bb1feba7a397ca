"""Which fields each kind of CRM item has, under both of its names.

`data/fields.json` holds what the pages on `crm.<entity>.fields` and `crm.item.fields` list: name of
the classic methods, name of `crm.item.*`, type, flags (r read-only, R required, i immutable,
m multiple, d deprecated), title, directory. An empty second name: the field is classic only.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
_TABLES: dict[str, list[list[str]]] = json.loads((DATA / "fields.json").read_text(encoding="utf-8"))
# Shown by crm.item.get and crm.item.list beside what *.fields lists [crm-item-get.md]
_SHADOWS: dict[str, dict[str, Any]] = json.loads((DATA / "shadows.json").read_text("utf-8"))

_PARENTS = {"crm_lead": 1, "crm_company": 4, "crm_quote": 7}
_USER_FIELD_SETTINGS: dict[str, dict[str, Any]] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0}
    | {"DEFAULT_VALUE": ""},
    "crm": {"LEAD": "N", "CONTACT": "N", "COMPANY": "Y", "DEAL": "N"},
}

FIRST_DYNAMIC = 128
INVOICE = 31
MULTI_FIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
_LINKS = {"crm_company", "crm_contact"}  # 0 where there is none; other links are null


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one kind of item."""

    name: str
    key: str
    type: str
    flags: str = ""
    title: str = ""
    status: str | None = None

    @property
    def readonly(self) -> bool:
        """Never taken from a request, import excepted."""
        return "r" in self.flags

    @property
    def multiple(self) -> bool:
        """A list of values."""
        return "m" in self.flags

    def describe(self) -> dict[str, Any]:
        """The record that `*.fields` answers with."""
        record: dict[str, Any] = {
            "type": self.type,
            "isRequired": "R" in self.flags,
            "isReadOnly": self.readonly,
            "isImmutable": "i" in self.flags,
            "isMultiple": self.multiple,
            "isDynamic": self.name.startswith("UF_"),
            "title": self.title or self.name,
        }
        if "d" in self.flags:
            record["isDeprecated"] = True
        if self.status:
            record["statusType"] = self.status
        if self.name.startswith("PARENT_ID_"):
            record["settings"] = {"parentEntityTypeId": int(self.name.removeprefix("PARENT_ID_"))}
        elif self.type in _PARENTS and not self.multiple:
            record["settings"] = {"parentEntityTypeId": _PARENTS[self.type]}
        if self.key == "mycompanyId":
            record["settings"] |= {"isMyCompany": True, "isEmbeddedEditorEnabled": True}
        if self.name.startswith("UF_"):
            record |= {"listLabel": self.title, "formLabel": self.title, "filterLabel": self.title}
            record["settings"] = _USER_FIELD_SETTINGS.get(self.type, [])
        return record


def user_field_key(name: str) -> str:
    """Name a user field as `crm.item.*` does [universal/index.md].

    All digits or all letters after the number: `ufCrm10_51`, `ufCrm10Digit`; mixed: only the prefix
    changes, `ufCrm_3_DIGIT10`.
    """
    match = re.fullmatch(r"UF_CRM_(?:(\d+)_)?(.+)", name)
    number, rest = (match[1] or "", match[2]) if match else ("", name)
    if rest.isdigit():
        return f"ufCrm{number}_{rest}"
    if re.fullmatch(r"[A-Z_]+", rest):
        return f"ufCrm{number}" + "".join(word.capitalize() for word in rest.split("_"))
    return f"ufCrm_{number}_{rest}" if number else f"ufCrm_{rest}"


class EntityType:
    """A kind of CRM item: its fields, names and blank form."""

    def __init__(self, number: int, code: str, title: str, table: str) -> None:
        self.number, self.code, self.title, self.table = number, code, title, table
        self.fields: dict[str, Field] = {}
        self.classic: dict[str, Field] = {}
        self.blank: dict[str, Any] = {}
        self.file_keys: set[str] = set()
        self.info: dict[str, Any] = {}  # a smart process's own record (crm.type.*)
        for row in _TABLES[table]:
            self.add_field(Field(*row))
        self.blank |= _SHADOWS.get(table, {})
        if table != "dynamic":
            self.fields.setdefault("observers", Field("OBSERVERS", "observers", "user", "m"))
        self.has_stages = "stageId" in self.fields
        self.has_categories = "categoryId" in self.fields and number != INVOICE
        self.has_fm = "PHONE" in self.classic

    def add_field(self, field: Field) -> None:
        """Make room for a field; existing items have it empty at once."""
        self.classic[field.name] = field
        if not field.key:
            return
        self.fields[field.key] = field
        self.blank[field.key] = blank_value(field)
        if field.type == "file":
            self.file_keys.add(field.key)

    def add_user_field(self, name: str, kind: str, title: str = "", *, multiple: bool) -> Field:
        """A field that the portal's people made."""
        field = Field(name, user_field_key(name), kind, "m" if multiple else "", title or name)
        self.add_field(field)
        return field

    def add_parent(self, number: int) -> None:
        """A link to items of another type, `PARENT_ID_<type>`."""
        self.add_field(Field(f"PARENT_ID_{number}", f"parentId{number}", "crm_entity"))

    def find(self, name: str, *, original: bool = False) -> Field | None:
        """Look up a field by its `crm.item.*` name, or by the original one."""
        field = self.fields.get(name)
        if field is None and (original or not name.startswith("UF_")):
            field = self.classic.get(name)
        if field is None and (match := re.fullmatch(r"ufCrm_(\d+)_(\d+)", name)):
            field = self.fields.get(f"ufCrm{match[1]}_{match[2]}")
        return field if field is not None and field.key else None

    @property
    def event_prefix(self) -> str:
        """Smart processes and new invoices share their events [on-crm-dynamic-item-update.md]."""
        dynamic = self.number >= FIRST_DYNAMIC or self.number == INVOICE
        return "ONCRMDYNAMICITEM" if dynamic else f"ONCRM{self.code.upper()}"


def blank_value(field: Field) -> Any:
    """What an empty field of this type reads as in `crm.item.*`."""
    if field.multiple:
        return []
    if field.type in _LINKS or field.type == "double":
        return 0 if not field.name.startswith("UF_") else None
    if field.type in {"char", "boolean"}:
        return "N" if not field.name.startswith("UF_") else None
    if field.type == "crm_category" or field.key == "webformId":
        return 0
    return None


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

"""Fields under both of their names, and what has them: CRM items and the rows of families."""

import re
from dataclasses import dataclass
from typing import Any

_PARENTS = {"crm_lead": 1, "crm_company": 4, "crm_quote": 7}
_USER_FIELD_SETTINGS: dict[str, dict[str, Any]] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0}
    | {"DEFAULT_VALUE": ""},
    "crm": {"LEAD": "N", "CONTACT": "N", "COMPANY": "Y", "DEAL": "N"},
}

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
        elif self.type in _PARENTS and not self.multiple and "s" not in self.flags:
            record["settings"] = {"parentEntityTypeId": _PARENTS[self.type]}
        if self.key == "mycompanyId" and "settings" in record:
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


class Shape:
    """Fields by their two names, and what an empty one reads as."""

    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self.classic: dict[str, Field] = {}
        self.blank: dict[str, Any] = {}
        self.file_keys: set[str] = set()

    def add_field(self, field: Field) -> None:
        """Make room for a field; existing items have it empty at once."""
        if "c" not in field.flags:
            self.classic[field.name] = field
        if not field.key:
            return
        self.fields[field.key] = field
        self.blank[field.key] = blank_value(field)
        if field.type == "file":
            self.file_keys.add(field.key)

    def drop_field(self, name: str) -> None:
        """Take a field away; what items hold in it is no longer shown."""
        field = self.classic.pop(name)
        self.fields.pop(field.key, None)
        self.blank.pop(field.key, None)
        self.file_keys.discard(field.key)

    def find(self, name: str, *, original: bool = False) -> Field | None:
        """Look up a field by its `crm.item.*` name, or by the original one."""
        field = self.fields.get(name)
        if field is None and (original or not name.startswith("UF_")):
            field = self.classic.get(name)
        if field is None and (match := re.fullmatch(r"ufCrm_(\d+)_(\d+)", name)):
            field = self.fields.get(f"ufCrm{match[1]}_{match[2]}")
        return field if field is not None and field.key else None


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

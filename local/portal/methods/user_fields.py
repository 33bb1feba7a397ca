"""What follows from a field that people made: items have it, and its lists have ids."""

import re
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.family import FAMILIES
from local.portal.family_list import check_module
from local.portal.methods.user_field_views import LABELS, in_language
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.rows import hook
from local.portal.schema import INVOICE, EntityType
from local.portal.table import Row

_ENTITIES = {"CRM_LEAD": 1, "CRM_DEAL": 2, "CRM_CONTACT": 3, "CRM_COMPANY": 4, "CRM_QUOTE": 7}
_ENTITIES["CRM_SMART_INVOICE"] = INVOICE
_EVENT_FIELDS = ("ID", "ENTITY_ID", "FIELD_NAME")
_SETTINGS: dict[str, Row] = FAMILIES["userfieldconfig"].data["settings"]
_SHOWN_ALONE = {"SIZE", "REGEXP", "MIN_LENGTH", "MAX_LENGTH", "MIN_VALUE", "MAX_VALUE"}


def _type_of(portal: Portal, entity_id: str) -> EntityType | None:
    if entity_id in _ENTITIES:
        return portal.types[_ENTITIES[entity_id]]
    match = re.fullmatch(r"CRM_(\d+)", entity_id)
    rows = portal.types.values() if match else ()
    return next((one for one in rows if one.info.get("id") == int(match[1] if match else 0)), None)


def _entity_id(entity: EntityType) -> str:
    names = {number: name for name, number in _ENTITIES.items()}
    return names.get(entity.number) or f"CRM_{entity.info.get('id', 0)}"


@hook("user_fields", "before")
def follow_types(call: Call) -> None:
    """Have a row for each field that items have, however it was made."""
    portal, table = call.portal, call.portal.tables["user_fields"]
    there = {(row["ENTITY_ID"], row["FIELD_NAME"]) for row in table.walk()}
    for entity in portal.types.values():
        for name, field in entity.classic.items():
            if name.startswith("UF_") and (_entity_id(entity), name) not in there:
                number = table.next_id()
                row: Row = {"id": number, "ENTITY_ID": _entity_id(entity), "FIELD_NAME": name}
                row |= {"USER_TYPE_ID": field.type, "MULTIPLE": "Y" if field.multiple else "N"}
                row |= {"SETTINGS": _SETTINGS.get(field.type) or []}
                table.put(number, row | dict.fromkeys(LABELS, field.title))


@hook("user_fields", "check")
def check_field(call: Call, values: Row, old: Row | None) -> None:
    """Give a new field its prefix, its settings, its labels and the ids of its list."""
    portal, table = call.portal, call.portal.tables["user_fields"]
    if old is None:
        name = str(values["FIELD_NAME"]).upper()
        entity_id = str(values.get("ENTITY_ID", ""))
        prefix = "UF_USR_" if entity_id == "USER" else "UF_CRM_"
        values["FIELD_NAME"] = name if name.startswith("UF_") else prefix + name
        for row in table.walk():
            if (row["ENTITY_ID"], row["FIELD_NAME"]) == (entity_id, values["FIELD_NAME"]):
                text = f"The field {row['FIELD_NAME']} for the {entity_id} object already exists."
                raise RestError("ERROR_CORE", text)
        label = values.pop("LABEL", None)
        for one in LABELS:
            values.setdefault(one, label)
    kind = str((old or values)["USER_TYPE_ID"])
    settings = (old or {}).get("SETTINGS") or _SETTINGS.get(kind, {})
    values["SETTINGS"] = settings | dict(entries(values.get("SETTINGS"))) or []
    given = values.pop("ENUM", None) or values.get("LIST")
    if kind == "enumeration" and given is not None:
        values["LIST"] = _merged(portal, (old or {}).get("LIST") or [], given)


def _merged(portal: Portal, old: list[Row], given: Any) -> list[Row]:
    """Values with an id change or, with DEL, go; the others are new."""
    rows = {row["ID"]: row for row in old}
    for _, entry in entries(given):
        one = {str(k).upper().replace("XMLID", "XML_ID"): v for k, v in entries(entry)}
        number = str(one.get("ID") or "")
        if number in rows and str(one.get("DEL", "")).upper() == "Y":
            del rows[number]
            continue
        if number not in rows:
            portal.last_option += 1
            number = str(portal.last_option)
            rows[number] = {"ID": number, "SORT": "500", "VALUE": "", "DEF": "N"}
            rows[number]["XML_ID"] = f"{portal.random.getrandbits(128):032x}"
        shown = ("SORT", "VALUE", "DEF", "XML_ID")
        rows[number] |= {key: str(one[key]) for key in shown if one.get(key) is not None}
    codes = [row["XML_ID"] for row in rows.values()]
    if twice := next((code for code in codes if codes.count(code) > 1), None):
        text = f"List item with value XML_ID={twice} already exists."
        raise RestError("ERROR_CORE", text)
    return list(rows.values())


def _emit(call: Call, action: str, row: Row) -> None:
    kind = row["ENTITY_ID"].removeprefix("CRM_")
    if row["ENTITY_ID"].startswith("CRM_"):
        own = (row["ENTITY_ID"] in _ENTITIES and kind != "SMART_INVOICE") or kind == "REQUISITE"
        fields = {name: row["id" if name == "ID" else name] for name in _EVENT_FIELDS}
        event = f"ONCRM{kind if own else 'TYPE'}USERFIELD{action}"
        call.portal.emit(event, {"FIELDS": fields}, f"user_field/{row['id']}")
    if row.get("LIST") and action in {"ADD", "UPDATE"}:
        _emit(call, "SETENUMVALUES", row)


@hook("user_fields", "add")
def added_field(call: Call, row: Row) -> None:
    """Give items the new field."""
    entity = _type_of(call.portal, row["ENTITY_ID"])
    if entity is not None:
        label = in_language(row.get("EDIT_FORM_LABEL"), "en") or row["FIELD_NAME"]
        multiple = row.get("MULTIPLE") == "Y"
        entity.add_user_field(row["FIELD_NAME"], row["USER_TYPE_ID"], label, multiple=multiple)
    _emit(call, "ADD", row)


@hook("user_fields", "update")
def updated_field(call: Call, row: Row) -> None:
    """Say so, and that values of a list were set."""
    _emit(call, "UPDATE", row)


@hook("user_fields", "delete")
def deleted_field(call: Call, row: Row) -> None:
    """Take the field from items."""
    entity = _type_of(call.portal, row["ENTITY_ID"])
    if entity is not None:
        entity.drop_field(row["FIELD_NAME"])
    _emit(call, "DELETE", row)


@method("userfieldconfig.getTypes", "userfieldconfig")
def get_types(call: Call) -> Any:
    """Types that a field may have."""
    check_module(call, FAMILIES["userfieldconfig"])
    types = {one: {"userTypeId": one, "description": one.capitalize()} for one in _SETTINGS}
    return {"types": types}


@method("crm.userfield.settings.fields", "crm")
def settings_fields(call: Call) -> Any:
    """Settings that a request may give a field of one type."""
    kind = str(call.get("type"))
    types = {"int": "int", "dict": "object", "list": "array"}
    number = {"double": "double", "integer": "int"}.get(kind, "string")
    return {
        name: {
            "type": number if value == "" else types.get(type(value).__name__, "string"),
            "title": name.replace("_", " ").title(),
        }
        for name, value in _SETTINGS.get(kind, {}).items()
        if name not in _SHOWN_ALONE
    }

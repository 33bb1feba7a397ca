"""Items as the two families of methods show them."""

from typing import Any

from local.portal.portal import Portal
from local.portal.schema import MULTI_FIELDS, EntityType
from local.portal.shape import Field
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook

_UNLISTED: dict[str, Row] = {"contact": {"FACE_ID": None}}  # get shows it, fields doesn't
# Writable, but never in what classic get and list answer [crm-deal-fields.md]
_WRITE_ONLY = {"CONTACT_IDS", "COMPANY_IDS", "OBSERVERS"}


def item_view(
    portal: Portal,
    entity: EntityType,
    row: Row,
    webhook: IncomingWebhook,
    *,
    original: bool = False,
) -> Row:
    """All of an item for `crm.item.*`: camelCase, numbers as numbers, empty ones included."""
    view = entity.blank | row
    for key in entity.file_keys & row.keys():
        view[key] = _files(portal, entity, row, key, webhook)
    if entity.has_fm:
        view["fm"] = row.get("fm", [])
    view["entityTypeId"] = entity.number
    if original:
        fields = entity.fields
        view = {
            fields[key].name if key.startswith("ufCrm") and key in fields else key: value
            for key, value in view.items()
        }
    return view


def _files(portal: Portal, entity: EntityType, row: Row, key: str, webhook: IncomingWebhook) -> Any:
    """A file with two addresses; the second one carries the webhook's secret.

    [how-to-generate-edit-form-for-deal.md] `urlMachine` has `/rest/<user>/<code>/` in it.
    """
    value = row[key]

    def link(number: int) -> Row:
        query = f"?entityTypeId={entity.number}&id={row['id']}&fieldName={key}&fileId={number}"
        method = "crm.controller.item.getFile/"
        return {
            "id": number,
            "url": f"/bitrix/services/main/ajax.php{query}&action=crm.controller.item.getFile",
            "urlMachine": f"https://{portal.domain}{webhook.path()}{method}{query}",
        }

    return [link(number) for number in value] if isinstance(value, list) else value and link(value)


def classic_view(entity: EntityType, row: Row, webhook: IncomingWebhook) -> Row:
    """All of an item for `crm.<entity>.get`: UPPER_SNAKE, every scalar a string or null."""
    view: Row = dict(_UNLISTED.get(entity.code, {}))
    for name, field in entity.classic.items():
        if field.type == "crm_multifield":
            rows = [entry for entry in row.get("fm", []) if entry["typeId"] == name]
            if rows:
                view[name] = [
                    {
                        "ID": str(entry["id"]),
                        "VALUE_TYPE": entry["valueType"],
                        "VALUE": entry["value"],
                        "TYPE_ID": name,
                    }
                    for entry in rows
                ]
        elif field.key and name not in _WRITE_ONLY:
            value = row.get(field.key, entity.blank.get(field.key))
            if field.type == "file" and value:
                view[name] = _classic_file(entity, row, field, value, webhook)
            else:
                view[name] = classic_value(field, value)
    return view


def _classic_file(
    entity: EntityType, row: Row, field: Field, value: Any, webhook: IncomingWebhook
) -> Any:
    def link(number: int) -> Row:
        address = (
            f"/bitrix/components/bitrix/crm.{entity.code}.show/show_file.php?auth={webhook.secret}"
            f"&ownerId={row['id']}&fieldName={field.name}&dynamic=Y&fileId={number}"
        )
        return {"id": number, "showUrl": address, "downloadUrl": address}

    return [link(number) for number in value] if isinstance(value, list) else link(value)


def classic_value(field: Field, value: Any) -> Any:
    """One value as classic CRM writes it: money with two decimals, empty dates `""`."""
    if field.multiple:
        return [str(entry) for entry in value or []]
    if field.type in {"date", "datetime"}:
        return value or ""
    if value is None:
        return None
    if field.type == "double" and not field.name.startswith("UF_"):
        return f"{float(value):.2f}"
    if field.type in {"crm_company", "crm_contact"} and not value:
        return None
    return str(value)


def is_multi_field(name: str) -> bool:
    """Whether a classic name is one of phones, e-mails and their like."""
    return name in MULTI_FIELDS

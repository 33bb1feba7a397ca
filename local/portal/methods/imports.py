"""`crm.item.import` and `crm.item.batchImport` [api-reference/crm/universal/import/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.items import add_item
from local.portal.methods.items import check_writable, entity_of, fields_of, names_of
from local.portal.php import entries
from local.portal.schema import EntityType
from local.portal.table import Row
from local.portal.values import read_fields, read_value

_MAX_IMPORT = 20  # [crm-item-batch-import.md]
_IMPORTED_AUDIT = ("createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy", "movedBy")


def audit_of(call: Call, entity: EntityType, given: Any) -> Row:
    """Times and authors, which an import alone may set."""
    fields = (
        (entity.classic.get(name) or entity.fields.get(name), v) for name, v in entries(given)
    )
    found = [(field, value) for field, value in fields if field and field.key in _IMPORTED_AUDIT]
    return {field.key: read_value(call.portal, field, value) for field, value in found}


def _import(call: Call, entity: EntityType, given: Any) -> Row:
    """Import one item: audit fields may be set, and no event is raised."""
    values, multi = read_fields(call.portal, entity, given, names_of(call))
    title = entity.fields.get("title")
    if entity.code == "company" and title is not None and not values.get("title"):
        raise RestError("CRM_FIELD_ERROR_REQUIRED", f'The "{title.title}" field is required')
    audit = audit_of(call, entity, given)
    row = add_item(call.portal, entity, values, call.actor, multi, audit=audit, event=False)
    return {"item": {"id": row["id"]}}


@method("crm.item.import", "crm")
def import_item(call: Call) -> Any:
    """Import an item; an administrator may set its times and authors [import/index.md]."""
    entity = entity_of(call)
    check_writable(call, entity, "CREATE")
    return _import(call, entity, fields_of(call))


@method("crm.item.batchImport", "crm")
def batch_import(call: Call) -> Any:
    """Import up to 20 items; a failed row doesn't fail the call."""
    entity = entity_of(call)
    check_writable(call, entity, "CREATE")
    rows = entries(call.need("data"))
    if len(rows) > _MAX_IMPORT:
        raise RestError(
            "MAX_IMPORT_BATCH_SIZE_EXCEEDED", f"You cannot import more than {_MAX_IMPORT} items"
        )
    results = []
    for _, row in rows:
        try:
            results.append(_import(call, entity, row))
        except RestError as error:
            results.append(error.to_dict())
    return {"items": results}

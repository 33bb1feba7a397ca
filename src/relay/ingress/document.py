"""`document_id` of a robot's request -> kind and id: ["crm", "CCrmDocumentDeal", "DEAL_42"]."""

import re

from relay.cloudevent import Parsed
from relay.errors import MalformedRequestError
from relay.event import Document
from relay.kinds import KINDS, name_of

_CRM_KINDS = {
    **{name.upper(): name for name in ("lead", "deal", "contact", "company", "quote", "order")},
    "SMART_INVOICE": "invoice",
}
_MODULE_KINDS = {"tasks": "task", "lists": "list_element", "disk": "file"}

_CRM_ID = re.compile(r"([A-Z_]+?|DYNAMIC_([1-9][0-9]{0,8}))_([1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_MODULE = re.compile(r"[a-z][a-z0-9_.]{0,49}")
_ANY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,50}")


def read_document(value: Parsed) -> Document:
    """Return the document that a form's `document_id` names; raises MalformedRequestError.

    A document of a kind that is not in the tables has its module as kind. `DEAL_42` alone, as a
    person may type it into an address, is a document of CRM.
    """
    module, document_id = _module_and_id(value)
    found = _CRM_ID.fullmatch(document_id) if module in {"", "crm"} else None
    if found:
        kind = name_of(int(found[2])) if found[2] else _CRM_KINDS.get(found[1])
        if kind:
            return Document(kind, found[3])
    if module in _MODULE_KINDS and _NUMBER.fullmatch(document_id):
        return Document(_MODULE_KINDS[module], document_id)
    if _MODULE.fullmatch(module) and _ANY_ID.fullmatch(document_id):
        return Document(module, document_id)
    raise MalformedRequestError("the request names no document in `document_id`")


def entity_type_id(kind: str) -> int | None:
    """Return the number of a kind in `crm.item.*`, None where it has none."""
    if kind in KINDS:
        return KINDS[kind].entity_type_id
    number = kind.removeprefix("dynamic_")
    return int(number) if number != kind else None


def _module_and_id(value: Parsed) -> tuple[str, str]:
    """Return module and id: of a list, of an object with the keys 0 to 2, or of a text."""
    if isinstance(value, str):
        return "", value
    if isinstance(value, list):
        value = dict(zip("012", value, strict=False))
    if not isinstance(value, dict):
        return "", ""
    module, document_id = value.get("0", ""), value.get("2", "")
    if not isinstance(module, str) or not isinstance(document_id, str):
        return "", ""
    return module, document_id

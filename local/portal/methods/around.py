"""Duplicates, workflows and the CRM mode."""

import re
from typing import Any

from local.portal.call import Call, method
from local.portal.errors import RestError
from local.portal.php import entries, int_or_none

_MAX_HITS = 20  # 20 hits in one type hide the types after it [search-by-phone-and-email.md]


@method("crm.duplicate.findbycomm", "crm")
def find_duplicates(call: Call) -> Any:
    """Who has one of these phones or e-mails; an empty array where nobody has.

    [crm/duplicates/] The page shows the error's text in the place of its code.
    """
    kind = str(call.get("type", default="") or "").upper()
    if kind not in {"PHONE", "EMAIL"}:
        text = f"Communication type '{kind}' is not supported in current context"
        raise RestError(text, "Parameter 'type' is invalid.")
    values = [str(value) for _, value in entries(call.get("values"))]
    wanted = {_plain(kind, value) for value in values[:20]}
    only, found = str(call.get("entity_type", default="") or "").upper(), {}
    for number, name in ((1, "LEAD"), (3, "CONTACT"), (4, "COMPANY")):
        if only and only != name:
            continue
        hits = [
            row["id"]
            for row in call.portal.items[number].walk()
            if any(
                entry["typeId"] == kind and _plain(kind, entry["value"]) in wanted
                for entry in row.get("fm", ())
            )
        ][:_MAX_HITS]
        if hits:
            found[name] = hits
        if len(hits) == _MAX_HITS:
            break
    return found or []


def _plain(kind: str, value: str) -> str:
    """Phones are compared whole, without what is not a digit and without an extension."""
    if kind == "EMAIL":
        return value.strip().casefold()
    return re.sub(r"\D", "", re.split(r"[;,x#]", value, maxsplit=1)[0])


@method("crm.settings.mode.get", "crm")
def mode(call: Call) -> Any:
    """1: leads are used; 2: deals at once."""
    return 1 if call.portal.settings.leads_enabled else 2


@method("bizproc.workflow.start", "bizproc")
def start_workflow(call: Call) -> Any:
    """Start a workflow on a document; administrators only [bizproc-workflow-start.md]."""
    portal = call.portal
    template = call.number("template_id")
    kind = portal.workflow_templates.get(template)
    if kind is None:
        raise RestError("ERROR_WRONG_WORKFLOW_ID", "Template not found")
    document = [str(part) for _, part in entries(call.get("document_id"))]
    if len(document) != 3:  # noqa: PLR2004  module, class, id
        raise RestError("", "Wrong DOCUMENT_ID!")
    match = re.fullmatch(r"(LEAD|DEAL|CONTACT|COMPANY)_(\d+)", document[2])
    if (
        document[0] != "crm"
        or match is None
        or document[1] != f"CCrmDocument{match[1].capitalize()}"
    ):
        raise RestError("", "Incorrect document type!")
    if document[1] != kind:
        raise RestError("", "Template type and DOCUMENT_ID mismatch!")
    found = portal.table_of(match[1].lower())
    if found is None or found[1].get(int_or_none(match[2]) or 0) is None:
        raise RestError("", "Wrong DOCUMENT_ID!")
    workflow = f"{portal.random.getrandbits(56):014x}.{portal.random.randrange(10**8):08d}"
    portal.activity.workflows.append({"id": workflow, "template": template, "document": document})
    call.wrote(f"{match[1].lower()}/{match[2]}", workflow=workflow)
    return workflow

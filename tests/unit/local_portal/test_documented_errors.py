"""Every error that a method's page documents can be provoked, with its code, text and status."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest

from local.portal.errors import RestError
from local.portal.faults import make_fault
from local.portal.portal import Denial
from local.portal.rest import authorize
from local.portal.run import run_method
from tests.unit.local_portal.documentation import SAMPLES, documentation_portal


def nothing(_portal):
    """Leave the portal as it is."""


@dataclass
class Case:
    """What provokes an error: parameters, and what to do to the portal before."""

    params: Any = field(default_factory=dict)
    do: Any = nothing
    secret: str = "documentation1"


def guest(portal):
    """Make the webhook's owner a guest of the portal."""
    portal.users[1]["external"] = True


def denied(portal):
    """Take all rights to CRM from the owner."""
    portal.denials.add(Denial(1))


def not_admin(portal):
    """Take the owner's administration away."""
    portal.users[1]["admin"] = False


def poor(portal):
    """Put the portal on a plan that restricts smart processes."""
    portal.settings.plan_restricted = True


def picky(portal):
    """Refuse unknown webhooks with the other spelling."""
    portal.settings.auth_error = "INVALID_CREDENTIALS"


def fault(kind):
    """Have every call refused in one way."""
    return lambda portal: portal.faults.append(make_fault(1, {"kind": kind}))


ITEM = {"entityTypeId": 2, "id": 12}
NO_TYPE = {"entityTypeId": 9998, "id": 1, "fields": {}, "data": []}
DOCUMENT = {"TEMPLATE_ID": 1, "DOCUMENT_ID": ["crm", "CCrmDocumentLead", "LEAD_1"]}
BAD_ORDER = {"order": {"id": "UP"}}
LIST_ERRORS = {
    "is not allowed in filter": {"filter": {"FIELD": 1}},
    "has invalid value": {"filter": {">id": {"a": 1}}},
    "is not allowed in order": {"order": {"nothing": "ASC"}},
    "allowed sort directions": BAD_ORDER,
}

# (method, code, part of the text): how to provoke it. "*" stands for all methods that have none.
CASES = {
    ("*", "allowed_only_intranet_user", ""): Case(
        {"entityTypeId": 2, "id": 12, "fields": {}, "data": []}, guest
    ),
    ("*", "INVALID_CREDENTIALS", ""): Case({}, picky, "wrong"),
    ("*", "NOT_FOUND", "SPA not found"): Case(NO_TYPE),
    ("*", "NOT_FOUND", "Smart process not found"): Case(NO_TYPE),
    ("*", "NOT_FOUND", "Item not found"): Case(ITEM | {"id": 99999}),
    ("*", "NOT_FOUND", "Element not found"): Case(ITEM | {"id": 99999}),
    ("*", "NOT_FOUND", "Not found."): Case(
        {
            "id": 12345,
            "fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "nothing", "COMMENT": "x"},
            "ownerTypeId": 9998,
            "ownerId": 1,
            "deadline": "2026-01-01",
        }
    ),
    ("*", "ACCESS_DENIED", ""): Case(ITEM | {"fields": {"title": "x"}, "data": []}, denied),
    ("crm.type.add", "ACCESS_DENIED", ""): Case({"fields": {}}, not_admin),
    ("crm.type.get", "ACCESS_DENIED", ""): Case({"id": 16}, denied),
    ("bizproc.workflow.start", "ACCESS_DENIED", ""): Case(DOCUMENT, not_admin),
    ("bizproc.workflow.start", "ERROR_WRONG_WORKFLOW_ID", "Empty"): Case({}),
    ("bizproc.workflow.start", "ERROR_WRONG_WORKFLOW_ID", "Template"): Case({"TEMPLATE_ID": 7}),
    ("bizproc.workflow.start", "", "Wrong DOCUMENT_ID!"): Case({"TEMPLATE_ID": 1}),
    ("bizproc.workflow.start", "", "Incorrect document type!"): Case(
        {"TEMPLATE_ID": 1, "DOCUMENT_ID": ["crm", "CCrmDocumentLead", "DEAL_1"]}
    ),
    ("bizproc.workflow.start", "", "mismatch"): Case(
        {"TEMPLATE_ID": 1, "DOCUMENT_ID": ["crm", "CCrmDocumentDeal", "DEAL_1"]}
    ),
    ("im.message.add", "MESSAGE_EMPTY", ""): Case({"DIALOG_ID": "chat1"}),
    ("*", "USER_ID_EMPTY", ""): Case({"MESSAGE": "x"}),
    ("feature.get", "CODE_EMPTY", ""): Case({}),
    ("crm.company.add", "", "'fields'"): Case({}),
    ("*", "", "Parameter 'fields'"): Case({"id": 12, "fields": "x"}),
    ("*", "", "Access denied"): Case({"id": 12, "filter": {"ENTITY_TYPE": "deal"}}, denied),
    ("*", "", "Not found"): Case({"id": 99999}),
    ("*", "", "is not found"): Case({"id": 99999, "fields": {}}),
    ("*", "", "ID is not defined"): Case({"fields": {}}),
    ("crm.deal.list", "", "'order'"): Case({"order": "x"}),
    ("crm.deal.list", "", "'filter'"): Case({"filter": "x"}),
    ("*", "ENTITY_TYPE_NOT_SUPPORTED", ""): Case({"entityTypeId": 7}),
    ("crm.stagehistory.list", 0, ""): Case(
        {"entityTypeId": 33},
        lambda portal: portal.settings.change({"stage_history_error_number": True}),
    ),
    ("crm.duplicate.findbycomm", "Access denied", ""): Case({}, denied),
    ("crm.duplicate.findbycomm", "Communication type", ""): Case({}),
    ("crm.duplicate.findbycomm", "Communication values", ""): Case({"type": "PHONE"}),
    ("crm.status.list", "Invalid parameters.", ""): Case({"filter": "x"}),
    ("crm.activity.list", "INVALID_REQUEST", ""): Case({}, fault("https")),
    ("*", "100", "iterable"): Case(
        {
            "entityTypeId": 2,
            "id": 12,
            "fields": {"observers": "x"},
        }
    ),
    ("*", "100", ""): Case({}),
    ("tasks.task.get", "100", "select"): Case({"taskId": 1, "select": ""}),
    ("*", "CRM_FIELD_ERROR_VALUE_NOT_VALID", ""): Case(ITEM | {"fields": {"stageId": "NOTHING"}}),
    ("*", "CREATE_DYNAMIC_ITEM_RESTRICTED", ""): Case(
        {"entityTypeId": 1268, "fields": {}, "data": []}, poor
    ),
    ("*", "UPDATE_DYNAMIC_ITEM_RESTRICTED", ""): Case(
        {"entityTypeId": 1268, "id": 1, "fields": {}}, poor
    ),
    ("*", "MAX_IMPORT_BATCH_SIZE_EXCEEDED", ""): Case({"entityTypeId": 2, "data": [{}] * 21}),
    ("crm.type.add", "INVALID_ARG_VALUE", ""): Case({"fields": {"entityTypeId": 200}}),
    ("crm.type.add", "0", ""): Case({"fields": {"customSections": [], "customSectionId": 0}}),
    ("crm.type.add", "CREATE_DYNAMIC_TYPE_RESTRICTED", ""): Case({"fields": {}}, poor),
    ("crm.type.get", "0", ""): Case({"id": 999}),
    ("crm.type.get", 0, ""): Case({"id": 999}),
    ("task.commentitem.add", "ERROR_CODE", ""): Case({"TASKID": 1}),
    ("tasks.task.complete", "0", ""): Case(
        {"taskId": 1}, lambda portal: portal.tasks.rows[1].update(status="5")
    ),
    ("tasks.task.add", "ERROR_CORE", ""): Case({"fields": {"RESPONSIBLE_ID": 1}}),
    ("tasks.task.delete", "1048582", ""): Case({"taskId": 99999}),
    ("tasks.task.list", "0", ""): Case({"order": {"NOTHING": "asc"}}),
    ("tasks.task.update", "ERROR_CORE", ""): Case({"taskId": 11, "fields": {"PARENT_ID": 11}}),
}
# Batch import tells what is wrong with a row inside its answer
IN_ROWS = {
    "CRM_FIELD_ERROR_VALUE_NOT_VALID": {"stageId": "NOTHING"},
    "100": {"observers": "x"},
}
# Where a page contradicts itself or the others: what is answered instead, and why
INSTEAD = {
    ("crm.deal.get", ""): "ID is not defined or invalid.",  # the body is that of crm.deal.add
    ("crm.deal.list", "Failed to get list. General error."): "",  # only by a fault
    ("crm.type.get", "0"): 0,  # a text in the table, the number in the body
    ("task.commentitem.add", "ERROR_CODE"): "ERROR_CORE",  # what the other task pages say
}


def documented_errors():
    """All documented errors: method, code, text, and the status where a page names one."""
    for record in SAMPLES:
        for error in record["errors"]:
            body = error.get("body")
            if body is None:
                yield record["method"], error["code"], error["text"], int(error["status"])
            else:
                yield record["method"], body["error"], body["error_description"], None


def case_of(method, code, text):
    """Find the most exact way to provoke an error."""
    if code == "INVALID_ARG_VALUE" and method != "crm.type.add":
        part = next(part for part in LIST_ERRORS if part in text)
        return Case({"entityTypeId": 2} | LIST_ERRORS[part])
    for name in (method, "*"):
        for (one, error_code, part), case in CASES.items():
            same_code = (
                code.startswith(error_code)
                if isinstance(code, str) and error_code
                else code == error_code
            )
            if one == name and isinstance(error_code, type(code)) and same_code and part in text:
                return case
    raise LookupError(f"no way to provoke {method} {code!r} {text}")


UNTOUCHED = documentation_portal()  # an error changes nothing, so these can share it


def provoke(case, method):
    """Call through the webhook's address and return the error."""
    portal = documentation_portal() if case.do is not nothing else UNTOUCHED
    case.do(portal)
    with pytest.raises(RestError) as caught:
        run_method(portal, authorize(portal, "1", case.secret), method, case.params)
    return caught.value


@pytest.mark.parametrize(("method", "code", "text", "status"), list(documented_errors()))
def test_documented_error_can_be_provoked(method, code, text, status):
    """The error comes with its documented code, status and, where a body is shown, text."""
    if (method, code) == ("crm.deal.get", ""):
        error = provoke(Case({}), method)
        assert error.text == INSTEAD[method, code]
        return
    if text == "Failed to get list. General error.":
        assert provoke(Case({}, fault("codeless")), method).code == INSTEAD[method, text]
        return
    if method == "crm.item.batchImport" and code in IN_ROWS:
        portal = documentation_portal()
        webhook = authorize(portal, "1", "documentation1")
        params = {"entityTypeId": 2, "data": [IN_ROWS[code], {"title": "good"}]}
        items = run_method(portal, webhook, method, params)["result"]["items"]
        assert items[0]["error"] == code
        assert items[1]["item"]["id"]
        return
    error = provoke(case_of(method, code, text), method)
    assert error.code == INSTEAD.get((method, code), code)
    if status is None:
        assert error.text.rstrip(".") == text.rstrip(".")
    else:
        assert error.status == HTTPStatus(status)

"""Every method of the documentation's pages takes their request and answers in their shape."""

import copy

import pytest

from local.portal.run import run_method
from tests.unit.local_portal.documentation import SAMPLES, documentation_portal

# Requests that the pages show only as code around a form, or with words in the place of values
REQUESTS = {
    "crm.deal.add": {"fields": {"TITLE": "New Deal #1", "TYPE_ID": "COMPLEX", "CATEGORY_ID": 0}},
    "crm.deal.list": {
        "select": [
            *("ID", "TITLE", "TYPE_ID", "CATEGORY_ID", "STAGE_ID", "OPPORTUNITY"),
            *("IS_MANUAL_OPPORTUNITY", "ASSIGNED_BY_ID", "DATE_CREATE"),
        ],
        "filter": {"=%TITLE": "%deal%", "TYPE_ID": "COMPLEX", ">=OPPORTUNITY": 0},
        "order": {"TITLE": "ASC", "OPPORTUNITY": "ASC"},
    },
    "crm.activity.todo.add": {"ownerTypeId": 2, "ownerId": 1, "deadline": "2026-02-03T15:00:00"},
    "crm.type.list": {"order": {"id": "DESC"}, "filter": {"id": [16]}},
    "tasks.task.list": {"filter": {">STATUS": 1, "RESPONSIBLE_ID": 547}, "order": {"ID": "desc"}},
}
PLACEHOLDERS = {
    "formatDate(monthAgo)": "2024-06-18",
    "formatDate(twelveDaysInAdvance)": "2024-07-30",
    "**put_six_month_ago_date_here**": "2024-02-01",
    "2025-01-01": "2025-01-01",
}
# Where a page's answer is not what its request gives
OTHER_ANSWERS = {
    "how-to-update-files.md": "the page shows what its own script printed, the id of a file",
}
# PHP arrays: a list where a page's portal had nothing in them, an object where it had
OPTIONAL = {"checklist", "group", "tags", "accomplicesData", "checkListTree"}


def filled(value):
    """Put dates in the place of words."""
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    return PLACEHOLDERS.get(value, value) if isinstance(value, str) else value


def kind(value):
    """Name the JSON type, numbers being one."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def differences(documented, ours, path=""):
    """Where our answer lacks a documented key or has another JSON type."""
    if documented is None or path.rpartition(".")[2] in OPTIONAL:
        return []
    if isinstance(documented, dict) and isinstance(ours, dict):
        if documented and all(key.isdigit() for key in documented):
            documented, ours = list(documented.values()), list(ours.values())
        else:
            missing = [f"{path}.{key} is missing" for key in documented if key not in ours]
            inner = [
                line
                for key, value in documented.items()
                if key in ours
                for line in differences(value, ours[key], f"{path}.{key}")
            ]
            return missing + inner
    if isinstance(documented, list) and isinstance(ours, list):
        if documented and not ours:
            return [f"{path} is empty"]
        return differences(documented[0], ours[0], f"{path}[]") if documented else []
    if kind(documented) != kind(ours):
        return [f"{path}: {kind(documented)} documented, {kind(ours)} {ours!r} answered"]
    return []


@pytest.mark.parametrize("record", SAMPLES, ids=[f"{r['method']}" for r in SAMPLES])
def test_documented_request_gets_the_documented_answer(record):
    """The page's request is taken as it is; the answer has its keys and JSON types."""
    portal = documentation_portal()
    webhook = next(iter(portal.incoming.values()))
    request = record["request"]
    if request is None:
        request = REQUESTS[record["method"]]
    answer = run_method(portal, webhook, record["method"], filled(copy.deepcopy(request)))
    if record["page"].rpartition("/")[2] in OTHER_ANSWERS:
        return
    assert differences(record["answer"]["result"], answer["result"]) == []
    assert ("total" in record["answer"]) == ("total" in answer)

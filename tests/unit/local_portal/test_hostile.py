"""Arbitrary parameters: each method answers or refuses, and none fails by itself."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import local.portal.rest  # noqa: F401  all methods
from local.portal.call import METHODS
from local.portal.errors import RestError
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.seed import seed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("title", "TITLE", "stageId", "STAGE_ID", "fm", "PHONE", "contactIds", "begindate"),
            *("RESPONSIBLE_ID", "ENTITY_ID", "ENTITY_TYPE", "COMMENT", "FILES", "DEADLINE"),
            *("ufCrm_1725365197310", "categoryId", "opportunity", ">id", "@ID", "%TITLE", "!ID"),
            *(">=ID", "NAME", "FIELD_NAME", "USER_TYPE_ID", "CURRENCY", "OWNER_ID", "TYPE_ID"),
            *("entityTypeId", "relations", "linkedUserFields", "AUDITORS", "UF_CRM_TASK"),
        ]
    ),
    VALUES,
    max_size=4,
)
PARAMS = st.dictionaries(
    st.sampled_from(
        [
            *("entityTypeId", "id", "fields", "filter", "order", "select", "start", "cmd", "data"),
            *("taskId", "USER_ID", "MESSAGE", "type", "values", "name", "DOCUMENT_ID", "ATTACH"),
            *("TEMPLATE_ID", "ownerTypeId", "ownerId", "deadline", "TASKID", "DIALOG_ID", "scope"),
            *("ITEMID", "IBLOCK_ID", "IBLOCK_TYPE_ID", "moduleId", "field", "rows", "items"),
            *("USERS", "CHAT_ID", "LAST_ID", "ENTITY_ID", "ENTITY_TYPE", "targetFolderId"),
            *("newName", "fileContent", "entityId", "value", "params", "FILTER", "ORDER", "LIST"),
        ]
    ),
    VALUES | FIELDS,
    max_size=5,
)


def refusal(portal, webhook, name, params):
    """Return the code that a call was refused with, or nothing."""
    try:
        run_method(portal, webhook, name, params)
    except RestError as error:
        return error.code
    return None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(params=PARAMS)
def test_no_parameters_break_a_method(params):
    """[issue: bad input] The answer Bitrix24 gives, never a 500 of its own."""
    portal = Portal()
    seed(portal, deals=2, contacts=2)
    webhook = portal.add_incoming()
    for name in METHODS:
        for sensible in ({}, {"entityTypeId": 2, "id": 1}, {"entityTypeId": 3, "taskId": 1}):
            assert refusal(portal, webhook, name, params | sensible) != "INTERNAL_SERVER_ERROR", (
                name
            )

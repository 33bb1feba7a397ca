"""relay.portal.answers: the code of an error decides its class."""

import json

import pytest

from relay.errors import MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal.answers import error_of, read_answer

T, P, O, A = TransientError, PermanentError, OperatorError, MayHaveRunError  # noqa: E741


# rest-protocol 3.1, 3.2 and 7, row by row: status, code, description, class.
ROWS = [
    (503, "QUERY_LIMIT_EXCEEDED", "Too many requests", T),
    (429, "OPERATION_TIME_LIMIT", "", T),
    (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload", O),
    (500, "INTERNAL_SERVER_ERROR", "Internal server error", A),
    (500, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", A),
    (200, "WRONG_ENCODING", "Wrong request encoding", A),
    (500, "PORTAL_DELETED", "Portal was deleted", O),
    (401, "NO_AUTH_FOUND", "Wrong authorization data", O),
    (401, "INVALID_CREDENTIALS", "Invalid request credentials", O),
    (403, "INVALID_CREDENTIALS", "Invalid request credentials", O),
    (401, "expired_token", "The access token provided has expired", O),
    (403, "insufficient_scope", "The request requires higher privileges", O),
    (200, "insufficient_scope", "", O),
    (403, "ACCESS_DENIED", "REST API is available only on commercial plans", O),
    (401, "ACCESS_DENIED", "REST is available only by subscription.", O),
    (400, "ACCESS_DENIED", "Access denied", P),
    (400, "ACCESS_DENIED", "Access denied! Application context required", P),
    (403, "user_access_error", "The user does not have access to the application", O),
    (400, "INVALID_REQUEST", "Https required.", O),
    (400, "INVALID_REQUEST", "Invalid request", P),
    (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", P),
    (400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", P),
    (404, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available", P),
    (404, "ERROR_METHOD_NOT_FOUND", "Method not found!", P),
    (403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method", P),
    (400, "AccessException", "Application context required", P),
    (403, "allowed_only_intranet_user", "", O),
    (401, "METHOD_CONFIRM_WAITING", "", O),
    (403, "METHOD_CONFIRM_DENIED", "", O),
    (401, "invalid_token", "", O),
    (401, "authorization_error", "", O),
    (401, "ERROR_OAUTH", "", O),
    (401, "APPLICATION_NOT_FOUND", "", O),
    (402, "PAYMENT_REQUIRED", "", O),
    (400, "CREATE_DYNAMIC_ITEM_RESTRICTED", "", O),
    (400, "UPDATE_DYNAMIC_ITEM_RESTRICTED", "", O),
    (400, "NOT_FOUND", "", P),
    (400, "INVALID_ARG_VALUE", "Invalid filter", P),
    (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", "", P),
    (400, "CRM_FIELD_ERROR_REQUIRED", "", P),
    (400, "ENTITY_TYPE_NOT_SUPPORTED", "", P),
    (400, "ERROR_CORE", "The title is empty<br>", P),
    (500, "ERROR_CORE", "SQL query error!", A),
    (200, "ERROR_CORE", "SQL query error!", A),
    (400, 400, "Mysql query error: (1213) Deadlock found when trying to get lock", A),
    (400, "0", "Pgsql query error: ERROR: deadlock detected", A),
    (400, "ERROR_CORE", "The title MySQL query is not allowed", P),
    (400, "ERROR_ARGUMENT", "", P),
    (400, "ERROR_NOT_FOUND", "", P),
    (400, "100", "Could not find value for parameter {fields}", P),
    (400, 0, "Invalid sorting key", P),
    (400, "", "Not found", P),
    (400, "", "Access denied", P),
    (400, "", "ID is not defined or invalid", P),
    (400, None, "Parameter 'fields' must be array.", P),
    (500, "", "something broke", A),
    (500, "", "", A),
    (200, "", "", A),
]


@pytest.mark.parametrize(("status", "code", "words", "kind"), ROWS)
def test_the_code_decides_the_class(status, code, words, kind):
    """The class follows from the code, whatever the HTTP status, and the error has the texts."""
    body = json.dumps({"error": code, "error_description": words}).encode()
    with pytest.raises(kind) as caught:
        read_answer("crm.deal.get", status, body)
    assert type(caught.value) is kind
    assert caught.value.method == "crm.deal.get"
    assert caught.value.code == ("" if code is None else str(code))
    assert words in caught.value.description


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_case_of_a_code_and_the_status_do_not_matter(status):
    """A code in lower case, and an error with status 200, give the same class."""
    with pytest.raises(TransientError):
        read_answer("x", status, b'{"error": "query_limit_exceeded"}')


@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize(
    "body", [b"<html>no</html>", b"", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"total": 1}']
)
def test_an_answer_that_cannot_be_read_may_have_run(status, body):
    """HTML, an empty or broken body and JSON without a result raise MayHaveRunError."""
    with pytest.raises(MayHaveRunError, match=f"UNREADABLE_ANSWER: .*HTTP {status}"):
        read_answer("crm.deal.add", status, body)


def test_a_body_that_the_web_server_refuses_is_permanent():
    """HTTP 413 raises PermanentError: the call never ran and never will."""
    with pytest.raises(PermanentError, match="REQUEST_TOO_LARGE"):
        read_answer("disk.folder.uploadfile", 413, b"<html>413</html>")


def test_errors_of_rest_3_are_read_too():
    """The code and message of a REST 3.0 error object are read."""
    error = {"code": "BITRIX_REST_V3_EXCEPTION_ENTITYNOTFOUNDEXCEPTION", "message": "no such task"}
    with pytest.raises(PermanentError, match="ENTITYNOTFOUNDEXCEPTION: no such task"):
        read_answer("tasks.task.get", 400, json.dumps({"error": error}).encode())


def test_a_command_may_fail_with_a_text_alone():
    """A text in place of an error object is the error's description."""
    assert str(error_of("crm.deal.get", "broken")) == "crm.deal.get: broken"


@pytest.mark.parametrize("result", [None, False, 0, "", [], {}, {"item": {"id": 5}}, ["a"]])
def test_any_json_value_may_be_a_result(result):
    """Null, booleans, numbers, texts, lists and objects are results."""
    assert read_answer("x", 200, json.dumps({"result": result}).encode()).result == result


@pytest.mark.parametrize("time", ["", ', "time": []', ', "time": null'])
def test_time_may_be_absent(time):
    """An answer without `time`, or with another shape of it, has an empty one."""
    assert read_answer("x", 200, b'{"result": 1%s}' % time.encode()).time == {}

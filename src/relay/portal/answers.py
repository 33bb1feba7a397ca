"""The answer of the REST API -> its result, or the error of relay.errors that its code means.

The error code decides the class (rest-protocol section 3). The description decides only if the code
is empty or has several meanings. The HTTP status decides only if there is neither: for an answer
without a code, or without JSON.
"""

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from relay.errors import CallError, MayHaveRunError, OperatorError, PermanentError, TransientError
from relay.portal.api import Json

# Codes of our own.
UNREADABLE = "UNREADABLE_ANSWER"  # the answer holds neither a result nor an error
TOO_LARGE = "REQUEST_TOO_LARGE"  # the web server in front of the portal refused the body

# In capitals: the portal writes the same code in different case (rest-protocol 3.1).
CLASSES: dict[str, type[CallError]] = {
    # The portal refused the call before it ran.
    "QUERY_LIMIT_EXCEEDED": TransientError,
    "OPERATION_TIME_LIMIT": TransientError,
    # The portal is blocked, deleted, or its plan does not allow the call.
    "OVERLOAD_LIMIT": OperatorError,
    "PORTAL_DELETED": OperatorError,
    "PAYMENT_REQUIRED": OperatorError,
    "CREATE_DYNAMIC_ITEM_RESTRICTED": OperatorError,
    "UPDATE_DYNAMIC_ITEM_RESTRICTED": OperatorError,
    # The webhook is wrong or expired, or lacks a right or a scope.
    "NO_AUTH_FOUND": OperatorError,
    "INVALID_CREDENTIALS": OperatorError,
    "EXPIRED_TOKEN": OperatorError,
    "INVALID_TOKEN": OperatorError,
    "AUTHORIZATION_ERROR": OperatorError,
    "ERROR_OAUTH": OperatorError,
    "APPLICATION_NOT_FOUND": OperatorError,
    "INSUFFICIENT_SCOPE": OperatorError,
    "USER_ACCESS_ERROR": OperatorError,
    "ALLOWED_ONLY_INTRANET_USER": OperatorError,
    "METHOD_CONFIRM_WAITING": OperatorError,
    "METHOD_CONFIRM_DENIED": OperatorError,
    # The portal failed while the call ran.
    "INTERNAL_SERVER_ERROR": MayHaveRunError,
    "ERROR_UNEXPECTED_ANSWER": MayHaveRunError,
    # It ran, and its answer, that of a whole batch too, can't be written as JSON.
    "WRONG_ENCODING": MayHaveRunError,
    UNREADABLE: MayHaveRunError,
    # Every other code means a mistake in the call: PermanentError.
}
# Codes with several meanings, and the words that make them one that stops every call: the portal's
# plan, to a webhook the subscription; a portal behind a proxy that no longer says that it was asked
# by https.
_EVERY_CALL = {
    "ACCESS_DENIED": re.compile("commercial plan|only by subscription", re.IGNORECASE),
    "INVALID_REQUEST": re.compile("https required", re.IGNORECASE),
}
# The portal's database failed, often for a moment (a deadlock, a restart, no connection left). The
# core gives it codes that stand for mistakes in the call too: ERROR_CORE and "SQL query error!"
# (`RestException::initFromException`), 400 and "Mysql query error: (1213) …" (`Engine\Controller`).
_DATABASE = re.compile(r"\b(my|pg)?sql (query|connect) error", re.IGNORECASE)
# Advice that the portal's description lacks.
REMEDIES = {"WRONG_AUTH_TYPE": "only an application may call this method, no webhook may"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The `result` of a request and its `time` (seconds and limits; {} if the portal sent none)."""

    result: Json
    time: dict[str, Json] = field(default_factory=dict)


def read_answer(method: str, status: int, body: bytes | bytearray) -> Answer:
    """Return the result in the body of an HTTP answer; raises the CallError that it means."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise PermanentError(method, TOO_LARGE, "the portal's web server refuses this size")
        raise MayHaveRunError(method, UNREADABLE, f"not JSON, HTTP {status}")
    if "error" in answer:
        raise error_of(method, answer, status)
    if "result" not in answer:
        raise MayHaveRunError(method, UNREADABLE, f"JSON without a result, HTTP {status}")
    time = answer.get("time")
    return Answer(answer["result"], time if isinstance(time, dict) else {})


def error_of(method: str, answer: Json, status: int = HTTPStatus.OK) -> CallError:
    """Return the error that `{"error": code, "error_description": text}` means."""
    if not isinstance(answer, dict):  # a failed command of a batch may be a text
        return error_of(method, {"error_description": answer})
    error, message = answer.get("error"), answer.get("error_description")
    if isinstance(error, dict):  # REST 3.0
        message, error = error.get("message"), error.get("code")
    code, description = _text(error), _text(message)
    if not code and (status >= HTTPStatus.INTERNAL_SERVER_ERROR or not description):
        description = description or f"an error without a code, HTTP {status}"
        return MayHaveRunError(method, code, description)
    if _DATABASE.search(description):
        return MayHaveRunError(method, code, description)
    words = _EVERY_CALL.get(code.upper())
    if words and words.search(description):
        return OperatorError(method, code, description)
    texts = (description, REMEDIES.get(code.upper()))
    description = "; ".join(text for text in texts if text)
    return CLASSES.get(code.upper(), PermanentError)(method, code, description)


def _text(value: Json) -> str:
    return "" if value is None else str(value)

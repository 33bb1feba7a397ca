"""What the REST API answered -> a result, or the error of the tree that its code means.

The code decides the class (rest-protocol section 3). What the portal says in words decides only
where the code is empty or stands for several things. The HTTP status decides only where there is
neither: of an answer without a code, or without JSON.
"""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from relay.errors import (
    CallError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)

UNREADABLE = "UNREADABLE_ANSWER"  # ours: neither a result nor an error could be read
TOO_LARGE = "REQUEST_TOO_LARGE"  # ours: the web server before the portal refused the body

# Compared in capitals: codes arrive in mixed case (rest-protocol 3.1).
CLASSES: dict[str, type[CallError]] = {
    # Refused before execution.
    "QUERY_LIMIT_EXCEEDED": TransientError,
    "OPERATION_TIME_LIMIT": TransientError,
    # Blocked by hand, deleted, or the portal's plan.
    "OVERLOAD_LIMIT": OperatorError,
    "PORTAL_DELETED": OperatorError,
    "PAYMENT_REQUIRED": OperatorError,
    "CREATE_DYNAMIC_ITEM_RESTRICTED": OperatorError,
    "UPDATE_DYNAMIC_ITEM_RESTRICTED": OperatorError,
    # The webhook: wrong, expired, its owner or its scopes.
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
    # Broke down on the way.
    "INTERNAL_SERVER_ERROR": MayHaveRunError,
    "ERROR_UNEXPECTED_ANSWER": MayHaveRunError,
    # Ours.
    UNREADABLE: MayHaveRunError,
    # Every other code names what is wrong with the call: PermanentError.
}
# What to do, where the portal's words don't say it.
REMEDIES = {
    "WRONG_AUTH_TYPE": "only an application may call this method, no webhook may",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A result with what stands beside it; `time` is {} where the portal sends none."""

    result: Any
    time: dict[str, Any] = field(default_factory=dict)


def read_answer(method: str, status: int, body: bytes | bytearray) -> Answer:
    """Return what an HTTP answer holds; raises the error that it means."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise _no_json(method, status)
    if "error" in answer:
        raise error_of(method, answer, status)
    if "result" not in answer:
        raise MayHaveRunError(method, UNREADABLE, f"JSON without a result, HTTP {status}")
    time = answer.get("time")
    return Answer(answer["result"], time if isinstance(time, dict) else {})


def error_of(method: str, said: Any, status: int = HTTPStatus.OK) -> CallError:
    """Return the error that `{"error": …, "error_description": …}` means."""
    if not isinstance(said, dict):
        said = {"error": "", "error_description": said}
    code: Any = said.get("error")
    words: Any = said.get("error_description")
    if isinstance(code, dict):  # REST 3.0
        code, words = code.get("code"), code.get("message")
    code, words = _text(code), _text(words)
    if not code and (status >= HTTPStatus.INTERNAL_SERVER_ERROR or not words):
        return MayHaveRunError(method, code, words or f"an error without a code, HTTP {status}")
    # One code for "the portal's plan has no REST" and "not this item"; only the first concerns
    # every call.
    if code.upper() == "ACCESS_DENIED" and "commercial plan" in words.lower():
        return OperatorError(method, code, words)
    said = "; ".join(part for part in (words, REMEDIES.get(code.upper())) if part)
    return CLASSES.get(code.upper(), PermanentError)(method, code, said)


def _no_json(method: str, status: int) -> CallError:
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PermanentError(method, TOO_LARGE, "the portal's web server takes no body this large")
    return MayHaveRunError(method, UNREADABLE, f"not JSON, HTTP {status}")


def _text(value: Any) -> str:
    return "" if value is None else str(value)

"""REST 3.0, as far as a webhook meets it: `/rest/api/<user>/<secret>/<method>` [rest-v3.md]."""

from http import HTTPStatus
from typing import Any

from local.portal.call import METHODS
from local.portal.errors import RestError
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook

_PREFIX = "BITRIX_REST_V3_EXCEPTION_"
# v3 exists for tasks, not for CRM; these are enough to meet its shapes
_METHODS = {
    "tasks.task.get": "tasks.task.get",
    "tasks.task.add": "tasks.task.add",
    "tasks.task.list": "tasks.task.list",
    "server.time": "server.time",
}
_CODES = {
    "NO_AUTH_FOUND": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "INVALID_CREDENTIALS": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "INVALID_REQUEST": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "expired_token": ("ACCESSDENIEDEXCEPTION", HTTPStatus.UNAUTHORIZED),
    "insufficient_scope": ("INSUFFICIENTSCOPEEXCEPTION", HTTPStatus.FORBIDDEN),
    "ERROR_METHOD_NOT_FOUND": ("METHODNOTFOUNDEXCEPTION", HTTPStatus.NOT_FOUND),
    "0": ("ENTITYNOTFOUNDEXCEPTION", HTTPStatus.BAD_REQUEST),
    "100": ("VALIDATION_REQUESTVALIDATIONEXCEPTION", HTTPStatus.BAD_REQUEST),
}


def error_body(error: RestError) -> Row:
    """Wrap an error as v3 does; codes unknown to it stay as they are."""
    code = _CODES.get(str(error.code))
    name = _PREFIX + code[0] if code else error.code
    return {"error": {"code": name, "message": error.text, "validation": []}}


def status(error: RestError) -> int:
    """The status of an error in v3."""
    code = _CODES.get(str(error.code))
    return code[1] if code else error.status


def run(portal: Portal, webhook: IncomingWebhook, name: str, params: Any) -> Row:
    """Run one method or a batch, which is a root array of `{method, query}` here."""
    if name.lower() == "batch":
        rows = [row for _, row in entries(params) if isinstance(row, dict)]
        if not isinstance(params, list):
            raise RestError(_PREFIX + "INVALIDSELECTEXCEPTION", "Invalid select", 400)
        return {
            "result": [
                _one(portal, webhook, str(row.get("method")), row.get("query") or {})["result"]
                for row in rows
            ]
        }
    return _one(portal, webhook, name, params)


def _one(portal: Portal, webhook: IncomingWebhook, name: str, params: Any) -> Row:
    old = _METHODS.get(name.lower())
    if old is None or old not in METHODS:
        raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found", HTTPStatus.NOT_FOUND)
    if old == "tasks.task.get" and isinstance(params, dict):
        params = {"taskId": params.get("id"), "select": params.get("select") or ["*"]}
    answer = run_method(portal, webhook, old, params)
    result = answer["result"]
    if isinstance(result, dict) and "task" in result:
        result = {"item": result["task"]}
    elif isinstance(result, dict) and "tasks" in result:
        result = {"items": [{"id": int(task["id"])} for task in result["tasks"]]}
    else:
        result = {"result": result}
    return {"result": result, "time": answer["time"]}

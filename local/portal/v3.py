"""REST 3.0, as far as a webhook meets it: `/rest/api/<user>/<secret>/<method>` [rest-v3.md].

Tasks live there, CRM doesn't. A body is JSON, the query string is not read, errors are objects,
a batch is a list of calls that succeeds or fails as a whole.
"""

import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from local.portal import call_log
from local.portal.errors import RestError
from local.portal.params import read_body
from local.portal.php import entries
from local.portal.portal import Portal
from local.portal.replays import HEADER, REPEATED, is_write
from local.portal.run import time_block
from local.portal.table import Row
from local.portal.v3_errors import V3Error, unknown_method
from local.portal.v3_log import LOG_METHODS
from local.portal.v3_results import RESULT_METHODS
from local.portal.v3_tasks import METHODS, V3Call
from local.portal.webhooks import IncomingWebhook

_MAX_COMMANDS = 50
METHODS |= LOG_METHODS | RESULT_METHODS


def _refuse(name: str) -> None:
    raise ValueError(name)  # NaN and such are not JSON


async def _read_body(request: Request) -> Any:
    """The JSON of a request, `{}` where it has no body; INVALIDJSONEXCEPTION for anything else."""
    raw = await read_body(request)
    if not raw:
        return {}
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict | list):
        raise V3Error("INVALIDJSONEXCEPTION", "The request body is not valid JSON")
    return value


async def respond(
    portal: Portal, request: Request, webhook: IncomingWebhook, name: str, record: Row
) -> tuple[Row, dict[str, str]]:
    """Answer with a body and headers; a write with a key that was used is not repeated."""
    params = await _read_body(request)
    call_log.note(record, request, params)
    if name.lower() == "batch":
        record["commands"] = len(params)
    key = request.headers.get(HEADER)
    if key is None or not is_write(name):
        return _run(portal, webhook, name, params), {}
    place = (webhook.secret, name.lower(), key)
    now = portal.clock.now()
    kept = portal.replays.find(place, params, now)
    if kept is not None:
        return kept, {HEADER: key, REPEATED: "true"}
    body = _run(portal, webhook, name, params)
    portal.replays.keep(place, params, now, body)
    return body, {HEADER: key}


def _run(portal: Portal, webhook: IncomingWebhook, name: str, params: Any) -> Row:
    """Run one method, or a batch: an array of `{method, query}`, or an object of such."""
    started = portal.clock.now()
    if name.lower() == "batch":
        result: Any = _batch(portal, webhook, params)
    else:
        result = _one(portal, webhook, name, params)
    return {"result": result, "time": time_block(portal, webhook, name.lower(), started, 0.0)}


def _batch(portal: Portal, webhook: IncomingWebhook, params: Any) -> list[Any]:
    calls = [call for _, call in entries(params)]
    if not calls or not all(isinstance(call, dict) and "method" in call for call in calls):
        raise V3Error("INVALIDSELECTEXCEPTION", "Unable to recognize the selection")
    if len(calls) > _MAX_COMMANDS:
        raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    results: list[Any] = []
    context: dict[str, Any] = {}
    for at, call in enumerate(calls):
        query = _put_in(call.get("query") or {}, context)
        results.append(_one(portal, webhook, str(call["method"]), query))
        context[str(call.get("as") or at)] = results[-1]
    return results


def _put_in(value: Any, context: Row) -> Any:
    """Replace `{"$ref": path}` and `{"$refArray": alias.field}` by what earlier calls gave [JS]."""
    if isinstance(value, list):
        return [_put_in(one, context) for one in value]
    if not isinstance(value, dict):
        return value
    if "$refArray" in value:
        alias, _, name = str(value["$refArray"]).partition(".")
        items = context.get(alias, {}).get("items")
        if not name or items is None:
            raise V3Error("INVALIDSELECTEXCEPTION", "Unable to recognize the reference")
        return [item.get(name) for item in items]
    if "$ref" in value:
        found: Any = context
        for step in str(value["$ref"]).split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found
    return {key: _put_in(one, context) for key, one in value.items()}


def _one(portal: Portal, webhook: IncomingWebhook, name: str, params: Any) -> Any:
    found = METHODS.get(name.lower())
    if found is None:
        raise unknown_method(name)
    if not webhook.may("main" if name.lower() in LOG_METHODS else "task|tasks"):
        text = "The request requires higher privileges than provided by the webhook token"
        raise V3Error("INSUFFICIENTSCOPEEXCEPTION", text, HTTPStatus.FORBIDDEN)
    return found(V3Call(portal, webhook, params if isinstance(params, dict) else {}))


def error_body(error: RestError) -> Row:
    """Wrap an error as v3 does; codes that v3 has not stay as they are."""
    code = V3Error.of(error)
    body: Row = {"code": code.name, "message": error.text}
    if code.fields:
        body["validation"] = [{"message": text, "field": name} for name, text in code.fields]
    return {"error": body}


def status(error: RestError) -> int:
    """The status of an error in v3."""
    return V3Error.of(error).status

"""`/rest/<user>/<secret>/<method>`: who may, how often, and in which shape the answer goes out."""

import json
import time
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

import local.portal.methods  # noqa: F401  importing them registers them
from local.portal import call_log, v3
from local.portal.batch import CutOffError, FatalError, pause, run_batch
from local.portal.call import ELSEWHERE
from local.portal.errors import RestError
from local.portal.faults import ERRORS, TRANSPORT, Fault, pick
from local.portal.params import BodyTooLargeError, read_params
from local.portal.php import entries, to_xml
from local.portal.portal import Portal
from local.portal.run import find_method, refuse, run_method, unknown_method
from local.portal.spoil import page, spoil
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook


def json_answer(body: Any, status: int = 200, *, xml: bool = False) -> Response:
    """JSON in any case: one client raises on another content type [FB]."""
    if xml:
        return Response(to_xml(body), status, media_type="text/xml")
    return Response(json.dumps(body, separators=(",", ":")), status, media_type="application/json")


def split_path(path: str) -> tuple[str, str, str]:
    """User, secret and method; all that remains is read as a method where a part is missing."""
    segments = [one for one in path.strip("/").split("/") if one]
    if len(segments) >= 3 and segments[0].isdigit():  # noqa: PLR2004  user, secret, method
        return segments[0], segments[1], "/".join(segments[2:])
    if len(segments) == 2 and segments[0].isdigit():  # noqa: PLR2004  the webhook's own address
        return segments[0], segments[1], ""
    return "", "", "/".join(segments)


async def answer(portal: Portal, request: Request, path: str) -> Response:
    """Answer one REST request."""
    started = time.perf_counter()
    is_v3 = path.startswith("api/")
    user, secret, method = split_path(path.removeprefix("api/") if is_v3 else path)
    xml = method.endswith(".xml")
    method = method.removesuffix(".json").removesuffix(".xml").strip("/")
    portal.activity.requests += 1
    portal.strip.count("requests")
    shown = method if user else method.rpartition("/")[2]  # the rest may be a secret
    record: Row = {"time": portal.clock.now(), "method": shown, "commands": 1, "user": user}
    record["agent"] = request.headers.get("user-agent", "")[:120]
    call_log.begin(portal, record)
    moved = portal.former_domains.get(request.headers.get("host", ""))
    if moved:  # POSTs must be sent again by the caller [change-domen.md]
        target = str(request.url.replace(netloc=moved))
        return Response(status_code=HTTPStatus.FOUND, headers={"Location": target})
    try:
        response = await _respond(
            portal, request, (user, secret, method), record, xml=xml, is_v3=is_v3
        )
    except RestError as error:
        if error.code == "QUERY_LIMIT_EXCEEDED":
            portal.strip.count("refused")
        record["error"] = error.code
        record["absent"] = method.lower() in ELSEWHERE  # Bitrix24 has it, and it is not simulated
        body = v3.error_body(error) if is_v3 else error.to_dict()
        response = json_answer(body, v3.status(error) if is_v3 else error.status, xml=xml)
    except BodyTooLargeError:
        response = page(413, "413 Request Entity Too Large")
    except FatalError:
        response = page(500, "500 Internal Server Error")
    except CutOffError:
        response = page(504, "504 Gateway Time-out")
    record["status"] = response.status_code
    record["seconds"] = round(time.perf_counter() - started, 4)
    call_log.end(portal, record, response)
    portal.strip.count("commands", record["commands"])
    return response


async def _respond(  # noqa: PLR0913  all of one request
    portal: Portal,
    request: Request,
    address: tuple[str, str, str],
    record: Row,
    *,
    xml: bool,
    is_v3: bool,
) -> Response:
    user, secret, method = address
    settings = portal.settings
    if not portal.bucket.admit(time.monotonic(), settings.burst, settings.rate):
        raise refuse("rate")
    if settings.https_required and request.url.scheme != "https":
        raise refuse("https")
    if not user and method:
        raise unknown_method(portal)
    webhook = authorize(portal, user, secret)
    if not settings.rest_available:
        raise refuse("plan")
    params = {} if is_v3 else await read_params(request)
    call_log.note(record, request, params)
    if fault := pick(portal, TRANSPORT, method.lower(), "before"):
        broken = await spoil(fault, request, None)
        if broken is not None:
            return broken
    headers: dict[str, str] = {}
    if is_v3:  # it reads the body in its own way
        body, headers = await v3.respond(portal, request, webhook, method, record)
    elif method.lower() == "batch":
        body = await _batch(portal, webhook, params, record)
    else:
        find_method(portal, webhook, method)
        await pause(portal, time.perf_counter())
        body = run_method(portal, webhook, method, params)
    response = json_answer(body, xml=xml)
    response.headers.update(headers)
    if fault := pick(portal, TRANSPORT, method.lower(), "after"):
        broken = await spoil(fault, request, response)
        return broken or response
    return response


async def _batch(portal: Portal, webhook: IncomingWebhook, params: Any, record: Row) -> Row:
    given = {str(name).lower(): value for name, value in entries(params)}
    commands = [str(command).partition("?")[0] for _, command in entries(given.get("cmd"))]
    record["commands"] = len(commands)
    record["names"] = sorted(set(commands))[:5]
    _fault_on_batch(portal, "before")
    body = await run_batch(portal, webhook, params)
    _fault_on_batch(portal, "after")
    return body


def authorize(portal: Portal, user: str, secret: str) -> IncomingWebhook:
    """Find the webhook of the address; the pair is the credential."""
    webhook = portal.incoming.get(secret)
    if webhook is None or str(webhook.made_by or webhook.user) != user.lstrip("0"):
        kind = "no_auth" if portal.settings.auth_error == "NO_AUTH_FOUND" else "invalid_credentials"
        raise refuse(kind)
    if webhook.expires is not None and portal.clock.now() >= webhook.expires:
        kinds = {"NO_AUTH_FOUND": "no_auth", "INVALID_CREDENTIALS": "invalid_credentials"}
        raise refuse(kinds.get(portal.settings.expired_error, "expired"))
    owner = portal.users.get(webhook.user)
    if owner is None or not owner["active"]:
        raise refuse("dismissed")
    return webhook


def _fault_on_batch(portal: Portal, when: str) -> None:
    """Errors of the request itself: those that name `batch`, and those that block everything."""
    whole = (fault for fault in portal.faults if fault.kind in ERRORS)
    rows = (one for one in whole if one.method.lower() == "batch" or _whole_request(one))
    fault = next((one for one in rows if one.strikes("batch", when, portal.random)), None)
    if fault is not None:
        raise fault.error("batch")


def _whole_request(fault: Fault) -> bool:
    """Rate, overload, authorization: never an answer of one command."""
    status = ERRORS[fault.kind][0]
    inner = {"operating", "scope", "wrong_auth_type", "access_denied", "not_found", "core"}
    return fault.method == "*" and fault.kind not in inner and status != HTTPStatus.BAD_REQUEST

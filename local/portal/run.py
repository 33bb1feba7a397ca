"""Running one method: scope, rights to it, faults, limits, time."""

import sys
import time
import traceback
from http import HTTPStatus
from typing import Any

from local.portal.call import METHODS, Call, Method
from local.portal.errors import RestError
from local.portal.faults import ERRORS, pick
from local.portal.listing import Page
from local.portal.parameters import check_parameters
from local.portal.php import entries, int_or_none
from local.portal.portal import Portal
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook

_READ_MARKS = 100  # more items in one answer is a sweep, not a look at an event's item


def unknown_method(portal: Portal) -> RestError:
    """What a method that does not exist gets."""
    status = portal.settings.method_not_found_status
    return RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", status)


def find_method(portal: Portal, webhook: IncomingWebhook, name: str) -> Method:
    """Look a method up; unknown ones and those outside the webhook's scopes are refused."""
    found = METHODS.get(name.lower())
    if found is None:
        raise unknown_method(portal)
    if not webhook.may(found.scope):
        raise refuse("scope")
    return found


def run_method(
    portal: Portal, webhook: IncomingWebhook, name: str, params: Any, *, in_batch: bool = False
) -> Row:
    """Run a method and answer with `result`, `total`, `next` and `time`; RestError says no."""
    started = portal.clock.now()
    clock = time.perf_counter()
    method = find_method(portal, webhook, name)
    key = method.name.lower()
    check_operating(portal, webhook, key, in_batch=in_batch)
    if fault := pick(portal, ERRORS, key, "before"):
        raise _fault_error(portal, fault, key)
    call = Call(portal, webhook, _bind(method, params))
    try:
        check_parameters(call, key)
        result = method.run(call)
    except RestError:
        raise
    except Exception as bug:  # a hole in the simulation answers as the portal's own failures do
        traceback.print_exc(file=sys.stderr)
        raise refuse("server_error") from bug
    if fault := pick(portal, ERRORS, key, "after"):
        raise _fault_error(portal, fault, key)
    answer: Row = {"result": result}
    if isinstance(result, Page):
        answer = {"result": result.result}
        if result.next is not None:
            answer["next"] = result.next
        answer["total"] = result.total
    if len(call.touched) <= _READ_MARKS:
        for step, subject in call.touched:
            portal.strip.saw(subject, step, started, {"method": method.name})
    spent = time.perf_counter() - clock
    charge(portal, webhook, key, spent, in_batch=in_batch)
    answer["time"] = time_block(portal, webhook, key, started, spent, in_batch=in_batch)
    return answer


def _fault_error(portal: Portal, fault: Any, method: str) -> RestError:
    error: RestError = fault.error(method)
    if error.code == "PORTAL_DELETED":
        error.status = portal.settings.portal_deleted_status
    return error


def _bind(method: Method, params: Any) -> Any:
    """Bind arguments by their order where a method does so; the names must fit the order.

    [JS, PHP] Extra query parameters before the body shift the arguments of `task.*` calls.
    """
    given = entries(params)
    if not method.positional:
        return dict(given) if isinstance(params, list) else params
    bound: Row = {}
    for at, ((key, value), name) in enumerate(zip(given, method.positional, strict=False)):
        plain = name.rstrip("*")
        if not key.isdigit() and key.lower() != plain.lower():
            raise _wrong_arguments(method, at, plain, f'must not contain key "{key}"')
        bound[plain] = value
    for at, name in enumerate(method.positional):
        if name.endswith("*") and bound.get(name.rstrip("*")) is None:
            raise _wrong_arguments(method, at, name.rstrip("*"), "")
    _check_numbers(method, bound)
    return bound


def _check_numbers(method: Method, bound: Row) -> None:
    """Checklists and comments want whole numbers [tasks/checklist-item/, tasks/comment-item/]."""
    if not method.name.lower().startswith(("task.checklistitem.", "task.commentitem.")):
        return
    for at, (name, value) in enumerate(bound.items()):
        if name.upper().endswith("ID") and value is not None:
            number = int_or_none(value)
            if number is None:
                problem = 'expected to be of type "integer", but given something else'
                raise _wrong_arguments(method, at, name, problem)
            if number < 1 and method.name.lower().endswith(("complete", "renew", "actionallowed")):
                raise RestError("ERROR_CORE", "TASKS_ERROR_ASSERT_EXCEPTION<br>")


def _wrong_arguments(method: Method, at: int, name: str, problem: str) -> RestError:
    steps = method.name.lower().split(".")
    call = f"c{''.join(steps[:-1])}::{steps[-1]}()"
    words = {"taskid": "taskId", "itemid": "itemId", "actionid": "actionId", "order": "arOrder"}
    argument = words.get(name.lower(), name)
    text = f"Param #{at} ({argument}) expected by method {call}, but not given."
    if problem:
        text = f"Param #{at} ({argument}) for method {call} {problem}."
    return RestError(
        "ERROR_CORE", f"TASKS_ERROR_EXCEPTION_#256; {text}; 256/TE/WRONG_ARGUMENTS<br>"
    )


def check_operating(portal: Portal, webhook: IncomingWebhook, name: str, *, in_batch: bool) -> None:
    """Refuse a method whose time is used up; the call that crosses the limit still ran."""
    settings = portal.settings
    if settings.operating_limit <= 0 or (in_batch and settings.batch_accounting == "batch"):
        return
    total = portal.operating.of(webhook.secret, name).total(portal.clock.now())
    if total >= settings.operating_limit:
        raise refuse("operating")


def charge(
    portal: Portal, webhook: IncomingWebhook, name: str, seconds: float, *, in_batch: bool = False
) -> None:
    """Add an execution to its baskets."""
    settings = portal.settings
    seconds += settings.operating_cost + settings.command_seconds
    if seconds < settings.operating_floor:
        return
    whole = in_batch and settings.batch_accounting == "batch"
    key = "batch" if whole else name
    portal.operating.of(webhook.secret, key).add(portal.clock.now(), seconds)


def time_block(  # noqa: PLR0913  what the block is made of
    portal: Portal,
    webhook: IncomingWebhook,
    name: str,
    started: float,
    processing: float,
    *,
    in_batch: bool = False,
) -> Row:
    """The `time` of an answer [api-reference/data-types.md]."""
    finished, begun = portal.clock.now(), int(started)
    block: Row = {
        "start": begun,
        "finish": round(finished, 6),
        "duration": round(finished - begun, 8),
        "processing": round(processing, 8),
        "date_start": portal.clock.stamp(started),
        "date_finish": portal.clock.stamp(finished),
    }
    settings = portal.settings
    if settings.operating_shown:
        whole = in_batch and settings.batch_accounting == "batch"
        baskets = portal.operating.of(webhook.secret, "batch" if whole else name)
        block["operating_reset_at"] = baskets.reset_at(finished)
        block["operating"] = round(baskets.total(finished), 8)
    return block


def refuse(kind: str) -> RestError:
    """An error of the table."""
    status, code, text = ERRORS[kind]
    return RestError(code, text, HTTPStatus(status))

"""`batch`: up to 50 commands in one request, later ones may use earlier results [batch.md]."""

import asyncio
import time
from typing import Any

from local.portal.call import METHODS, Call, Method
from local.portal.errors import RestError
from local.portal.php import entries, parse_query, php_array
from local.portal.portal import Portal
from local.portal.references import put_in
from local.portal.run import charge, check_operating, run_method, time_block
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook

MAX_COMMANDS = 50
_ALONE = {"disk.storage.uploadfile", "disk.folder.uploadfile"}  # files don't come in batches
_SECTIONS = ("result", "result_error", "result_total", "result_next", "result_time")


class FatalError(Exception):
    """PHP ends the request: what ran stays done, the web server answers 500."""


class CutOffError(Exception):
    """The 60 seconds of a request are over; what ran stays done [limits.md]."""


def _nested(_call: Call) -> Row:
    raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")


METHODS["batch"] = Method("batch", "basic", _nested)


async def run_batch(portal: Portal, webhook: IncomingWebhook, params: Any) -> Row:
    """Run the commands in order; the request succeeds even if all of them fail."""
    started, clock = portal.clock.now(), time.perf_counter()
    params = {str(name).lower(): value for name, value in entries(params)}
    commands = entries(params.get("cmd"))
    halt = str(params.get("halt", "")).lower() in {"1", "true", "y"}
    if portal.settings.batch_accounting == "batch":
        check_operating(portal, webhook, "batch", in_batch=False)
    if len(commands) > MAX_COMMANDS and portal.settings.batch_overflow == "request":
        raise _too_many()
    sections: dict[str, Row] = {name: {} for name in _SECTIONS}
    for index, (key, command) in enumerate(commands):
        await pause(portal, clock)
        try:
            answer = _command(portal, webhook, str(command), sections, index)
        except RestError as error:
            bare = {"error_description": ""} if error.code == "insufficient_scope" else {}
            sections["result_error"][key] = error.to_dict() | bare  # [batch.md] without a text
            if halt:
                break
            continue
        sections["result"][key] = answer["result"]
        sections["result_time"][key] = answer["time"]
        for name in ("total", "next"):
            if name in answer:
                sections[f"result_{name}"][key] = answer[name]
    spent = time.perf_counter() - clock
    if portal.settings.batch_accounting == "batch":
        charge(portal, webhook, "batch", 0.0)
    return {
        "result": {name: php_array(section) for name, section in sections.items()},
        "time": time_block(portal, webhook, "batch", started, spent),
    }


def _command(
    portal: Portal, webhook: IncomingWebhook, command: str, sections: Row, index: int
) -> Row:
    if index >= MAX_COMMANDS:
        raise _too_many()
    name, _, query = command.partition("?")
    name = name.strip().strip("/").removesuffix(".json")
    if name.lower() in _ALONE:
        raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
    named = {name.removeprefix("result_"): section for name, section in sections.items()}
    try:
        params = put_in(parse_query(query), named)
    except TypeError as trap:
        raise FatalError from trap
    return run_method(portal, webhook, name, params, in_batch=True)


def _too_many() -> RestError:
    return RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")


async def pause(portal: Portal, clock: float) -> None:
    """Let a command take its time, until the request is cut off."""
    settings = portal.settings
    if settings.command_seconds:
        left = settings.cutoff_seconds - (time.perf_counter() - clock)
        if settings.command_seconds > left:
            await asyncio.sleep(max(0.0, left))
            raise CutOffError
        await asyncio.sleep(settings.command_seconds)

"""How a write is sent, alone or as a batch; what is kept of it; whether it may be sent twice."""

import json
from collections.abc import Mapping
from typing import Any

from relay.errors import (
    CallError,
    DivergedError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.portal import PortalApi
from relay.portal.batch import BATCH
from relay.portal.http import ANSWER_TOO_LARGE, NOT_CONNECTED
from relay.portal.idempotent import is_idempotent, is_read
from relay.portal.ids import Kept, ids_of
from relay.portal.references import resolve

MOST_SAID = 500  # characters of a command's error
type Commands = Mapping[str, tuple[str, Mapping[str, Any]]]
# Other codes of a TransientError stand for a lost answer of a harmless call (relay.portal.retry).
_NOT_SENT = {
    NOT_CONNECTED, "NO_SLOT", "NO_TIME", "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT"
}  # fmt: skip


async def send(portal: PortalApi, method: str, params: Mapping[str, Any]) -> Any:
    """Send a write; return its result, reduced to ids."""
    if method == BATCH:
        return await _run_batch(portal, params)
    return ids_of(await portal.call(method, **params))


def stored(method: str, params: Mapping[str, Any], result: Any) -> str:
    """Return what is stored of a write's result: of a batch's reads that they were answered."""
    if method == BATCH:
        reads = _reads(params["commands"])
        kept = {name: None if name in reads else its for name, its in result["results"].items()}
        result = result | {"results": kept}
    return json.dumps(result, ensure_ascii=False, default=str)


async def replay(portal: PortalApi, method: str, params: Mapping[str, Any], text: str) -> Any:
    """Return the result of a write that was done before; a batch's reads are asked anew.

    What the version before this one has stored are whole results.
    """
    result = json.loads(text)
    if method != BATCH:
        return ids_of(result)
    commands, errors = params["commands"], result["errors"]
    results = {name: ids_of(its) for name, its in result["results"].items()}
    if other := sorted(commands.keys() ^ (results.keys() | errors.keys())):
        raise DivergedError(
            f"a batch has other commands than on its first run: {', '.join(other)}; what that run "
            "did stays done"
        )
    reads = {name: its for name, its in _reads(commands).items() if name in results}
    written = Kept((name, its) for name, its in results.items() if name not in reads)
    asked = {name: (its, _filled(name, given, written)) for name, (its, given) in reads.items()}
    if asked:
        results |= await portal.batch(asked, halt=params["halt"], return_errors=True)
    return {"results": results, "errors": errors}


def _filled(name: str, params: Mapping[str, Any], written: Kept) -> Any:
    """Return a read's parameters with the ids that they refer to."""
    filled = resolve(params, written)
    waiting = [filled]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Kept):
            raise PermanentError(
                BATCH,
                "NOT_KEPT",
                f"{name} refers to more of a write's result than its id, and only ids are kept for "
                "a repeat; read it with a call of its own",
            )
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return filled


def _reads(commands: Commands) -> Commands:
    return {name: command for name, command in commands.items() if is_read(command[0])}


async def _run_batch(portal: PortalApi, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a batch; raise its error if none of it ran, or if that is not known."""
    outcomes = await portal.batch(**params, return_errors=True)
    errors = {name: its for name, its in outcomes.items() if isinstance(its, CallError)}
    for error in errors.values():
        if isinstance(error, MayHaveRunError) or len(errors) == len(outcomes):
            raise error
    reads = _reads(params["commands"])
    return {
        "results": {
            name: its if name in reads else ids_of(its)
            for name, its in outcomes.items()
            if name not in errors
        },
        "errors": {
            name: [e.method, e.code, e.description[:MOST_SAID]] for name, e in errors.items()
        },
    }


def is_harmless_write(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether running a write twice leaves the portal as running it once does."""
    if method == BATCH:
        return all(is_idempotent(name, its) for name, its in params["commands"].values())
    return is_idempotent(method, params)


def was_not_sent(error: BaseException) -> bool:
    """Say whether a write that failed so has certainly changed nothing: not sent, or refused."""
    if isinstance(error, TransientError):
        return error.code.upper() in _NOT_SENT
    return isinstance(error, (OperatorError, PermanentError)) and error.code != ANSWER_TOO_LARGE

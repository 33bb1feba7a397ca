"""How a write is sent, alone or as a batch; what is kept of it; whether it may be repeated."""

import json

from relay.echo.calls import BatchResult, Call
from relay.errors import (
    CallError,
    DivergedError,
    MayHaveRunError,
    OperatorError,
    PermanentError,
    TransientError,
)
from relay.portal import PortalApi
from relay.portal.api import Params
from relay.portal.batch import BATCH
from relay.portal.http import ANSWER_TOO_LARGE
from relay.portal.idempotent import is_idempotent
from relay.portal.ids import Kept, ids_of
from relay.portal.references import resolve, walk
from relay.portal.retry import NOT_RUN

DESCRIPTION_LETTERS = 500  # of a refused command's error, at most


async def send(portal: PortalApi, call: Call) -> object:
    """Send a write; return its result as it was answered, of a batch a BatchResult."""
    if not call.commands:
        return await portal.call(call.method, **call.params)
    halt = bool(call.params["halt"])
    outcomes = await portal.batch(call.commands, halt=halt, return_errors=True)
    errors = {name: one for name, one in outcomes.items() if isinstance(one, CallError)}
    for error in errors.values():
        if isinstance(error, MayHaveRunError) or len(errors) == len(outcomes):
            raise error
    results = {name: result for name, result in outcomes.items() if name not in errors}
    refused = {
        name: [error.method, error.code, error.description[:DESCRIPTION_LETTERS]]
        for name, error in errors.items()
    }
    return BatchResult(results, refused)


def reduced(call: Call, answered: object) -> object:
    """Return what a reaction gets of a result: ids, and what a batch has read."""
    if not isinstance(answered, BatchResult):
        return ids_of(answered)
    reads = call.reads()
    results = {
        name: result if name in reads else ids_of(result)
        for name, result in answered.results.items()
    }
    return BatchResult(results, answered.errors)


def to_text(call: Call, result: object) -> str:
    """Return the text that is stored of a write's result; of reads only that they were answered."""
    if isinstance(result, BatchResult):
        reads = dict.fromkeys(result.results.keys() & call.reads())
        result = {"results": result.results | reads, "errors": result.errors}
    return json.dumps(result, ensure_ascii=False, default=str)


async def replay(portal: PortalApi, call: Call, text: str) -> object:
    """Return the result of a write from its stored text; a batch's reads are sent again."""
    stored = json.loads(text)
    if not call.commands:
        return ids_of(stored)
    commands, errors = call.commands, stored["errors"]
    results = {name: ids_of(result) for name, result in stored["results"].items()}
    if other := sorted(commands.keys() ^ (results.keys() | errors.keys())):
        raise DivergedError(
            f"a batch has other commands than on its first run: {', '.join(other)}; the writes of "
            "that run stay done"
        )
    reads = {name: command for name, command in call.reads().items() if name in results}
    written = Kept((name, result) for name, result in results.items() if name not in reads)
    asked = {
        name: (method, _filled(name, params, written)) for name, (method, params) in reads.items()
    }
    if asked:
        halt = bool(call.params["halt"])
        results |= await portal.batch(asked, halt=halt, return_errors=True)
    return BatchResult(results, errors)


def _filled(name: str, params: Params, written: Kept) -> Params:
    """Return a read's parameters with the ids that they refer to."""
    filled: Params = resolve(params, written)
    if any(isinstance(value, Kept) for value in walk(filled)):
        raise PermanentError(
            BATCH,
            "NOT_KEPT",
            f"{name} refers to more of a write's result than its id, and only ids are kept for a "
            "repeat; read it with a call of its own",
        )
    return filled


def is_harmless(call: Call) -> bool:
    """Return whether running a write twice leaves the portal as running it once does."""
    commands = call.commands.values() or [(call.method, call.params)]
    return all(is_idempotent(method, params) for method, params in commands)


def was_not_sent(error: BaseException) -> bool:
    """Return whether a write that failed so has certainly changed nothing: not sent, or refused."""
    if isinstance(error, TransientError):
        return error.code.upper() in NOT_RUN
    return isinstance(error, (OperatorError, PermanentError)) and error.code != ANSWER_TOO_LARGE

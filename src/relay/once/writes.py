"""How a write is sent, alone or as a batch, and whether it may be sent twice."""

from collections.abc import Mapping
from typing import Any

from relay.errors import (
    MayHaveRunError,
    OperatorError,
    PermanentError,
    PortalError,
    TransientError,
)
from relay.portal import PortalApi
from relay.portal.connection import ANSWER_TOO_LARGE, NOT_CONNECTED
from relay.portal.repeat import is_harmless

BATCH = "batch"
# Other codes of a TransientError stand for a lost answer of a harmless call (relay.portal.again).
_NOT_SENT = {
    NOT_CONNECTED, "NO_SLOT", "NO_TIME", "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT"
}  # fmt: skip


async def send(portal: PortalApi, method: str, params: Mapping[str, Any]) -> Any:
    """Send a write; return what is kept of its answer."""
    if method == BATCH:
        return await _run_batch(portal, params)
    return await portal.call(method, **params)


async def _run_batch(portal: PortalApi, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a batch; raise its error if none of it ran, or if that is not known."""
    outcomes = await portal.batch(**params, return_errors=True)
    errors = {name: its for name, its in outcomes.items() if isinstance(its, PortalError)}
    for error in errors.values():
        if isinstance(error, MayHaveRunError) or len(errors) == len(outcomes):
            raise error
    return {
        "results": {name: its for name, its in outcomes.items() if name not in errors},
        "errors": {name: [e.method, e.code, e.description] for name, e in errors.items()},
    }


def is_harmless_write(method: str, params: Mapping[str, Any]) -> bool:
    """Say whether running a write twice leaves the portal as running it once does."""
    if method == BATCH:
        return all(is_harmless(name, its) for name, its in params["commands"].values())
    return is_harmless(method, params)


def was_not_sent(error: BaseException) -> bool:
    """Say whether a write that failed so has certainly changed nothing: not sent, or refused."""
    if isinstance(error, TransientError):
        return error.code.upper() in _NOT_SENT
    return isinstance(error, (OperatorError, PermanentError)) and error.code != ANSWER_TOO_LARGE

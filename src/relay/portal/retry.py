"""A failed call -> the pause before its retry, or the error that its caller gets. Pure.

| failure | retry | error if there is no retry (any more) |
|---|---|---|
| `QUERY_LIMIT_EXCEEDED`, no connection: it never ran | MAX_TRIES, growing pauses | TransientError |
| `OPERATION_TIME_LIMIT`: it never ran | when the method is free again | TransientError |
| the answer was lost, the call is idempotent | MAX_TRIES, growing pauses | TransientError |
| the answer was lost, the call is not idempotent | none | MayHaveRunError |
| the method is not allowed in a batch | alone, at once | PermanentError |
| request or answer too large, several commands | with fewer commands, at once | |
| request or answer too large, one command | none | PermanentError |
| every other failure | none | the error itself |
"""

from dataclasses import dataclass

from relay.errors import CallError, MayHaveRunError, PermanentError, TransientError
from relay.portal.answers import TOO_LARGE
from relay.portal.http import ANSWER_TOO_LARGE, NOT_CONNECTED

# Codes of calls that never ran; any other of a TransientError is a harmless call's lost answer.
NOT_RUN = frozenset(
    {NOT_CONNECTED, "NO_SLOT", "NO_TIME", "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT"}
)
MAX_TRIES = 4
RETRY_AFTER_SECONDS = 15.0  # for the queue, after MAX_TRIES failures in a row


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a call and the facts that decide about a retry."""

    error: CallError
    tries: int  # requests that the call was part of
    commands: int  # in the last of them
    idempotent: bool  # two runs do what one run does
    blocked_seconds: float  # until the method may run
    jitter: float  # 0.5 to 1, the same for all calls of a request: they share the next one too

    def pause_seconds(self) -> float | None:
        """Return the seconds before the retry; None for no retry."""
        lost = isinstance(self.error, MayHaveRunError) and self.idempotent
        match self.error.code.upper():
            case "OPERATION_TIME_LIMIT":
                return self.blocked_seconds
            case "ERROR_BATCH_METHOD_NOT_ALLOWED" if self.commands > 1:
                return 0
            case code if code == TOO_LARGE or (code == ANSWER_TOO_LARGE and self.idempotent):
                return 0 if self.commands > 1 else None
            case code if code in {"QUERY_LIMIT_EXCEEDED", NOT_CONNECTED} or lost:
                return self.jitter * 2 ** (self.tries - 1) if self.tries < MAX_TRIES else None
        return None

    def final_error(self) -> CallError:
        """Return the error that the caller gets if there is no retry now."""
        error, pause = self.error, self.pause_seconds()
        if isinstance(error, MayHaveRunError) and self.idempotent:
            if error.code == ANSWER_TOO_LARGE:
                return PermanentError(error.method, error.code, error.description)
            error = TransientError(error.method, error.code, error.description)
        if isinstance(error, TransientError) and error.retry_after is None:
            error.retry_after = RETRY_AFTER_SECONDS if pause is None else pause
        return error

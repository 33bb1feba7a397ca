"""What failed -> whether it is sent again, and if not, what its caller is told. Pure.

| failure | sent again | else the caller gets |
|---|---|---|
| `QUERY_LIMIT_EXCEEDED`, not connected: never ran | TRIES, growing pauses | TransientError |
| `OPERATION_TIME_LIMIT`: never ran | when that is over | TransientError |
| the answer was lost, running it twice is harmless | TRIES, growing pauses | TransientError |
| the answer was lost, anything else | no | MayHaveRunError |
| refused inside a batch | plainly, at once | PermanentError |
| too large, question or answer, with others beside it | with fewer, at once | |
| too large alone | no | PermanentError |
| all the rest | no | its own class |
"""

from dataclasses import dataclass

from relay.errors import CallError, MayHaveRunError, PermanentError, TransientError
from relay.portal.answers import TOO_LARGE
from relay.portal.http import ANSWER_TOO_LARGE, NOT_CONNECTED

TRIES = 4
COME_BACK_SECONDS = 15.0  # for what has failed TRIES times in a row


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a unit, with what decides on it.

    `tries` counts how often the unit was sent, `together` the commands of its last request;
    `harmless`: running it twice does what running it once does; `blocked_for` is what its
    method's execution time needs to recover; `jitter` (0.5 to 1) is one for all units of a
    request, so that they share the next one too.
    """

    error: CallError
    tries: int
    together: int
    harmless: bool
    blocked_for: float
    jitter: float

    def pause(self) -> float | None:
        """Return the seconds after which the unit is sent again; None: never."""
        lost = isinstance(self.error, MayHaveRunError) and self.harmless
        match self.error.code.upper():
            case "OPERATION_TIME_LIMIT":
                return self.blocked_for
            case "ERROR_BATCH_METHOD_NOT_ALLOWED" if self.together > 1:
                return 0
            case code if code == TOO_LARGE or (code == ANSWER_TOO_LARGE and self.harmless):
                return 0 if self.together > 1 else None
            case code if code in {"QUERY_LIMIT_EXCEEDED", NOT_CONNECTED} or lost:
                return self.jitter * 2 ** (self.tries - 1) if self.tries < TRIES else None
        return None

    def final(self) -> CallError:
        """Return what the caller is told if it is not sent again now."""
        error, pause = self.error, self.pause()
        if isinstance(error, MayHaveRunError) and self.harmless:
            if error.code == ANSWER_TOO_LARGE:
                return PermanentError(error.method, error.code, error.description)
            error = TransientError(error.method, error.code, error.description)
        if isinstance(error, TransientError) and error.retry_after is None:
            error.retry_after = COME_BACK_SECONDS if pause is None else pause
        return error

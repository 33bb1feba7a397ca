"""What can go wrong, and who is at fault.

RelayError
  ConfigurationError       a setting or secret is missing or empty
  RejectedRequest          ingress says no
    MalformedRequest       400: the shape is wrong
    InvalidToken           401: not the sender
    RequestTooLarge        413: more than an event can be
    UnsupportedMediaType   415: not a form
  StateError               a table or SSM did not answer, nothing was called
  RowError                 no table will ever take a row: its key or its size
  DivergedError            a reaction calls something else than on its first run
  LoopError                a reaction has used up its hour's writes to one item
  HungError                a reaction did not return in time
  PortalError              the REST API said no
    TransientError         wait, then the same call works
    PermanentError         this call can never work
    OperatorError          no call to this portal works until somebody acts
    MayHaveRunError        the answer was lost, the call may have run

The class decides what happens next; the portal's error code decides the class.
"""

from typing import ClassVar


class RelayError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(RelayError):
    """When a setting or secret is missing or empty; names all of them."""


class RejectedRequest(RelayError):  # noqa: N818  what happened, not a fault of ours
    """When ingress refuses a request; `status` and `code` are its answer."""

    status: ClassVar[int]
    code: ClassVar[str]


class MalformedRequest(RejectedRequest):
    """When a body is not what Bitrix24 sends."""

    status, code = 400, "malformed"


class InvalidToken(RejectedRequest):
    """When no stored token is equal to the one that came; never says why."""

    status, code = 401, "not_verified"


class RequestTooLarge(RejectedRequest):
    """When a body is larger than what an event can be."""

    status, code = 413, "too_large"


class UnsupportedMediaType(RejectedRequest):
    """When a body is not a form."""

    status, code = 415, "unsupported_media_type"


class StateError(RelayError):
    """When a table or the secrets can't be reached: a right, a name, or throughput."""


class RowError(RelayError):
    """When a table refuses a row for good: its key is no key, or it is larger than 400 KB."""


class DivergedError(RelayError):
    """When a record's second run calls another method than its first did."""


class LoopError(RelayError):
    """When a reaction has written to one item as often as an hour's budget allows.

    `retry_after` is the seconds until the hour's end.
    """

    def __init__(self, description: str, retry_after: float) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class HungError(RelayError):
    """When a reaction did not return although no call of its own was under way."""


class PortalError(RelayError):
    """When the REST API did not do what it was asked; knows the method and the portal's code.

    Never holds the webhook URL, neither here nor in its cause.
    """

    def __init__(self, method: str, code: str, description: str = "") -> None:
        self.method = method
        self.code = code
        self.description = description
        said = ": ".join(part for part in (code, description) if part)
        super().__init__(f"{method}: {said or 'an error without a code'}")


class TransientError(PortalError):
    """When the call did not run and will work later; `retry_after` is seconds, None if unknown."""

    def __init__(
        self, method: str, code: str, description: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(method, code, description)
        self.retry_after = retry_after


class PermanentError(PortalError):
    """When this call, as it is, can never work."""


class OperatorError(PortalError):
    """When a person must act first: a webhook re-issued, a scope ticked, a plan paid."""


class MayHaveRunError(PortalError):
    """When the answer was lost after the call was sent, so that it may have run."""

"""Every error of this package, grouped by who has to act on it.

relay.retry_policy says which of these wait, and which go to the dead-letter queue. Python's own
TypeError and ValueError stand for wrong arguments, which no message can cause.
"""

from typing import ClassVar

from relay.aws_types import Item


class RelayError(Exception):
    """Base of every error of this package."""


# The sender of a request to ingress acts, which answers with `status`.


class RejectedRequestError(RelayError):
    """Raised when ingress rejects a request; `status` and `code` are the HTTP answer."""

    status: ClassVar[int]
    code: ClassVar[str]


class MalformedRequestError(RejectedRequestError):
    """Raised when a request is not one that Bitrix24 sends."""

    status, code = 400, "malformed"


class InvalidTokenError(RejectedRequestError):
    """Raised when no stored token equals the token of a request; never says which or why."""

    status, code = 401, "not_verified"


class MethodNotAllowedError(RejectedRequestError):
    """Raised when a robot's address is called with another method than GET or POST."""

    status, code = 405, "method_not_allowed"


class RequestTooLargeError(RejectedRequestError):
    """Raised when a body is larger than an event can be."""

    status, code = 413, "too_large"


class UnsupportedMediaTypeError(RejectedRequestError):
    """Raised when a body is not a form."""

    status, code = 415, "unsupported_media_type"


# Nobody acts: the step is repeated, or whoever catches the error goes on in another way.


class NoTokensError(RelayError):
    """Raised when no token is stored or could be read; SSM's error, if any, is the cause."""


class StaleTokensError(NoTokensError):
    """Raised when a token is unknown and SSM, which may have it by now, does not answer."""


class StateError(RelayError):
    """Raised when a table or the secrets can't be reached: a right, a name, or throughput."""


class ConditionFailedError(RelayError):
    """Raised when a write's condition does not hold; `item` is the stored row, None without one."""

    def __init__(self, item: Item | None = None) -> None:
        super().__init__("the stored row does not meet the condition")
        self.item = item


class NextBatchError(RelayError):
    """Raised for a message that is left to the next batch, untried."""


class LostLeaseError(RelayError):
    """Raised when another sweep of this portal has taken over."""


class GoneTypeError(RelayError):
    """Raised when the portal no longer has a kind of items; the mirror keeps their rows."""


class ItemChangedError(RelayError):
    """Raised when an item changed while the offset of a time filter was measured with it."""


class NotForBatchError(RelayError):
    """Raised when parameters can't be written as a query; JSON takes them."""


# The operator acts.


class ConfigurationError(RelayError):
    """Raised when settings or secrets are missing or empty; the text names all of them."""


class NotOursError(RelayError):
    """Raised when a message is not one that this version of the relay publishes."""


class RefusedError(RelayError):
    """Raised when SNS or EventBridge will never take a message."""


class HeldError(RelayError):
    """Raised for a disappearance that waits for `make release`."""


class NewerFormatError(RelayError):
    """Raised when newer code wrote a row of the mirror; this code leaves the row as it is."""


# The developer acts.


class RowError(RelayError):
    """Raised when a table refuses a row for good: an invalid key, or more than 400 KB."""


class DivergedError(RelayError):
    """Raised when a record's second run calls another method than its first run did."""


class LoopError(RelayError):
    """Raised when a reaction has used up an hour's writes to an item; `retry_after` s are left."""

    def __init__(self, description: str, retry_after: float) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class HungError(RelayError):
    """Raised when a reaction did not return although none of its calls was under way."""


class StoppedError(RelayError):
    """Raised for a reaction that ended by CancelledError or SystemExit."""


class NotAwaitedError(RelayError):
    """Raised when a reaction returned without having awaited a call of its portal."""


class SpellingError(RelayError, KeyError):
    """Raised when a reaction asks a change for a field that has another spelling there."""

    __str__ = Exception.__str__  # a KeyError would quote the sentence


class NotKeptError(RelayError, KeyError):
    """Raised when a reaction reads more of a write's result than its ids."""

    __str__ = Exception.__str__  # a KeyError would quote the sentence


# A call failed; the portal's error code decides the class, and the class who acts.


class CallError(RelayError):
    """Raised when a service did not do what a call asked; usually the portal's REST API.

    `method` is the call, `code` the service's error code. The text never holds the webhook URL,
    and neither does the error's cause.
    """

    def __init__(self, method: str, code: str, description: str = "") -> None:
        self.method = method
        self.code = code
        self.description = description
        text = ": ".join(part for part in (code, description) if part)
        super().__init__(f"{method}: {text or 'an error without a code'}")


class TransientError(CallError):
    """Raised when a call did not run and will work later, after `retry_after` seconds if given."""

    def __init__(
        self, method: str, code: str, description: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(method, code, description)
        self.retry_after = retry_after


class PermanentError(CallError):
    """Raised when this call, as it is, can never work: the developer acts."""


class OperatorError(CallError):
    """Raised when the operator has to act first: re-issue a webhook, tick a scope, pay a plan."""


class MayHaveRunError(CallError):
    """Raised when the answer of a call was lost, so that it may have run: the operator looks."""

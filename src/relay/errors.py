"""Every error of this package, and who has to act on it.

| error | who acts |
|---|---|
| RejectedRequestError | the sender of a request to ingress: |
| - MalformedRequestError | 400, the request has the wrong shape |
| - InvalidTokenError | 401, the request does not come from a connected portal |
| - MethodNotAllowedError | 405, the route of robots has GET and POST only |
| - RequestTooLargeError | 413, the request is larger than an event can be |
| - UnsupportedMediaTypeError | 415, the request is no form |
| NoTokensError | nobody: the request is spilled, and verified later |
| - StaleTokensError | nobody: the same, for a token that may be new |
| ConfigurationError | the operator: a setting or a secret is missing or empty |
| StateError | nobody: AWS did not answer, the step is retried |
| ConditionFailedError | the caller: the row is not as its condition says |
| RowError | the developer: DynamoDB will never take this key or this size |
| NotOursError | the operator: a message is not one that this version publishes |
| RefusedError | the operator: SNS or EventBridge will never take this message |
| NextBatchError | nobody: the message is left to the next batch, untried |
| DivergedError | the developer: a repeated run makes other calls than the first |
| LoopError | the developer: a reaction answers changes that follow from its own writes |
| HungError | the developer: a reaction did not return in time |
| StoppedError | the developer: CancelledError or SystemExit ended a reaction |
| SiblingsPendingError | nobody: a call waits for concurrent calls of its run |
| HeldError | the operator: too many items vanished; `make release` lets them go |
| NewerFormatError | the operator: newer code wrote this row; deploy that code |
| LostLeaseError | nobody: another sweep of this portal has taken over |
| GoneTypeError | nobody: the portal no longer has this kind of items |
| AbsentError | nobody: an item is no longer listed; it is read once more |
| ItemChangedError | nobody: an item changed while it was measured; the next sweep measures |
| NotKeptError | the developer: a reaction reads more of a write's result than its ids |
| NotForBatchError | nobody: the call is sent outside of a batch |
| CallError | depends on the class, which the portal's error code decides: |
| - TransientError | nobody: the same call works later |
| - PermanentError | the developer: this call can never work |
| - OperatorError | the operator: no call to this portal works before |
| - MayHaveRunError | the operator: the answer was lost, the call may have run |

relay.retry_policy says which of these wait, and which go to the dead-letter queue. Python's own
TypeError and ValueError stand for wrong arguments, which no message can cause.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class RelayError(Exception):
    """Base of every error of this package."""


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


class NoTokensError(RelayError):
    """Raised when no token is stored or could be read; SSM's error, if any, is the cause."""


class StaleTokensError(NoTokensError):
    """Raised when a token is unknown and SSM, which may have it by now, does not answer."""


class ConfigurationError(RelayError):
    """Raised when settings or secrets are missing or empty; the text names all of them."""


class StateError(RelayError):
    """Raised when a table or the secrets can't be reached: a right, a name, or throughput."""


class ConditionFailedError(RelayError):
    """Raised when the condition of a write does not hold.

    `item` is the stored row in DynamoDB's spelling, None without one.
    """

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        super().__init__("the stored row does not meet the condition")
        self.item = item


class RowError(RelayError):
    """Raised when a table refuses a row for good: an invalid key, or more than 400 KB."""


class NotOursError(RelayError):
    """Raised when a message is not one that this version of the relay publishes."""


class RefusedError(RelayError):
    """Raised when SNS or EventBridge will never take a message."""


class NextBatchError(RelayError):
    """Raised for a message that is left to the next batch, untried."""


class DivergedError(RelayError):
    """Raised when a record's second run calls another method than its first run did."""


class LoopError(RelayError):
    """Raised when a reaction has used up an hour's budget of writes to one item.

    `retry_after` is the number of seconds until the hour ends.
    """

    def __init__(self, description: str, retry_after: float) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class HungError(RelayError):
    """Raised when a reaction did not return although none of its calls was under way."""


class StoppedError(RelayError):
    """Raised for a reaction that ended by CancelledError or SystemExit."""


class SiblingsPendingError(RelayError):
    """Raised when a call has no exact match yet and concurrent calls may still claim the writes."""


class HeldError(RelayError):
    """Raised for a disappearance that waits for `make release`."""


class NewerFormatError(RelayError):
    """Raised when newer code wrote a row of the mirror; this code leaves the row as it is."""


class LostLeaseError(RelayError):
    """Raised when another sweep of this portal has taken over."""


class GoneTypeError(RelayError):
    """Raised when the portal no longer has a kind of items; the mirror keeps their rows."""


class AbsentError(RelayError):
    """Raised when an item is no longer listed, and its deletion event may still come."""


class ItemChangedError(RelayError):
    """Raised when an item changed while the offset of a time filter was measured with it."""


class NotKeptError(RelayError, KeyError):
    """Raised when a reaction reads more of a write's result than its ids."""

    def __str__(self) -> str:
        """Return the message as a sentence; a KeyError would quote it."""
        return str(self.args[0])


class NotForBatchError(RelayError):
    """Raised when parameters can't be written as a query; JSON takes them."""


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
    """Raised when a call did not run and will work later.

    `retry_after` is the number of seconds until then, None where the service does not say.
    """

    def __init__(
        self, method: str, code: str, description: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(method, code, description)
        self.retry_after = retry_after


class PermanentError(CallError):
    """Raised when this call, as it is, can never work."""


class OperatorError(CallError):
    """Raised when a person has to act first: re-issue a webhook, tick a scope, pay a plan."""


class MayHaveRunError(CallError):
    """Raised when the answer was lost after the call was sent, so that it may have run."""

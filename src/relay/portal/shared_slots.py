"""One limit for all copies of all functions: each request reserves its slot in DynamoDB.

One item a portal: `empty_at`, the time in milliseconds at which its bucket is empty (see
relay.portal.slots). Under load that is one conditional write, after idle two: an update has no
max(). Slots are handed out in the order of those writes. No row means a full bucket: nobody knows
what it holds.
"""

import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from relay.portal.slots import REST_SECONDS, OwnSlots, Pace, no_slot

ATTEMPTS = 20  # each one lost means that another copy won
CAREFUL_SECONDS = 30.0  # without DynamoDB, before it is asked again
PUSH_SECONDS = 3.0  # what a 503 moves the next slots by
_logger = logging.getLogger("relay.portal")


class SharedSlots:
    """The slots of one portal, in a DynamoDB table whose key is `pk` (a string)."""

    def __init__(
        self, client: Any, table: str, portal: str, pace: Pace | None = None, *, copies: int = 10
    ) -> None:
        """Take a DynamoDB client with short timeouts.

        `copies` is how many may run at once: each takes its part while DynamoDB is down.
        """
        self._client = client
        self._pace = pace or Pace()
        self._row = {"TableName": table, "Key": {"pk": {"S": f"slots#{portal}"}}}
        self._portal = portal
        self._careful = self._pace.shared_by(copies)
        self._own: OwnSlots | None = None
        self._ask_again_at = 0.0

    def take(self, latest: float) -> float:
        """Reserve the next slot; at a safe rate of our own while DynamoDB does not answer."""
        if self._own is None or time.time() >= self._ask_again_at:
            try:
                slot = self._take(latest)
            except (BotoCoreError, ClientError) as trouble:
                return self._go_carefully(trouble).take(latest)
            else:
                if self._own is not None:
                    _logger.warning(
                        "DynamoDB gives slots again: portal %s has one limit", self._portal
                    )
                    self._own = None
                return slot
        return self._own.take(latest)

    def refused(self) -> None:
        """Push the next slots back, once for all who were refused together, and count it."""
        now = _milliseconds(time.time())
        full = now + _milliseconds(self._pace.full)
        push = _milliseconds(PUSH_SECONDS)
        _logger.warning("portal %s refused a request: too many (503)", self._portal)
        try:
            self._update("ADD refused :one", one=1)
            old = self._update(
                "SET empty_at = empty_at + :push, pushed = :now",
                "empty_at >= :full AND (attribute_not_exists(pushed) OR pushed < :recently)",
                push=push,
                now=now,
                full=full,
                recently=now - push,
            )
            if isinstance(old, dict) and _number(old, "empty_at") < full:
                self._update(
                    "SET empty_at = :full, pushed = :now",
                    "attribute_not_exists(empty_at) OR empty_at < :full",
                    full=full,
                    now=now,
                )
        except (BotoCoreError, ClientError) as trouble:
            self._go_carefully(trouble)

    def _take(self, latest: float) -> float:
        step, room = _milliseconds(self._pace.step), _milliseconds(self._pace.room)
        rest = _milliseconds(REST_SECONDS)
        for _ in range(ATTEMPTS):
            now = _milliseconds(time.time())
            limit = max(_milliseconds(latest) + room - step, now)
            answer = self._update(
                "SET empty_at = empty_at + :step",
                "empty_at BETWEEN :rest AND :limit",
                step=step,
                rest=now - rest,
                limit=limit,
            )
            if not isinstance(answer, dict):
                return (answer - room) / 1000
            free = _number(answer, "empty_at")
            if free > limit:
                raise no_slot((free + step - room) / 1000)
            if "empty_at" not in answer:
                full = now + _milliseconds(self._pace.full)
                self._update("SET empty_at = :full", "attribute_not_exists(empty_at)", full=full)
                continue
            # Not a condition on the value that was read: copies that wake up together would all
            # lose but one, again and again. The second of them finds a bucket in use.
            answer = self._update(
                "SET empty_at = :free", "empty_at < :rest", free=now + step, rest=now - rest
            )
            if not isinstance(answer, dict):
                return (answer - room) / 1000
        raise no_slot(time.time() + self._pace.step * ATTEMPTS)

    def _update(self, change: str, condition: str = "", **values: int) -> int | dict[str, Any]:
        """Return the new `empty_at`; the row as it is if the condition does not hold."""
        more = {"ConditionExpression": condition} if condition else {}
        try:
            answer = self._client.update_item(
                **self._row,
                **more,
                UpdateExpression=change,
                ExpressionAttributeValues={
                    f":{name}": {"N": str(value)} for name, value in values.items()
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return dict(refusal.response.get("Item") or {})
        return _number(answer["Attributes"], "empty_at")

    def _go_carefully(self, trouble: Exception) -> OwnSlots:
        self._ask_again_at = time.time() + CAREFUL_SECONDS
        if self._own is None:
            self._own = OwnSlots(self._careful, full=True)
            _logger.warning(
                "DynamoDB gives no slots (%s): each copy asks portal %s every %.0f s at most",
                trouble,
                self._portal,
                self._careful.step,
            )
        return self._own


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _number(row: dict[str, Any], name: str) -> int:
    return int(row[name]["N"]) if name in row else 0

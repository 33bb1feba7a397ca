"""One request limit for all copies of all functions: each request reserves a slot in DynamoDB.

The row `slots#<portal>` has `empty_at`, the time at which the portal's bucket is empty (see
relay.portal.slots), `pushed`, the time of the last 503 that moved it, both in milliseconds, and
`refused`, the number of 503.

A slot is one conditional write where this copy guesses right whether the bucket is idle, and two
where it does not: an update has no max(). It guesses what was right after its last pause, of those
that were as short or long. A copy whose requests come in pairs reserves both slots of an idle
bucket in one write. The order of the writes is the order of the slots. A missing row counts as a
full bucket: what is in it is not known.
"""

import logging
import threading
import time
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError
from relay.portal.slots import REST_SECONDS, OwnSlots, Pace, no_slot
from relay.state_table import conditional, key, slots_key

ATTEMPTS = 40  # to write; all failed ones but the first mean that another copy took a slot
WITHOUT_TABLE_SECONDS = 30.0  # after a failure of DynamoDB, before the next attempt
COPIES = 10  # of functions that may run at once: each takes a tenth of the rate without a table
PUSH_SECONDS = 3.0  # by which a 503 moves the next slots
LONG_SECONDS = 5.0  # of a pause: a new event, not one of what a reaction has just written
PAIR_SECONDS = 1.0  # between two requests of a pair; CLOCK_SECONDS allows for requests so late
REFUSED = "portal %s refused a request: too many (503)"  # the dashboard counts it
_logger = logging.getLogger("relay.portal")


class SharedSlots:
    """The slots of one portal, in a DynamoDB table whose key is `pk` (a string).

    While DynamoDB fails, each copy takes slots of its own, at its share of the rate.
    """

    def __init__(self, client: Client, table: str, portal: str, pace: Pace) -> None:
        """Take a DynamoDB client with short timeouts, the table's name and the portal's."""
        self._client = client
        self._pace = pace
        self._row = {"TableName": table, "Key": key(slots_key(portal))}
        self._portal = portal
        self._own_pace = replace(pace, burst=1, rate=pace.rate / COPIES)
        self._own: OwnSlots | None = None
        self._table_retry_at = 0.0
        self._empty_at = _milliseconds(time.time())  # as it was seen last; of a new copy in use
        # Whether the bucket is idle after a pause, by whether that was a long one. A reaction comes
        # a second after track, which comes a second after the reaction's writes.
        self._expects_idle = {False: True, True: True}
        self._lock = threading.Lock()
        self._takes_pairs = False  # as the second request of the last pair came in time
        self._pair_ends = 0.0  # epoch s
        self._second: float | None = None  # slot of a pair

    def take(self, latest: float) -> float:
        """Reserve the next slot and return it (epoch s); TransientError if after `latest`."""
        second = self._second_of_pair()
        if second is not None:
            return second
        own = self._own
        if own and time.time() < self._table_retry_at:
            return own.take(latest)
        try:
            slot = self._take(latest)
        except (BotoCoreError, ClientError) as error:
            return self._use_own_slots(error).take(latest)
        if own:
            _logger.warning("DynamoDB gives slots for portal %s again", self._portal)
            self._own = None
        return slot

    def _second_of_pair(self) -> float | None:
        """Return the slot that is reserved already, None if there is none or it is too old."""
        with self._lock:
            second, self._second = self._second, None
            in_time = time.time() <= self._pair_ends
            self._pair_ends = 0.0
            if in_time or second is not None:
                self._takes_pairs = in_time
            return second if in_time else None

    def refused(self) -> None:
        """Count a 503 and move the next slots back, once for all requests refused together."""
        self._second = None
        now = _milliseconds(time.time())
        full = now + _milliseconds(self._pace.full)
        push = _milliseconds(PUSH_SECONDS)
        _logger.warning(REFUSED, self._portal)
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
            if not isinstance(old, int) and _number(old, "empty_at") < full:
                self._update(
                    "SET empty_at = :full, pushed = :now",
                    "attribute_not_exists(empty_at) OR empty_at < :full",
                    full=full,
                    now=now,
                )
        except (BotoCoreError, ClientError) as error:
            self._use_own_slots(error)

    def _take(self, latest: float) -> float:
        step, room = _milliseconds(self._pace.step), _milliseconds(self._pace.room)
        was_long = self._empty_at < _milliseconds(time.time() - LONG_SECONDS)
        for _ in range(ATTEMPTS):
            now = _milliseconds(time.time())
            rest = now - _milliseconds(REST_SECONDS)
            limit = max(_milliseconds(latest) + room - step, now)
            was_alone = self._empty_at < rest  # unless another copy has called the portal since
            is_idle = was_alone and self._expects_idle[was_long]
            more = step if is_idle and self._takes_pairs and room >= 2 * step else 0
            if is_idle:
                # No condition on the value just read: of copies that wake up together all but one
                # would fail, each time. With this one the second copy finds a bucket in use.
                next_at = now + step + more
                answer = self._update(
                    "SET empty_at = :next", "empty_at < :rest", next=next_at, rest=rest
                )
            else:
                answer = self._update(
                    "SET empty_at = empty_at + :step",
                    "empty_at BETWEEN :rest AND :limit",
                    step=step,
                    rest=rest,
                    limit=limit,
                )
            if isinstance(answer, int):
                self._empty_at = answer
                if is_idle:
                    self._pair_ends = now / 1000 + PAIR_SECONDS
                    self._second = (answer - room) / 1000 if more else None
                return (answer - more - room) / 1000
            if "empty_at" not in answer:
                full = now + _milliseconds(self._pace.full)
                self._update("SET empty_at = :full", "attribute_not_exists(empty_at)", full=full)
                continue
            if was_alone:
                self._expects_idle[was_long] = not is_idle
            self._empty_at = _number(answer, "empty_at")
            if self._empty_at > limit:
                raise no_slot((self._empty_at + step - room) / 1000)
        raise no_slot(time.time() + self._pace.step * ATTEMPTS)

    def _update(self, change: str, condition: str = "", **values: int) -> int | Item:
        """Update the row and return the new `empty_at`; the row if the condition does not hold."""
        more = {"ConditionExpression": condition} if condition else {}
        try:
            with conditional():
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
        except ConditionFailedError as refusal:
            return refusal.item or {}
        return _number(answer["Attributes"], "empty_at")

    def _use_own_slots(self, error: Exception) -> OwnSlots:
        """Return this copy's own slots, used until the table is tried again."""
        self._table_retry_at = time.time() + WITHOUT_TABLE_SECONDS
        if self._own is None:
            self._own = OwnSlots(self._own_pace, full=True)
            text = "DynamoDB gives no slots for portal %s: each copy calls it every %.0f s (%s)"
            _logger.warning(text, self._portal, self._own_pace.step, error)
        return self._own


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _number(row: Item, name: str) -> int:
    return int(row[name]["N"]) if name in row else 0

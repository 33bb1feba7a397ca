"""Messages of track's queue -> hints, and what was not done back into the queue.

A message that kills its function (memory, time) takes its whole batch along, and the process
forgets it. So a message that was received before is hidden for a random time before anything is
read:
  killed at the first receive  all sleep for the queue's visibility timeout and come back together
  killed later                 each comes back at another time: a window of 1 s holds the killer and
                               one in a thousand of the others, which are done without it
  fresh messages beside it     sleep once, and come back while the killer sleeps
  done, or waits               deleted, or hidden anew: the random time is never over. No receive is
                               used up, and nothing comes back later than without it
  SQS does not answer          all sleep together once more; the next receive spreads them
"""

import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.errors import NextBatchError, NotOursError
from relay.queue import Unhandled, hand_back, retry_later
from relay.retry_policy import Delivery, Policy, policy_of
from relay.tracking.hint import Hint, merge, parse
from relay.tracking.row import Key

MOST_ITEMS = 2500  # one request can read so many; more would not be put in the function's time
MOST_REMEMBERED = 10_000

type Records = Mapping[str, SQSRecord]  # by message id
type Hints = Mapping[Key, Hint]

logger = Logger(service="track", location=None)
# Failures of this process by message id. SQS counts receives only, waiting included. Two copies at
# most run at a time: a bug is dead-lettered after 5 to 9 failures, later where Lambda replaces a
# copy.
_failures: Counter[str] = Counter()


def spread(records: Iterable[SQSRecord]) -> None:
    """Hide messages that were received before for random times, in case this function is killed."""
    now = time.time()
    old = [record for record in records if Delivery.of(record, now).receives > 1]
    if not old:
        return
    (queue_url,) = settings.read("QUEUE_URL")
    name = "VisibilityTimeout"
    try:
        queue = settings.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[name]
        )
    except (BotoCoreError, ClientError) as error:
        logger.warning("not spread", messages=len(old), trouble=str(error))
        return
    # The queue's own timeout on average; the shortest time is longer than the rest of this run.
    seconds = int(queue["Attributes"][name])
    wrong = retry_later(
        [(record, random.randint(seconds // 2, seconds * 3 // 2)) for record in old]
    )
    if wrong:
        logger.warning("not spread", messages=len(wrong), trouble=next(iter(wrong.values())))


def to_hints(records: Records) -> tuple[Hints, dict[str, Exception]]:
    """Return one hint an item, and by message id the errors of messages that give none."""
    failed: dict[str, Exception] = {}
    hints: list[Hint] = []
    for message_id, record in records.items():
        try:
            parsed = parse(message_id, record.body)
        except NotOursError as error:
            failed[message_id] = error
            continue
        if hints and len(hints) + len(parsed) > MOST_ITEMS:
            failed[message_id] = NextBatchError(f"more than {MOST_ITEMS} items")
            continue
        for hint in parsed:
            hint.received_before = Delivery.of(record, time.time()).receives > 1
        hints += parsed
    return merge(hints), failed


def by_message(hints: Hints, failed: Mapping[Key, Exception]) -> dict[str, Exception]:
    """Return by message id the errors of the items that were not done."""
    errors: dict[str, Exception] = {}
    for key, error in failed.items():
        logger.warning("not read", item=f"{key.portal}/{key.entity}/{key.id}", reason=str(error))
        for message_id in hints[key].messages:
            # An error that waits outweighs one that is final.
            first = errors.get(message_id)
            if first is None or policy_of(first, repeatable=True) is Policy.DEAD_LETTER:
                errors[message_id] = error
    return errors


def return_messages(
    records: Records, failed: Mapping[str, Exception], remaining_seconds: float
) -> list[str]:
    """Hide messages or dead-letter them; returns the ids of those that stay in the queue."""
    unhandled = [
        Unhandled(records[number], error, _failures_of(number, error))
        for number, error in failed.items()
    ]
    back = hand_back(unhandled, logger, repeatable=True, remaining_seconds=remaining_seconds)
    for number in failed.keys() - set(back):
        _failures.pop(number, None)
    return back


def _failures_of(message_id: str, error: Exception) -> int:
    """Return how often a message has failed in this process; waiting is no failure."""
    if policy_of(error, repeatable=True) is Policy.RETRY:
        if len(_failures) >= MOST_REMEMBERED:
            _failures.clear()
        _failures[message_id] += 1
    return max(_failures.get(message_id, 0), 1)

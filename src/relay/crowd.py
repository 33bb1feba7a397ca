"""A queue that is crowded with records which wait: it is read slowly, so that others get through.

SQS hands out at most 120,000 records that are not done, and one that is hidden until its next try
is such a record. A blocked portal with more changes than that would stop all portals of the queue:
hidden for 15 minutes, its records come in at a thousand a second and leave at a hundred.

So beyond CROWDED records a batch of such records is given back after a pause, visible at once, in
place of being hidden for long. What is visible counts for nothing, and SQS hands out the records of
other portals first, because theirs are few in flight (fair queues: the group of a message is its
portal). No record leaves its queue. What can happen:
- Killed during the pause: the batch sleeps for the queue's visibility timeout, as any other.
- Another portal's record in the batch: it was handled before the pause, and is deleted after it.
- Another portal's record in the queue: it waits until a copy has had its pause.
- The number of SQS is a minute old: 60,000 records have room until it is right.
- A record is received more often than if it were hidden: by a fifth, as a copy gives back no more
  than PER_SECOND, while some 75 a second come out of hiding. After six days it is dead-lettered.
tests/integration/test_crowd.py plays it.
"""

import random
from collections.abc import Collection

from botocore.exceptions import BotoCoreError, ClientError

from relay import settings

CROWDED = 60_000  # records in flight, from which on a queue is read slowly; SQS's limit is twice it
MANY = 10  # records of one batch that wait for long; below that a queue is not crowded
LONG_SECONDS = 60
PER_SECOND = 5  # records that one copy gives back
SHORT_SECONDS = (1, 30)
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


def is_crowded(waits: Collection[int]) -> bool:
    """Return whether the queue is crowded, by the waits of a batch's records in seconds."""
    if sum(wait >= LONG_SECONDS for wait in waits) < MANY:
        return False
    (queue_url,) = settings.read("QUEUE_URL")
    try:
        answer = settings.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_IN_FLIGHT]
        )
    except (BotoCoreError, ClientError):
        return False  # not known: the records are hidden as usual
    return int(answer["Attributes"].get(_IN_FLIGHT, 0)) > CROWDED


def pause_seconds(waits: Collection[int], remaining_seconds: float) -> float:
    """Return how long to wait before a batch is given back, within the function's time.

    Its records stay in flight meanwhile, and no others come in.
    """
    return max(min(len(waits) / PER_SECOND, remaining_seconds), 0)


def shortened(wait_seconds: int) -> int:
    """Return the wait of a record in a crowded queue: a long one becomes short."""
    return random.randint(*SHORT_SECONDS) if wait_seconds >= LONG_SECONDS else wait_seconds

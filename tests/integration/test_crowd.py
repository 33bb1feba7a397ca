"""relay.crowd: a blocked portal's records leave room in the queue for those of other portals."""

import heapq
import random

import pytest

from relay import crowd
from relay.errors import OperatorError
from relay.retry_policy import Delivery, seconds_until_retry

SCALE = 100  # of all numbers of records
LIMIT = 120_000 // SCALE
COPIES, BATCH = 3, 1
BUSY_SECONDS = 0.2 * 100 / SCALE  # for a batch, where the portal is known to be blocked
LATE_SECONDS = 30  # by which SQS's number is behind
HOURS = 6
RECEIVES_A_WEEK = 900
BLOCKED = OperatorError("crm.item.list", "OVERLOAD_LIMIT")


class Queue:
    """SQS with a blocked portal's records and a quiet portal's, and copies of a function."""

    def __init__(self, blocked):
        self.now, self.chance = 0.0, random.Random(1)
        self.visible = [f"blocked {number}" for number in range(blocked)]
        self.hidden = []  # (when visible, name)
        self.receives = dict.fromkeys(self.visible, 0)
        self.quiet, self.delays = [], []
        self.counted = [(0.0, 0)]
        self.most = 0

    def get_queue_attributes(self, **_):
        """Return how many records were in flight a while ago."""
        while len(self.counted) > 1 and self.counted[1][0] <= self.now - LATE_SECONDS:
            self.counted.pop(0)
        number = self.counted[0][1]
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(number)}}

    def receive(self):
        """Return some records, quiet portals' first; none where too many are in flight."""
        while self.hidden and self.hidden[0][0] <= self.now:
            self.visible.append(heapq.heappop(self.hidden)[1])
        self.most = max(self.most, len(self.hidden))
        if len(self.hidden) >= LIMIT:
            return []
        if self.quiet:
            self.delays.append(self.now - self.quiet.pop(0))
            return []
        batch = []
        for _ in range(min(BATCH, len(self.visible))):
            at = self.chance.randrange(len(self.visible))
            self.visible[at], self.visible[-1] = self.visible[-1], self.visible[at]
            batch.append(self.visible.pop())
        return batch

    def handle(self, batch):
        """Hand a batch back as relay.queue does; return how long it took."""
        waits = {}
        for name in batch:
            self.receives[name] += 1
            delivery = Delivery(self.receives[name], self.now)
            waits[name] = seconds_until_retry(BLOCKED, delivery)
        pause = 0.0
        if crowd.is_crowded(waits.values()):
            pause = crowd.pause_seconds(waits, 50)
            waits = {name: crowd.shortened(wait) for name, wait in waits.items()}
        for name, wait in waits.items():
            heapq.heappush(self.hidden, (self.now + pause + wait, name))
        self.counted.append((self.now, len(self.hidden)))
        return BUSY_SECONDS + pause

    def run(self):
        """Let hours pass; a record of the quiet portal comes every minute."""
        free = [0.0] * COPIES
        coming = 60.0
        while self.now < HOURS * 3600:
            self.now = heapq.heappop(free)
            if self.now >= coming:
                self.quiet.append(coming)
                coming += 60
            batch = self.receive()
            heapq.heappush(free, self.now + (self.handle(batch) if batch else 1.0))


@pytest.fixture
def play(monkeypatch, aws_clients):
    """Return a function that plays a queue with so many records of a blocked portal."""
    monkeypatch.setattr(crowd, "CROWDED", crowd.CROWDED // SCALE)
    monkeypatch.setattr(crowd, "PER_SECOND", crowd.PER_SECOND / SCALE)
    monkeypatch.setattr(crowd, "MANY", 1)
    monkeypatch.setenv("QUEUE_URL", "queue")

    def played(blocked):
        aws_clients["sqs"] = queue = Queue(blocked // SCALE)
        queue.run()
        return queue

    return played


@pytest.mark.parametrize("blocked", [65_000, 130_000, 400_000])
def test_a_blocked_portal_leaves_room_for_others(play, blocked):
    """The limit is never reached, and another portal's record is received within a minute.

    A record that waits for a week is received less often than `maxReceiveCount` says.
    """
    queue = play(blocked)
    assert queue.most < LIMIT * 0.95
    assert len(queue.delays) >= HOURS * 60 - 2
    assert max(queue.delays) <= 60
    received = sum(queue.receives.values()) / len(queue.receives)
    assert received / HOURS * 24 * 7 < RECEIVES_A_WEEK


def test_without_it_the_others_stand_still(play, monkeypatch):
    """The mistake: all records of a blocked portal are hidden, and SQS hands out nothing."""
    monkeypatch.setattr(crowd, "is_crowded", lambda _: False)
    queue = play(130_000)
    assert queue.most >= LIMIT
    assert max(queue.delays) > 300

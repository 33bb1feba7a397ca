"""Slots in a DynamoDB table: a client that counts writes, and copies that share the table."""

from relay.portal.shared_slots import SharedSlots
from relay.portal.slots import Pace

PACE = Pace(burst=50, rate=2, reserve=0)  # usable: 50 less 2.5 s at 2/s = 45


class Counting:
    """A DynamoDB client that counts writes, and raises `error` if one is set."""

    def __init__(self, client):
        """Take the client that writes."""
        self.client, self.writes, self.error = client, 0, None

    def update_item(self, **arguments):
        """Write, or raise the error."""
        self.writes += 1
        if self.error:
            raise self.error
        return self.client.update_item(**arguments)

    def row(self):
        """Return the stored row, {} for none."""
        key = {"pk": {"S": "slots#main"}}
        return self.client.get_item(TableName="limits", Key=key).get("Item", {})


def copies(table, count, pace=PACE):
    """Return the slots of several copies of a function."""
    return [SharedSlots(table, "limits", "main", pace) for _ in range(count)]


def take_and_wait(slots, clock):
    """Reserve a slot, move the clock to it, and return it."""
    slot = max(slots.take(clock.now + 1000), clock.now)
    clock.now = slot
    return slot

"""The checkpoint: what a reaction has done for a record, so that a repeat does not redo it. Pure.

One row of the State table for each reaction and record (a change or an event, by its id). It holds
the writes in the order of their intents: method, number among the calls of that method, digest of
the parameters, and the result once it is done. The row belongs to the run that wrote it last: that
run took a lease on it under a condition (relay.reaction.lease), and until the lease is over nobody
else sends or stores anything for the record.

What can happen, and why it does no harm (tests/integration/test_checkpoints_machine.py tries it):
- Killed before the intent is stored: nothing was sent; the next run begins anew.
- Killed between intent and request, or between request and result: the lease is still on. When it
  is over, no request of that run is under way (function timeout + the portal's 60 s), so a lookup
  by the stamp is conclusive: an item found is the result, without one the write is sent. A write
  without a stamp needs an operator.
- Killed between result and acknowledgement: the next run finds the result.
- Two deliveries at once: one gets the lease, the other waits before it has sent anything.
- Cancelled while a write is under way: the write is finished and its result stored all the same.
- gather: a repeat may call in another order. Calls with equal parameters are matched first, and a
  call without an equal waits until its siblings have found theirs (relay.reaction.matching).
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from relay.aws_types import Item
from relay.errors import RowError
from relay.state_table import CHECKPOINT_SECONDS

CUT_OFF_SECONDS = 60.0  # the portal ends a request then (rest-protocol section 4)
CLOCK_SECONDS = 5.0  # how far the clocks of two copies may differ
ROW_BYTES = 390_000  # of compressed writes; DynamoDB's limit for a row is 400 KB


@dataclass(slots=True, eq=False)
class Write:
    """One write of a record: an intent until it is done."""

    method: str
    number: int  # among the writes of its method, from 0
    digest: str
    at: float  # the time of the intent (epoch s)
    done: bool = False
    result: str | None = None  # JSON


@dataclass(slots=True, eq=False)
class Checkpoint:
    """What is stored of a record; times are epoch s."""

    key: str
    owner: str = ""  # the token of the run that wrote it last
    until: float = 0.0  # the end of that run's lease
    failures: int = 0  # of the reaction itself
    writes: list[Write] = field(default_factory=list)
    called_at: int = 0  # of a robot's event: when the call came (ms since 1970)

    def add(self, method: str, digest: str, now: float) -> Write:
        """Add an intent and return it; it counts once the checkpoint is stored."""
        number = 1 + max((one.number for one in self.writes if one.method == method), default=-1)
        write = Write(method, number, digest, now)
        self.writes.append(write)
        return write

    def replace_with(self, stored: "Checkpoint") -> None:
        """Become what another run has stored meanwhile, maybe for an equal call of a robot."""
        self.key, self.called_at = stored.key, stored.called_at
        self.owner, self.until = stored.owner, stored.until
        self.failures, self.writes = stored.failures, stored.writes

    def to_item(self, now: float) -> Item:
        """Return the row to be stored; raises RowError where it would be too large."""
        writes = [[w.method, w.number, w.digest, w.at, w.done, w.result] for w in self.writes]
        text = json.dumps(writes, ensure_ascii=False, separators=(",", ":"))
        packed = zlib.compress(text.encode("utf-8", "surrogatepass"))
        if len(packed) > ROW_BYTES:
            raise RowError(
                f"{self.key}: the reaction makes {len(writes)} writes for one record, and their "
                f"results, {len(packed):,} bytes, are more than a row holds; the writes that were "
                "done stay done; let the reaction make fewer writes for one record"
            )
        called: Item = {"called_at": {"N": str(self.called_at)}} if self.called_at else {}
        return {
            "pk": {"S": self.key},
            **called,
            "owner": {"S": self.owner},
            "until": {"N": f"{self.until:.3f}"},
            "failures": {"N": str(self.failures)},
            "expires": {"N": str(int(now + CHECKPOINT_SECONDS))},
            "writes": {"B": packed},
        }

    @classmethod
    def of(cls, key: str, item: Item | None, now: float) -> "Checkpoint":
        """Return the checkpoint in a row, an empty one with this key without a row."""
        # An expired row is treated as empty even if DynamoDB has not deleted it yet; only its owner
        # still counts, as the condition of the next lease.
        if not item:
            return cls(key)
        checkpoint = cls(item["pk"]["S"], item["owner"]["S"], float(item["until"]["N"]))
        checkpoint.called_at = int(item.get("called_at", {}).get("N", 0))
        if float(item["expires"]["N"]) > now:
            checkpoint.failures = int(item["failures"]["N"])
            text = zlib.decompress(item["writes"]["B"]).decode("utf-8", "surrogatepass")
            checkpoint.writes = [Write(*fields) for fields in json.loads(text)]
        return checkpoint


def digest_of(params: Mapping[str, object]) -> str:
    """Return a digest of a call's parameters; their order does not count."""
    text = json.dumps(params, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]

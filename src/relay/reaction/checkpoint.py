"""What a reaction has done for a record, so that a second delivery does not do it again. Pure.

One row of the State table for each reaction and record (a change or an event by its id). It holds
the writes in the order of their intents, each by its method and the how-many-th of that method,
with the digest of its parameters; the result of those that are done. Whoever writes the row owns
it: it took a lease on it under a condition, and until that is over nobody else sends or writes.

What can happen, and why it does no harm (tests/integration/test_checkpoints_machine.py tries it):
- Killed before the intent: nothing was sent, nothing is known; the next run begins anew.
- Killed between intent and request, or between request and result: the lease is still on; when it
  is over nothing of that run is still under way (function timeout + the portal's 60 s), so a look
  by the stamp is conclusive: found is the result, not found is sent. Nothing to look for: a person.
- Killed between result and acknowledgement: the next run finds the result.
- Two deliveries at once: one gets the lease, the other waits before it has sent anything.
- Cancelled while a write is under way: the write is finished and its result noted all the same.
- gather: a run may ask in another order; equal parameters are matched first, and a call without
  its equal waits until its siblings have found theirs.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from relay.errors import RowError, SiblingsPendingError

KEEP_SECONDS = 30 * 24 * 3600  # queue and dead-letter queue keep a message 14 days each
CUT_OFF_SECONDS = 60.0  # the portal ends a request then (rest-protocol section 4)
CLOCK_SECONDS = 5.0  # how far the clocks of two copies may differ
ROW_BYTES = 390_000  # of compressed writes; DynamoDB's limit for a row is 400 KB


@dataclass(slots=True, eq=False)
class Write:
    """One write of a record: an intent until it is done."""

    method: str
    number: int  # the how-many-th of its method, from 0
    digest: str
    at: float  # when its intent was noted
    done: bool = False
    result: Any = None


@dataclass(slots=True, eq=False)
class Row:
    """What is stored of a record. `owner` and `until` are of the run that wrote it last."""

    key: str
    owner: str = ""
    until: float = 0.0
    failures: int = 0
    expires: float = 0.0
    writes: list[Write] = field(default_factory=list)

    def add(self, method: str, digest: str, now: float) -> Write:
        """Note an intent; it counts once it is stored."""
        number = 1 + max((its.number for its in self.writes if its.method == method), default=-1)
        write = Write(method, number, digest, now)
        self.writes.append(write)
        return write

    def take_over(self, stored: "Row") -> None:
        """Become what is stored: somebody else has written it meanwhile."""
        self.owner, self.until, self.expires = stored.owner, stored.until, stored.expires
        self.failures, self.writes = stored.failures, stored.writes

    def to_item(self, now: float) -> dict[str, Any]:
        """Return the row as DynamoDB stores it; raises RowError where it would be too large."""
        writes = [[w.method, w.number, w.digest, w.at, w.done, w.result] for w in self.writes]
        text = json.dumps(writes, ensure_ascii=False, separators=(",", ":"))
        packed = zlib.compress(text.encode("utf-8", "surrogatepass"))
        if len(packed) > ROW_BYTES:
            raise RowError(
                f"{self.key}: the reaction makes {len(writes)} writes for one record, and what is "
                f"kept of them, {len(packed):,} bytes, is more than a row holds; what was done "
                "stays done; let the reaction make fewer writes for one record"
            )
        return {
            "pk": {"S": self.key},
            "owner": {"S": self.owner},
            "until": {"N": f"{self.until:.3f}"},
            "failures": {"N": str(self.failures)},
            "expires": {"N": str(int(now + KEEP_SECONDS))},
            "writes": {"B": packed},
        }

    @classmethod
    def of(cls, key: str, item: Mapping[str, Any] | None, now: float) -> "Row":
        """Return what is stored under a key; what has expired holds nothing, swept or not."""
        if not item:
            return cls(key)
        row = cls(key, item["owner"]["S"], float(item["until"]["N"]), int(item["failures"]["N"]))
        row.expires = float(item["expires"]["N"])
        if row.expires > now:
            text = zlib.decompress(item["writes"]["B"]).decode("utf-8", "surrogatepass")
            row.writes = [Write(*its) for its in json.loads(text)]
        else:
            row.failures = 0
        return row


def digest_of(params: Mapping[str, Any]) -> str:
    """Return a digest of a call's parameters."""
    text = json.dumps(params, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def match(
    row: Row, claimed: set[Write], method: str, digest: str, *, quiet: bool
) -> Write | str | None:
    """Return the recorded write that a call is; None if it is a new one.

    A call without its equal must wait (raises SiblingsPendingError) while what is recorded may be a
    sibling's; once the run is quiet it takes the first of its method, whatever its parameters:
    the record wins. A name returned is that of a recorded method which the run never called.
    """
    left = [write for write in row.writes if write not in claimed]
    for write in left:
        if (write.method, write.digest) == (method, digest):
            return write
    if not left:
        return None
    if not quiet:
        raise SiblingsPendingError
    same = [write for write in left if write.method == method]
    return min(same, key=lambda write: write.number) if same else left[0].method

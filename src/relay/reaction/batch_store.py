"""What the State table holds of a batch's records: loaded before they run, stored after them."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple
from uuid import uuid4

from aws_lambda_powertools.logging import Logger

from relay.change import Change
from relay.errors import RelayError
from relay.portal import Portal
from relay.reaction.acting_user import acting_user
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.equal_calls import EqualCalls
from relay.reaction.lease import Lease
from relay.reaction.lookup import Lookup
from relay.reaction.newest import Newest
from relay.reaction.portal import OncePortal
from relay.reaction.record import Record
from relay.reaction.run import Log, Run
from relay.reaction.running import RunningRecord
from relay.reaction.write_notes import Author, Ledger, WriteNotes
from relay.retry_policy import Policy, policy_of
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests
from relay.state_table import checkpoint_key, newest_key


class _Keys(NamedTuple):
    """The keys of a record: its checkpoint's, its item's if it is a change, equal calls'."""

    checkpoint: str
    newest: str | None
    equal_calls: EqualCalls
    is_new: bool  # it comes for the first time

    def all(self) -> Iterator[str]:
        """Yield the keys of all rows that are loaded for the record.

        A change that comes for the first time has no checkpoint, but for doubles of SNS or SQS.
        Their first write meets it under the lease's condition, as where two load before either
        stores.
        """
        if not self.is_new:
            yield self.checkpoint
        if self.newest:
            yield self.newest
        yield from self.equal_calls.keys


class BatchStore:
    """The rows of one batch. Records of one id share a Checkpoint, those of one item a Newest.

    `until` is the time (epoch s) from which on nothing of this invocation can be under way.
    """

    def __init__(
        self, reaction: str, until: float, requests: StateRequests, logger: Logger
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._reaction = reaction
        self._until = until
        self._requests = requests
        self._logger = logger
        self._batch = StateBatch(requests)
        self._lookups: dict[Portal, Lookup] = {}
        self._ledger = Ledger(self._batch, reaction, self.counts)
        token = uuid4().hex
        self._tokens = (f"{token}.{number}" for number in count())

    def load(self, records: Sequence[RunningRecord]) -> None:
        """Read what is stored of the records, and give each its run; blocks. Raises StateError."""
        keys = [self._keys(one.record) for one in records]
        rows = self._requests.load(key for each in keys for key in each.all())
        now = time.time()
        checkpoints: dict[str, Checkpoint] = {}
        newest: dict[str, Newest] = {}
        for one, (own_key, item_key, equal_calls, _) in zip(records, keys, strict=True):
            key = equal_calls.key_in(rows, own_key)
            checkpoint = checkpoints.setdefault(key, Checkpoint.of(key, rows.get(key), now))
            lease = Lease(checkpoint, next(self._tokens), self._until, self._batch, equal_calls)
            one.run = Run(lease, self._log_of(one.record), one.record.operator)
            if item_key:
                latest = Newest.of(item_key, rows.get(item_key))
                one.newest = newest.setdefault(item_key, latest)

    def portal_of(self, one: RunningRecord, run: Run, portal: Portal) -> OncePortal:
        """Return the portal that a record's reaction gets."""
        name, user = one.record.payload.portal, acting_user(portal.webhook)
        author = Author(name, one.record.id, run.lease.token, user)
        notes = WriteNotes(self._ledger, author, run.log, one.newest)
        lookup = self._lookups.setdefault(portal, Lookup(portal))
        return OncePortal(portal, run, lookup, notes)

    async def store(self, one: RunningRecord) -> None:
        """Store what a run has done, and how its record ended."""
        if one.run:
            failed = one.error is not None and policy_of(one.error) is Policy.RETRY
            await asyncio.gather(one.run.finish(failed=failed), self._store_newest(one, one.run))

    async def _store_newest(self, one: RunningRecord, run: Run) -> None:
        change = one.record.payload
        if one.newest and isinstance(change, Change):
            try:
                await one.newest.store(change, self._batch, handled=one.is_handled)
            except RelayError as trouble:
                run.log("not noted", reason=str(trouble))

    def _keys(self, record: Record) -> _Keys:
        own, payload = checkpoint_key(self._reaction, record.id), record.payload
        if isinstance(payload, Change):
            item = newest_key(self._reaction, payload.portal, payload.subject)
            return _Keys(own, item, EqualCalls(), record.is_new)
        return _Keys(own, None, EqualCalls.of(self._reaction, payload), is_new=False)

    def _log_of(self, record: Record) -> Log:
        fields = {"message_id": record.message.message_id, **record.log_fields()}
        return lambda text, **more: self._logger.warning(text, extra={**fields, **more})

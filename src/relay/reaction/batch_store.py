"""What the State table holds of a batch's records: loaded before they run, stored after them."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count
from uuid import uuid4

from aws_lambda_powertools.logging import Logger

from relay.change import Change
from relay.errors import RelayError
from relay.portal import Portal
from relay.reaction.checkpoint import Checkpoint
from relay.reaction.lease import Lease
from relay.reaction.newest import Newest
from relay.reaction.portal import OncePortal
from relay.reaction.record import Record
from relay.reaction.run import Run
from relay.reaction.running import RunningRecord
from relay.reaction.write_notes import Ledger, Log, WriteNotes
from relay.retry_policy import Policy, policy_of
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests
from relay.state_table import checkpoint_key, newest_key


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
        self._ledger = Ledger(self._batch, reaction, self.counts)
        token = uuid4().hex
        self._tokens = (f"{token}.{number}" for number in count())

    def load(self, records: Sequence[RunningRecord]) -> None:
        """Read what is stored of the records, and give each its run; blocks. Raises StateError."""
        keys = [self._keys(one.record) for one in records]
        rows = self._requests.load(key for some in keys for key in some)
        now = time.time()
        checkpoints: dict[str, Checkpoint] = {}
        newest: dict[str, Newest] = {}
        for one, (key, *of_item) in zip(records, keys, strict=True):
            checkpoint = checkpoints.setdefault(key, Checkpoint.of(key, rows.get(key), now))
            lease = Lease(checkpoint, next(self._tokens), self._until, self._batch)
            one.run = Run(lease, self._log_of(one.record), one.record.operator)
            for item_key in of_item:
                latest = Newest.of(item_key, rows.get(item_key))
                one.newest = newest.setdefault(item_key, latest)

    def portal_of(self, record: Record, run: Run, portal: Portal) -> OncePortal:
        """Return the portal that a record's reaction gets."""
        user_id, token = portal.webhook.user_id, run.lease.token
        name = record.payload.portal
        return OncePortal(
            portal, run, WriteNotes(self._ledger, name, record.id, token, user_id, run.log)
        )

    async def store(self, one: RunningRecord) -> None:
        """Store what a run has done, and how its record ended."""
        if one.run:
            failed = one.error is not None and policy_of(one.error) is Policy.RETRY
            await asyncio.gather(one.run.finish(failed=failed), self._store_newest(one, one.run))

    async def _store_newest(self, one: RunningRecord, run: Run) -> None:
        change = one.record.payload
        if one.is_handled and one.newest and isinstance(change, Change):
            try:
                await one.newest.store(change, self._batch)
            except RelayError as trouble:
                run.log("not noted", reason=str(trouble))

    def _keys(self, record: Record) -> list[str]:
        """Return the key of a record's checkpoint, and that of its item if it is a change."""
        keys = [checkpoint_key(self._reaction, record.id)]
        if isinstance(record.payload, Change):
            change = record.payload
            keys.append(newest_key(self._reaction, change.portal, change.subject))
        return keys

    def _log_of(self, record: Record) -> Log:
        fields = record.log_fields()
        return lambda text, **more: self._logger.warning(text, extra={**fields, **more})

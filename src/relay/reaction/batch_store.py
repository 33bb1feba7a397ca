"""What the State table holds of a batch's records: loaded before they run, stored after them."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
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
from relay.reaction.record import Record, item_of
from relay.reaction.run import Run
from relay.reaction.write_notes import Ledger, WriteNotes
from relay.retry_policy import Policy, policy_of
from relay.state_batch import StateBatch
from relay.state_requests import StateRequests
from relay.state_table import checkpoint_key, newest_key


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with its run, and for a change the latest version handled of its item."""

    record: Record
    run: Run
    newest: Newest | None

    @property
    def is_superseded(self) -> bool:
        """Whether a later change of the item was handled."""
        change = self.record.payload
        return isinstance(change, Change) and bool(self.newest and self.newest.is_after(change))


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

    def load(self, records: Iterable[Record]) -> dict[Record, StoredRecord]:
        """Return the records with what is stored of them; blocks. Raises StateError."""
        keys = {record: self._keys(record) for record in records}
        rows = self._requests.load(key for some in keys.values() for key in some)
        now = time.time()
        checkpoints: dict[str, Checkpoint] = {}
        newest: dict[str, Newest] = {}
        loaded = {}
        for record, (key, *newest_keys) in keys.items():
            checkpoint = checkpoints.setdefault(key, Checkpoint.of(key, rows.get(key), now))
            latest = None
            for of_item in newest_keys:
                latest = newest.setdefault(of_item, Newest.of(of_item, rows.get(of_item)))
            lease = Lease(checkpoint, next(self._tokens), self._until, self._batch)
            run = Run(lease, self._log_of(record), record.operator)
            loaded[record] = StoredRecord(record, run, latest)
        return loaded

    def portal_of(self, stored: StoredRecord, portal: Portal) -> OncePortal:
        """Return the portal that a record's reaction gets."""
        run, record = stored.run, stored.record
        notes = WriteNotes(
            self._ledger,
            record.payload.portal,
            record.id,
            run.lease.token,
            portal.webhook.user_id,
            run.log,
        )
        return OncePortal(portal, run, notes)

    async def store(self, stored: StoredRecord, error: Exception | None) -> None:
        """Store what a run has done, and how it ended: `error` is None for a handled record."""
        failed = error is not None and policy_of(error) is Policy.RETRY
        jobs = [stored.run.finish(failed=failed)]
        if error is None and stored.newest:
            jobs.append(self._store_newest(stored, stored.newest))
        await asyncio.gather(*jobs)

    async def _store_newest(self, stored: StoredRecord, newest: Newest) -> None:
        change = stored.record.payload
        if isinstance(change, Change) and newest.advance_to(change):
            try:
                await newest.store(self._batch)
            except RelayError as trouble:
                stored.run.log("not noted", reason=str(trouble))

    def _keys(self, record: Record) -> list[str]:
        """Return the key of a record's checkpoint, and that of its item if it is a change."""
        keys = [checkpoint_key(self._reaction, record.id)]
        if isinstance(record.payload, Change):
            change = record.payload
            keys.append(newest_key(self._reaction, change.portal, item_of(change)))
        return keys

    def _log_of(self, record: Record) -> "_RecordLog":
        return _RecordLog(self._logger, record)


@dataclass(frozen=True, slots=True)
class _RecordLog:
    """Logs warnings with the fields that name a record."""

    logger: Logger
    record: Record

    def __call__(self, message: str, /, **fields: object) -> None:
        self.logger.warning(message, extra={**self.record.log_fields(), **fields})

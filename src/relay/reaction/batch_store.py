"""What a reaction keeps of a batch's records: read before they run, stored after them."""

import asyncio
from collections import Counter, defaultdict
from itertools import count
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.logging import Logger

from relay import settings
from relay.errors import RelayError
from relay.reaction.record import Record
from relay.reaction.run import Run
from relay.reaction.write_notes import WriteNotes
from relay.retry_policy import Policy, policy_of
from relay.state_table import StateTable


class BatchStore:
    """The rows of one batch in the State table.

    `until` is when nothing of this invocation can be under way any more.
    """

    def __init__(self, reaction: str, until: float, logger: Logger, counts: Counter[str]) -> None:
        self._reaction = reaction
        self._until = until
        self._logger = logger
        self._counts = counts
        token = uuid4().hex
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tokens = (f"{token}.{number}" for number in count())

    def load(self, records: list[Record]) -> None:
        """Read what is known of the records; raises ConfigurationError, StateError."""
        (table,) = settings.read("STATE_TABLE")
        self._state = StateTable(settings.client("dynamodb"), table)
        stored = self._state.load(key for its in records for key in its.keys(self._reaction))
        known: dict[str, Any] = {}
        for record in records:
            record.know(self._reaction, stored, known)

    def run_of(self, record: Record) -> Run:
        """Return a run of the reaction for a record."""
        token = next(self._tokens)
        about = record.about()

        def log(message: str, **more: Any) -> None:
            self._logger.warning(message, **about, **more)

        noting = WriteNotes(
            state=self._state,
            portal=record.subject.portal,
            reaction=self._reaction,
            record=record.record_id,
            token=token,
            turns=self._turns,
            user=lambda: record.user,
            counts=self._counts,
            log=log,
        )
        row = record.row
        assert row is not None  # noqa: S101  it was read
        return Run(
            *(row, token, self._until, self._state, log),
            redriven=record.redriven,
            decided=record.decided,
            noting=noting,
        )

    async def store(self, record: Record) -> None:
        """Store what the run has done, and that it was: its own failures too."""
        jobs: list[Any] = []
        if record.run:
            failed = record.error is not None and policy_of(record.error) is Policy.RETRY
            jobs.append(record.run.finish(failed=failed))
        if record.newest and record.handled and record.newest.note(record.subject):
            jobs.append(self._note(record))
        await asyncio.gather(*jobs)

    async def _note(self, record: Record) -> None:
        assert record.newest is not None  # noqa: S101  looked at by who calls
        try:
            await self._state.write(record.newest)
        except RelayError as trouble:
            self._logger.warning("not noted", reason=str(trouble), **record.about())

"""A deadline of a reaction that passes when a test says so, however slow the machine is."""

import asyncio

from relay.reaction.deadline import Deadline


class DeadlineAt(Deadline):
    """A deadline that passes when `come` is set and one chain of records is left, and not before.

    `passed` is set then.
    """

    def begin(self, seconds):
        """Begin an invocation, with time enough for all else."""
        super().begin(seconds + 3600)
        self.come, self.passed = asyncio.Event(), asyncio.Event()

    async def wait(self, tasks):
        """Wait for all tasks, or for the deadline."""
        left, coming = set(tasks), asyncio.create_task(self.come.wait())
        while left and not (len(left) == 1 and coming.done()):
            waited = {*left, coming} if not coming.done() else left
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            left = {one for one in left if not one.done()}
        self.passed.set()
        coming.cancel()
        return left


def deadline_of(late):
    """Return a reaction's deadline, which passes when the test says so."""
    late._deadline = DeadlineAt(late.name)  # noqa: SLF001  its clock is nobody else's
    return late._deadline  # noqa: SLF001

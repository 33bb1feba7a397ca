"""The write calls of reactions: one call, or a batch of commands."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.portal.api import Commands, Params
from relay.portal.batch import BATCH
from relay.portal.idempotent import is_read
from relay.portal.references import resolve


class Finished(NamedTuple):
    """A write that has run, with its result; `resolved` has its parameters without references."""

    method: str
    params: Params
    resolved: Params
    result: object


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch with writes has done, by the names of its commands."""

    results: dict[str, object]  # the result, or the CallError, of each command that ran
    errors: dict[str, list[str]]  # method, code and description of each that was refused


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a reaction; a batch has its `commands` beside, by their names, others have none."""

    method: str
    params: Params
    commands: Commands = field(default_factory=dict)

    @classmethod
    def batch(cls, commands: Commands, *, halt: bool) -> "Call":
        """Return a batch; `halt` ends it at the first error."""
        return cls(BATCH, {"commands": commands, "halt": halt}, commands)

    def writes(self) -> Iterator[tuple[str, Params]]:
        """Yield method and parameters of the call, or of the writes of the batch."""
        if not self.commands:
            yield self.method, self.params
        yield from (one for one in self.commands.values() if not is_read(one[0]))

    def reads(self) -> Commands:
        """Return the reads of the batch by their names; a call that is none has no reads."""
        return {name: one for name, one in self.commands.items() if is_read(one[0])}

    def finished(self, result: object) -> Iterator[Finished]:
        """Yield the writes that have run, each with its own result.

        `result` is that of the call, or a BatchResult. A reference that is the whole of a value is
        resolved as the portal does it; another one stays.
        """
        if not isinstance(result, BatchResult):
            yield Finished(self.method, self.params, self.params, result)
            return
        for name, (method, params) in self.commands.items():
            if name in result.results and not is_read(method):
                resolved = resolve(params, result.results)
                yield Finished(method, params, resolved, result.results[name])

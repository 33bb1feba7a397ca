"""The write calls of reactions: one call, or a batch of commands."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from relay.portal.batch import BATCH
from relay.portal.idempotent import is_read
from relay.portal.references import resolve

type Params = Mapping[str, object]  # JSON
type Commands = Mapping[str, tuple[str, Params]]


class Command(NamedTuple):
    """A REST method with its parameters."""

    method: str
    params: Params


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

    def to_json(self, *, without: Commands) -> str:
        """Return it as text; of the commands `without` only that they were answered."""
        kept = {name: None if name in without else one for name, one in self.results.items()}
        document = {"results": kept, "errors": self.errors}
        return json.dumps(document, ensure_ascii=False, default=str)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a reaction; a batch has its `commands` beside, by their names."""

    method: str
    params: Params
    commands: Commands | None = None

    @classmethod
    def batch(cls, commands: Commands, *, halt: bool) -> "Call":
        """Return a batch; `halt` ends it at the first error."""
        return cls(BATCH, {"commands": commands, "halt": halt}, commands)

    def writes(self) -> Iterator[Command]:
        """Yield the call, or the writes of the batch."""
        if self.commands is None:
            yield Command(self.method, self.params)
            return
        yield from (Command(*one) for one in self.commands.values() if not is_read(one[0]))

    def finished(self, result: object) -> Iterator[Finished]:
        """Yield the writes that have run, each with its own result.

        `result` is that of the call, or a BatchResult. A reference that is the whole of a value is
        resolved as the portal does it; another one stays.
        """
        if self.commands is None or not isinstance(result, BatchResult):
            yield Finished(self.method, self.params, self.params, result)
            return
        for name, (method, params) in self.commands.items():
            if name in result.results and not is_read(method):
                resolved = resolve(params, result.results)
                yield Finished(method, params, resolved, result.results[name])

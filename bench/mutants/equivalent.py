"""The mutants that change nothing a test could see, each with the reason (equivalent.toml).

The reason is a person's judgement. An entry that fits no mutant any more is an error, so that
the list follows the code.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from bench.mutants.operators import Mutant

LIST = Path(__file__).with_name("equivalent.toml")


class Equivalents:
    """The list: file -> "function: old -> new" -> reason."""

    def __init__(self, path: Path = LIST) -> None:
        self._reasons: dict[tuple[str, str], str] = {
            (file, mutant): reason
            for file, mutants in tomllib.loads(path.read_text()).items()
            for mutant, reason in mutants.items()
        }

    def __contains__(self, mutant: Mutant) -> bool:
        return _key(mutant) in self._reasons

    def check(self, mutants: Iterable[Mutant]) -> None:
        """Raise ValueError if an entry about one of the mutants' files fits none of them."""
        keys = {_key(each) for each in mutants}
        files = {file for file, _ in keys}
        stale = [
            f"{file}: {mutant}"
            for file, mutant in self._reasons
            if file in files and (file, mutant) not in keys
        ]
        if stale:
            raise ValueError(f"{LIST.name} names mutants that do not exist: {'; '.join(stale)}")


def _key(mutant: Mutant) -> tuple[str, str]:
    return mutant.path, mutant.change

"""Which files of the project were saved: a look at their times and sizes takes milliseconds."""

import os
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".py", ".json", ".txt", ".yaml")
_State = dict[Path, tuple[int, int]]


class SavedFiles:
    """The watched files and folders, as they were at the last look."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self._taken = self._latest = self._look()

    def new(self) -> set[Path]:
        """Return what was written, added or removed since it was last returned.

        A file that is still being written is returned later: two looks in a row must agree.
        """
        before, self._latest = self._latest, self._look()
        if before != self._latest or self._latest == self._taken:
            return set()
        taken, self._taken = self._taken, self._latest
        paths = taken.keys() | self._taken.keys()
        return {path for path in paths if taken.get(path) != self._taken.get(path)}

    def _look(self) -> _State:
        state: _State = {}
        for path in self._files():
            try:
                found = path.stat()
            except FileNotFoundError:  # an editor replaces files
                continue
            state[path] = found.st_mtime_ns, found.st_size
        return state

    def _files(self) -> Iterator[Path]:
        for root in self._roots:
            if not root.is_dir():
                yield root
            for folder, folders, names in os.walk(root):
                folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
                for name in names:
                    if name.endswith(_SUFFIXES) and not name.startswith("."):
                        yield Path(folder, name)

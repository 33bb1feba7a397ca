"""Which files of the project were saved: a look at their times and sizes takes milliseconds."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

REST_SECONDS = 0.05  # an editor may write a file in parts
_SUFFIXES = (".py", ".json", ".txt", ".yaml")
_State = dict[Path, tuple[int, int]]


class SavedFiles:
    """The watched files and folders, as they were when they were last returned."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self._taken = self._look()

    def new(self) -> set[Path]:
        """Return what was written, added or removed since the last call, at rest for a moment."""
        latest, before = self._look(), self._taken
        while latest not in (before, self._taken):
            time.sleep(REST_SECONDS)
            before, latest = latest, self._look()
        taken, self._taken = self._taken, latest
        paths = taken.keys() | latest.keys()
        return {path for path in paths if taken.get(path) != latest.get(path)}

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

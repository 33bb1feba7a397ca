"""The deployed package with the code that was saved since, and which functions load that code."""

import ast
import io
import re
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

PACKAGE = "relay"
HANDLER = re.compile(rf"\b{PACKAGE}(?:\.\w+)+\.handler\b")


class Package:
    """A deployed zip whose files of our package are replaced by those that were saved."""

    def __init__(self, deployed: bytes) -> None:
        self._ours: dict[str, bytes] = {}  # as deployed
        others = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(deployed)) as old,
            zipfile.ZipFile(others, "w", zipfile.ZIP_STORED) as new,
        ):
            for name in old.namelist():
                if name.startswith(f"{PACKAGE}/"):
                    self._ours[name] = old.read(name)
                else:
                    new.writestr(name, old.read(name))
        self._others = others.getvalue()

    def with_saved(self, source: Path) -> bytes:
        """Return the zip with the package below `source`.

        Byte code stays where its source is the same: without it a new copy compiles its imports.
        """
        files = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for path in (source / PACKAGE).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        same = {name for name, content in files.items() if self._ours.get(name) == content}
        kept = {name: code for name, code in self._ours.items() if _source_of(name) in same}
        packed = io.BytesIO(self._others)
        with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as new:
            for name, content in sorted((files | kept).items()):
                new.writestr(name, content)
        return packed.getvalue()


def _source_of(name: str) -> str | None:
    """Return the source of a file of byte code; None for any other file."""
    path = PurePosixPath(name)
    if path.suffix != ".pyc":
        return None
    return str(path.parents[1] / f"{path.name.partition('.')[0]}.py")


def affected(handlers: Iterable[str], saved: Iterable[Path], source: Path) -> set[str]:
    """Return the handlers that load a saved file, by the imports between our modules.

    A file that is gone, or is no module, may be used by all.
    """
    files = set(saved)
    if not all(path.suffix == ".py" and path.is_file() for path in files):
        return set(handlers)
    found = set()
    for handler in handlers:
        loaded, waiting = set(), _files(handler.rpartition(".")[0], source)
        while waiting:
            path = waiting.pop()
            if path not in loaded:
                loaded.add(path)
                waiting |= _imports(path, source, path.stat().st_mtime_ns)
        if files & loaded:
            found.add(handler)
    return found


@cache
def _imports(path: Path, source: Path, _written: int) -> set[Path]:
    """Return the files of ours that a module imports; none of one that is no Python."""
    package = path.relative_to(source).parent.parts
    found: set[Path] = set()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                found |= _files(name.name, source)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                found |= _files(f"{module}.{name.name}", source)
    return found


def _files(module: str, source: Path) -> set[Path]:
    """Return the files that are run when a name is imported: its own, and its packages'."""
    parts = module.split(".")
    paths = [source.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    both = [one for path in paths for one in (path / "__init__.py", path.with_suffix(".py"))]
    return {path for path in both if path.is_file()}

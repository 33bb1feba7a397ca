"""A traceback as its author wants it: the line of a reaction first, no frame of the framework."""

import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

_OURS = re.compile(r".*/(relay/.+\.py)$")  # wherever the package lies: src/, /var/task/, ...
_REACTIONS = "src/relay/reactions/"


class Frame(NamedTuple):
    """One line of code on the way to an error; `file` is a path of the project where it is ours."""

    file: str
    line: int
    function: str
    statement: str

    @classmethod
    def of(cls, file: object, line: object, function: object, statement: object) -> Self:
        """Return a frame whose file is named as in the project."""
        ours = _OURS.match(str(file))
        path = f"src/{ours[1]}" if ours else str(file)
        number = int(line) if isinstance(line, int | str) and str(line).isdigit() else 0
        return cls(path, number, str(function or ""), str(statement or "").strip())

    @property
    def place(self) -> str:
        """The frame as editors take it: `src/relay/reactions/x.py:12 in x`."""
        where = f" in {self.function}" if self.function else ""
        return f"{self.file}:{self.line}{where}"


def frames_of_log(line: Mapping[str, Any]) -> list[Frame]:
    """Return the frames in a log line of Powertools (`stack_trace`), outermost first."""
    trace = line.get("stack_trace")
    frames = trace.get("frames") if isinstance(trace, Mapping) else None
    if not isinstance(frames, list):
        return []
    names = ("file", "line", "function", "statement")
    return [
        Frame.of(*(one.get(name) for name in names)) for one in frames if isinstance(one, Mapping)
    ]


def frames_of_error(error: BaseException) -> list[Frame]:
    """Return the frames of a raised error, outermost first; of a SyntaxError its own place."""
    if isinstance(error, SyntaxError):
        return [Frame.of(error.filename, error.lineno, "", error.text)]
    return [
        Frame.of(one.filename, one.lineno, one.name, one.line)
        for one in traceback.extract_tb(error.__traceback__)
    ]


def own(frames: Iterable[Frame]) -> list[Frame]:
    """Return what to read, innermost first: frames of reactions, else of the relay, else all."""
    inward = list(frames)[::-1]
    reactions = [one for one in inward if one.file.startswith(_REACTIONS)]
    return reactions or [one for one in inward if one.file.startswith("src/relay/")] or inward


def lines(frames: Iterable[Frame]) -> list[str]:
    """Return the lines of a traceback: each place, and its statement below it."""
    found: list[str] = []
    for frame in own(frames):
        found.append(frame.place)
        if frame.statement:
            found.append(f"    {frame.statement}")
    return found

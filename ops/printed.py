"""What a reaction prints and logs, as lines with its name."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from ops.terminal import console, shown

# Keys that are given to each line: by Lambda, by Powertools, by what runs a reaction.
_USUAL = {
    *("level", "location", "message", "timestamp", "service", "logger", "requestId", "taskName"),
    *("exception", "exception_name", "stack_trace", "xray_trace_id"),
    *("event_id", "event_name", "change_id", "portal", "subject", "message_id", "lag"),
}


def own_words(line: Mapping[str, Any]) -> str:
    """Return a log line of a reaction's own code: `WARNING no phone  deal=5`."""
    message, level = line["message"], line.get("level", "INFO")
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    more = [f"{key}={value}" for key, value in line.items() if key not in _USUAL]
    if error := line.get("exception_name"):
        more.append(str(error))
    return "  ".join([text if level == "INFO" else f"{level} {text}", *more])


class Printed(io.TextIOBase):
    """Standard output for a reaction: each line is shown with its name; with JSON=1 none is."""

    def __init__(self, name: str) -> None:
        self._name, self._begun, self._real = name, "", sys.stdout

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take what is printed within, its last line too where it has no end."""
        self._real = sys.stdout
        with redirect_stdout(self):
            yield
        if self._begun:
            self.write("\n")

    def write(self, text: str) -> int:
        """Show the lines that end in a text."""
        *lines, self._begun = (self._begun + text).split("\n")
        with redirect_stdout(self._real):
            for line in lines:
                console.print(shown(f"          {self._name}: {_readable(line)}"))
        return len(text)


def _readable(text: str) -> str:
    try:
        line = json.loads(text)
    except ValueError:
        return text
    return own_words(line) if isinstance(line, dict) and "message" in line else text

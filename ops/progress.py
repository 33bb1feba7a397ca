"""What an operator sees of a command that takes longer than two seconds."""

import sys
import time

FIRST_SECONDS, NEXT_SECONDS = 2.0, 5.0


class Progress:
    """Says on standard error how far a command is: after 2 s, then every 5 s."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._due = time.monotonic() + FIRST_SECONDS

    def at(self, done: int, of: int | None = None) -> None:
        """Note how much is done, of how much in all where that is known."""
        if time.monotonic() >= self._due:
            total = f" of about {max(of, done)}" if of else ""
            print(f"{self._doing}: {done}{total} …", file=sys.stderr, flush=True)
            self._due = time.monotonic() + NEXT_SECONDS

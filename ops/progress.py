"""What an operator sees of a command that takes longer than two seconds."""

import os
import signal
import sys
import time

from ops.ages import age

FIRST_SECONDS, NEXT_SECONDS = 2.0, 5.0


class Progress:
    """Says on standard error how far a command is: after 2 s, then every 5 s.

    A closed pipe is taken for Ctrl-C; without its terminal the command goes on.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._began = time.monotonic()
        self._due = self._began + FIRST_SECONDS

    def at(self, done: int, of: int | None = None) -> None:
        """Note how much is done, of how much in all where that is known."""
        if (now := time.monotonic()) < self._due:
            return
        total = f" of about {max(of, done)}" if of else ""
        if of and 0 < done < of:
            total += f", {age((now - self._began) / done * (of - done))} more"
        try:
            print(f"{self._doing}: {done}{total} …", file=sys.stderr, flush=True)
        except OSError as trouble:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
            if isinstance(trouble, BrokenPipeError):
                signal.raise_signal(signal.SIGINT)
        self._due = now + NEXT_SECONDS

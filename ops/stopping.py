"""Ctrl-C, SIGTERM and a closed terminal between two steps of a command, never within one."""

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ASKED = b"\nstopping after this step; Ctrl-C again ends it at once\n"


class Stop:
    """True after the first of these signals; the second ends the command at once.

    A signal that the process was started to ignore, as with nohup, stays ignored.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __enter__(self) -> Self:
        heard = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._ask) for number in heard}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._restore()

    def __bool__(self) -> bool:
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until the signal."""
        self._asked.wait(seconds)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()
        self._restore()
        if sys.stderr.isatty():
            with suppress(OSError):  # the terminal may be gone
                os.write(sys.stderr.fileno(), ASKED)  # `print` may be what was interrupted

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

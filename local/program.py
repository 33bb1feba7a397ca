"""A program of this project as a process of its own, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

POLL_SECONDS = 0.02
LOG_CHARACTERS = 2000  # of its log, shown where it does not start


class Program(ABC):
    """A context manager: starts a process, waits until it is ready, ends it, removes its folder.

    The process leads a session of its own: Ctrl-C is for the launcher, which ends its programs in
    order, each with all that it started. SIGTERM, as of `kill`, ends the launcher as Ctrl-C does.
    """

    NAME: ClassVar[str]
    START_SECONDS: ClassVar[float]
    END_SECONDS: ClassVar[float]

    folder: Path
    process: subprocess.Popen[bytes]

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program and its arguments; `folder` is there."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return all of the process's environment."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Return whether the program can be used."""

    def working_folder(self) -> Path:
        """Return where the process runs."""
        return self.folder

    def __enter__(self) -> Self:
        """Start the process; raises RuntimeError with the end of its log where it is not ready."""
        _end_as_ctrl_c_does()
        self.folder = Path(tempfile.mkdtemp(prefix="relay-"))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                self.command(),
                env=self.environment(),
                cwd=self.working_folder(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End the process and remove its folder."""
        self.close()

    def close(self) -> None:
        """Ask the process to end, kill it and all that it started where it does not; clean up.

        A second Ctrl-C kills it at once.
        """
        self.process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self.END_SECONDS)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.NAME} did not start:\n{self.log()[-LOG_CHARACTERS:]}")
            time.sleep(POLL_SECONDS)

    def log(self) -> str:
        """Return all that the process has printed."""
        return (self.folder / "log").read_text("utf-8", errors="replace")


def _end_as_ctrl_c_does() -> None:
    """Let SIGTERM raise KeyboardInterrupt where it would end this process without any cleaning."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)

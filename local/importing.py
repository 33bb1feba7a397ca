"""Whether Lambda could load handlers that were saved: they are imported in a process of their own.

The process has imported all that they need of others, and forks for each question, so that an
answer takes the time of our own modules only.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from local.trace import frames_of_error, lines, own

SECONDS = 20
MOST_LETTERS = 1000  # of an error: a pipe holds 64 KiB
_POLL_SECONDS = 0.01


class Importer:
    """A context manager: the process, and questions to it; an import may take `seconds`."""

    def __init__(self, source: Path, root: Path, seconds: float = SECONDS) -> None:
        self._source, self._root, self._seconds = source, root, seconds

    def __enter__(self) -> Self:
        """Start the process."""
        self._process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "local.importing", str(self._seconds)],
            cwd=self._root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self._source)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the launcher
        )
        return self

    def __exit__(self, *_raised: object) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()

    def troubles(self, handlers: Iterable[str]) -> dict[str, list[str]]:
        """Return each error at the import of handlers, with its traceback: {text: handlers}."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the importing process has no pipes")
        stdin.write(" ".join(sorted(handlers)) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError("the process that imports what is saved has ended; start anew")
        found: dict[str, list[str]] = json.loads(answer)
        return found


def load(handler: str) -> None:
    """Import a handler's module; raises what its code raises, TypeError without a handler."""
    module, _, name = handler.rpartition(".")
    loaded = importlib.import_module(module)
    if not callable(getattr(loaded, name, None)):
        raise TypeError(f"{module} has no {name}; its last line is {name} = <reaction>.{name}")


def troubles(handlers: Iterable[str]) -> dict[str, list[str]]:
    """Import handlers here; return each error and its lines in our code, with its handlers."""
    texts: dict[object, str] = {}
    found: dict[str, list[str]] = {}
    for handler in handlers:
        try:
            load(handler)
        except (Exception, SystemExit) as error:  # noqa: BLE001  each means that Lambda can't either
            message = (
                f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
            )
            ours = [one for one in frames_of_error(error) if one.file.startswith("src/")]
            inner = ours[-1:]  # the same of each handler that meets the error
            places = [line for one in dict.fromkeys([*inner, *own(ours)]) for line in lines([one])]
            text = texts.setdefault((message, *inner), "\n".join([message, *places])[:MOST_LETTERS])
            found.setdefault(text, []).append(handler)
    return found


def _forget_ours() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "relay"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _answer(handlers: list[str], seconds: float) -> str:
    """Return the troubles that a fork finds, which has no module of ours yet, as JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what a module prints
            _forget_ours()
            os.write(writing, json.dumps(troubles(handlers)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    until = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            problem = f"{', '.join(handlers)}: the import takes more than {seconds:g} s"
            return json.dumps({problem: handlers})
        time.sleep(_POLL_SECONDS)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        return pipe.read() or json.dumps({"an import ended the process": handlers})


def main(seconds: float) -> None:
    """Answer each line of handlers with a line of JSON, until the pipe ends."""
    with suppress(Exception):  # what fails here is told when it is asked for
        for module in (
            "relay.reaction",
            "relay.portal",
            "relay.ingress.app",
            "relay.tracking.track",
        ):
            importlib.import_module(module)
    for line in sys.stdin:
        print(_answer(line.split(), seconds), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))

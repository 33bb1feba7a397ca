"""One mutant, tried: a fork of this process imports the changed module and runs the tests.

The fork saves the second that importing boto3 and moto takes; no file is changed, so
several can be tried at once.
"""

import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import pytest

from bench.mutants.operators import Mutant

# A test that takes so long, or a trial that computes so long, hangs because of the mutant.
TEST_SECONDS = 40
CPU_SECONDS = 180
BROKEN = 99  # no answer of pytest
CAUGHT, SURVIVED, HUNG = "caught", "survived", "hung"
UNKNOWN = "not tried"  # pytest itself failed


def preload() -> None:
    """Import what the tests import, except for the code that is mutated."""
    # Plugins of pytest, such as hypothesis, may not be loaded before it.
    for name in ("boto3", "moto", "requests", "aws_lambda_powertools"):
        __import__(name)


class Trial:
    """A mutant that is being tried in a process of its own."""

    def __init__(self, mutant: Mutant, tests: Sequence[str]) -> None:
        self.mutant = mutant
        self._process = os.fork()
        if not self._process:
            _run(mutant, tests)

    def outcome(self) -> str | None:
        """Return the outcome, None while the tests run."""
        ended, status = os.waitpid(self._process, os.WNOHANG)
        if not ended:
            return None
        code = os.waitstatus_to_exitcode(status)
        # With some mutants a test can't even be found: its parameters come from the mutated code.
        if code in {
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.INTERRUPTED,
            pytest.ExitCode.USAGE_ERROR,
        }:
            return CAUGHT
        if code in {-signal.SIGALRM, -signal.SIGXCPU}:
            self.kill()
            return HUNG
        return SURVIVED if code == pytest.ExitCode.OK else UNKNOWN

    def kill(self) -> None:
        """End the tests, and what they have started."""
        with suppress(ProcessLookupError, ChildProcessError):  # it has ended by itself
            os.killpg(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)


class _TestAlarm:
    """Ends the trial where one test takes too long."""

    def pytest_runtest_logstart(self) -> None:
        """Begin with a test."""
        signal.alarm(TEST_SECONDS)


def _run(mutant: Mutant, tests: Sequence[str]) -> NoReturn:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    code = BROKEN
    try:
        sys.meta_path.insert(0, _Finder(mutant))
        # Most mutants end in their module's own tests; to collect the others costs seconds.
        for part in _own_first(mutant, tests):
            options = ["-x", "-q", "-p", "no:cacheprovider", "--no-cov"]
            code = pytest.main([*options, *part], [_TestAlarm()])
            if code:
                break
    finally:
        os._exit(int(code))


def _own_first(mutant: Mutant, tests: Sequence[str]) -> list[Sequence[str]]:
    """Return the tests of the mutant's module and the others, without an empty list."""
    path = Path(mutant.path)
    own = str(Path("tests/unit", *path.parts[2:-1], f"test_{path.name}::"))
    first = [test for test in tests if test.startswith(own)]
    others = [test for test in tests if not test.startswith(own)]
    return [part for part in (first, others) if part]


@contextmanager
def ended_with_us(trials: Iterable[Trial]) -> Iterator[None]:
    """Kill the trials that still run when this process is told to end."""

    def end(*_: object) -> None:
        sys.exit(1)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        for trial in trials:
            trial.kill()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds one module, with its changed source."""

    def __init__(self, mutant: Mutant) -> None:
        path = Path(mutant.path)
        self._name = ".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__")
        self._mutant = mutant

    def find_spec(
        self,
        name: str,
        path: object = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to load the module, None for any other."""
        if name != self._name:
            return None
        where = str(Path(self._mutant.path).resolve())
        spec = importlib.util.spec_from_loader(name, self, origin=where)
        if spec:
            spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """Return the changed text."""
        return self._mutant.text

    def get_code(self, fullname: str) -> CodeType:
        """Return the changed text, compiled."""
        where = str(Path(self._mutant.path).resolve())
        return compile(self.get_source(fullname), where, "exec")

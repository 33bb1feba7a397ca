"""Which tests run which line: one run of the unit and integration tests, with contexts."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

DATA, TIMES = Path(".local/mutants.coverage"), Path(".local/mutants.xml")
# The simulated portal's and the local tools' own tests run no line that is mutated.
TESTS = ["tests/unit", "tests/integration"]
IGNORED = [
    "tests/unit/local",
    "tests/unit/local_portal",
    "tests/unit/ops",
    "tests/integration/portal",
]


class Covering:
    """The tests by the lines that they run: the quickest file first, its tests in their order."""

    def __init__(self, slow_seconds: float) -> None:
        """Leave out the tests that take longer: what only they catch counts as not caught."""
        self._slow_seconds = slow_seconds
        self._data = CoverageData(str(DATA))
        self._data.read()
        self._cases = _cases()

    def tests_of(self, path: Path, line: int) -> list[str]:
        """Return the ids of the tests that run a line of a file."""
        contexts = self._data.contexts_by_lineno(str(path.resolve())).get(line, [])
        ids = {context.rpartition("|")[0] for context in contexts if "|" in context}
        ids = {each for each in ids if self._cases[_key(each)].seconds <= self._slow_seconds}
        seconds: defaultdict[str, float] = defaultdict(float)
        for each in ids:
            seconds[_file(each)] += self._cases[_key(each)].seconds
        return sorted(
            ids,
            key=lambda each: (seconds[_file(each)], _file(each), self._cases[_key(each)].at),
        )


def check_tests(ids: Iterable[str]) -> None:
    """Raise RuntimeError if a test of the last run is gone: its mutants would count as caught."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603  our own tests
        [*command, *sorted(set(ids))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"run the tests anew, without --again: {done.stderr[-500:]}")


def measure() -> None:
    """Run the tests once, all of which must pass; return which test runs which line."""
    DATA.parent.mkdir(exist_ok=True)
    DATA.unlink(missing_ok=True)
    coverage = ["--cov=src/relay", "--cov-context=test", "--cov-report="]
    left_out = [f"--ignore={path}" for path in IGNORED]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(  # noqa: S603  our own tests
        [*pytest, *TESTS, *left_out, *coverage, f"--junitxml={TIMES}"],
        check=True,
        env=dict(os.environ) | {"COVERAGE_FILE": str(DATA)},
    )


class Case(NamedTuple):
    """A test's place in the run, and its duration."""

    at: int = 0
    seconds: float = 0.0


def _cases() -> defaultdict[str, Case]:
    """Return the tests of the run by their names; a missing one counts as quick."""
    cases: defaultdict[str, Case] = defaultdict(Case)
    for at, case in enumerate(ET.parse(TIMES).iter("testcase")):  # noqa: S314  our own file
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        cases[name] = Case(at, float(case.get("time", 0)))
    return cases


def _file(test_id: str) -> str:
    return test_id.partition("::")[0]


def _key(test_id: str) -> str:
    path, _, name = test_id.partition("::")
    *classes, name = name.split("::") if "[" not in name else [name]
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes, name])

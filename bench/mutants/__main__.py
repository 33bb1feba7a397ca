"""How many small mistakes would the tests notice? `python -m bench.mutants [PATH…]`.

Each mutant (bench/mutants/operators.py) is tried against the unit and integration tests that run
its line, unless equivalent.toml says why it changes nothing. Prints the survivors and the share
that was caught; returns 1 where it is below 95 %.
"""

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.mutants.covering import Covering, check_tests, measure
from bench.mutants.equivalent import Equivalents
from bench.mutants.operators import Mutant, mutants
from bench.mutants.trial import HUNG, SURVIVED, UNKNOWN, Trial, ended_with_us, preload

RELAY = Path("src/relay")
# The parts on which "once" and "whose change" rest.
PATHS = [
    *("tracking", "reaction", "echo", "portal/shared_slots.py"),
    *("ingress/verify.py", "ingress/tokens.py"),
]
GOAL = 0.95
SURVIVORS = Path(".local/mutants.survived")
JOBS = os.cpu_count() or 1
POLL_SECONDS = 0.02
NOT_RUN = "run by no test"
NOT_CAUGHT = {SURVIVED, NOT_RUN, UNKNOWN}


def main(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders")] = None,
    *,
    sample: Annotated[int, typer.Option(help="so many mutants by chance; 0: all")] = 0,
    again: Annotated[bool, typer.Option(help="believe the last run of all tests")] = False,
    survivors: Annotated[bool, typer.Option(help="only those of the last run")] = False,
    seconds: Annotated[float, typer.Option(help="leave out slower tests")] = 5.0,
) -> None:
    """Try the mutants of the modules on which the promise rests."""
    every = [each for path in _files(paths) for each in mutants(str(path), path.read_text())]
    equivalents = Equivalents()
    equivalents.check(every)
    if not again:
        measure()
    covering = Covering(seconds)
    found = [each for each in every if each not in equivalents]
    print(f"{len(found)} mutants; {len(every) - len(found)} more change nothing (equivalent.toml)")
    if survivors:
        last = SURVIVORS.read_text().splitlines()
        found = [each for each in found if _name(each) in last]
    if sample:
        found = random.Random(1).sample(found, min(sample, len(found)))
    check_tests(test for each in found for test in covering.tests_of(Path(each.path), each.line))
    preload()
    outcomes = _try_all(found, covering)
    _report(outcomes)
    SURVIVORS.write_text("".join(f"{_name(each)}\n" for each in _not_caught(outcomes)))
    sys.exit(len(_not_caught(outcomes)) > (1 - GOAL) * len(outcomes))


def _name(mutant: Mutant) -> str:
    return f"{mutant.path} {mutant.change}"


def _files(paths: list[Path] | None) -> list[Path]:
    given = paths or [RELAY / path for path in PATHS]
    return [
        file for path in given for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
    ]


def _try_all(found: list[Mutant], covering: Covering) -> dict[Mutant, str]:
    """Return the outcome of each mutant."""
    outcomes: dict[Mutant, str] = {}
    running: list[Trial] = []
    waiting = list(reversed(found))
    with Console(stderr=True).status("") as status, ended_with_us(running):
        while waiting or running:
            while waiting and len(running) < JOBS:
                mutant = waiting.pop()
                tests = covering.tests_of(Path(mutant.path), mutant.line)
                if tests:
                    running.append(Trial(mutant, tests))
                else:
                    outcomes[mutant] = NOT_RUN
            time.sleep(POLL_SECONDS)
            for trial in list(running):
                ended = trial.outcome()
                if ended:
                    outcomes[trial.mutant] = ended
                    running.remove(trial)
                    if ended == SURVIVED:
                        print(f"survived: {trial.mutant}", flush=True)
            left = len(_not_caught(outcomes))
            status.update(f"{len(outcomes)} of {len(found)} mutants, {left} not caught")
    return outcomes


def _not_caught(outcomes: dict[Mutant, str]) -> list[Mutant]:
    return [mutant for mutant, ended in outcomes.items() if ended in NOT_CAUGHT]


def _report(outcomes: dict[Mutant, str]) -> None:
    for mutant, ended in outcomes.items():
        if ended in {NOT_RUN, UNKNOWN, HUNG}:
            print(f"{ended}: {mutant}")
    by_file: dict[str, Counter[str]] = {}
    for mutant, ended in outcomes.items():
        by_file.setdefault(mutant.path, Counter())[ended] += 1
    for path, counts in sorted(by_file.items()):
        missed = sum(counts[ended] for ended in NOT_CAUGHT)
        share = 1 - missed / counts.total()
        print(f"{share:6.1%}  {counts.total() - missed:4} of {counts.total():4}  {path}")
    total = len(outcomes)
    missed = len(_not_caught(outcomes))
    print(f"{1 - missed / max(total, 1):6.1%}  {total - missed:4} of {total:4}  in all")


if __name__ == "__main__":
    typer.run(main)

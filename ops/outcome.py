"""How a command ends: a document for programs, and an exit status.

0: done, nothing is left. 1: something failed, or waits for a person. 2: the command could not run.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import NamedTuple

from ops.deployed import aws_errors
from ops.terminal import console, harmless
from relay.errors import NewerFormatError, StateError

DONE, LEFT, REFUSED = 0, 1, 2


class Outcome(NamedTuple):
    """What a command reports with JSON=1; `left` says that a person has to act."""

    document: Mapping[str, object]
    left: bool = False


def ending[**P](command: Callable[P, Outcome | None]) -> Callable[P, None]:
    """Return a command that prints its document where JSON=1 asks for it, and exits.

    A command refuses by SystemExit with a sentence; botocore's errors become one. A command that
    returns None has printed its documents itself, one a line.
    """

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            with aws_errors(), _tables_errors():
                outcome = command(*arguments, **options)
        except SystemExit as refusal:
            if not isinstance(refusal.code, str):
                raise
            refuse(refusal.code)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(LEFT)
        if outcome and console.quiet:
            print_document(outcome.document)
        sys.stdout.flush()  # a pipe that was closed is noticed here, where typer exits with 1
        sys.exit(LEFT if outcome and outcome.left else DONE)

    return run


@contextmanager
def _tables_errors() -> Iterator[None]:
    """Raise AWS's own error where a table does not answer, and exit at rows of newer code."""
    try:
        yield
    except StateError as trouble:
        raise trouble.__cause__ or SystemExit(str(trouble)) from None
    except NewerFormatError as newer:
        raise SystemExit(f"{newer}: run the command from the code that is deployed") from None


def refuse(sentence: str) -> None:
    """Exit with REFUSED and a sentence: on standard error, or as a document with JSON=1."""
    if console.quiet:
        print_document({"error": sentence})
    else:
        print(harmless(sentence), file=sys.stderr)
    sys.exit(REFUSED)


def print_document(document: Mapping[str, object]) -> None:
    """Print a document as one line of JSON."""
    print(harmless(json.dumps(document, ensure_ascii=False, default=str)), flush=True)

"""What happens in the local stack, line by line on the terminal and step by step on the page."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from local.aws import LocalAws
from local.changes import Changes, Readings, step
from local.changes import words as change_words
from local.demo import DemoPortal
from local.live import LiveStack, Taken
from local.log_lines import clock, steps, traceback_of, words
from local.stack import Stack
from ops.follow import follow
from ops.terminal import console, shown

POLL_SECONDS = 0.3
SHOWN = 3  # saved files, or functions, on a line
_INDENT = " " * 10


class Journal:
    """Follows the log and the changes of a stack, and lets it take what is saved."""

    def __init__(self, aws: LocalAws, demo: DemoPortal, stack: Stack, live: LiveStack) -> None:
        self._demo, self._live = demo, live
        self._logs, self._group = aws.client("logs"), stack.outputs["LogGroup"]
        self._changes, self._readings = Changes(aws, stack, stray=_stray), Readings()

    def follow(self) -> None:
        """Print and show until Ctrl-C."""
        for line in follow(self._logs, self._group, POLL_SECONDS):
            if line:
                self._readings.add(line)
            for change, reading in self._readings.join(self._changes.new(), time.monotonic()):
                text = shown(change_words(change, reading))
                console.print(f"{change.time[11:19]}  [cyan]change[/] {text}")
                self._show([step(change, reading)])
            if line is None:
                self._take()
            else:
                self._tell(line)

    def _tell(self, line: dict[str, Any]) -> None:
        if markup := words(line):
            console.print(f"{clock(line)}  {markup}")
            _indented(traceback_of(line))
        if shown_steps := steps(line):
            self._show(shown_steps)

    def _take(self) -> None:
        for notice in notices(self._live.take()):
            color = "red" if notice.bad else "green"
            console.print(f"{_now()}  [{color}]{notice.verdict}[/] {shown(notice.text)}")
            _indented(notice.lines)
            text = f"{notice.verdict} {notice.text}"
            self._ask("notice", text=text, lines=notice.lines, bad=notice.bad)

    def _show(self, lines: list[dict[str, Any]]) -> None:
        self._ask("steps", lines=lines)

    def _ask(self, name: str, **given: Any) -> None:
        """Show something on the page; a refusal by the page is printed."""
        try:
            self._demo.admin(name, **given)
        except (RuntimeError, OSError) as error:
            _stray(f"not on the page: {error}")


class Notice(NamedTuple):
    """What became of saved files: a line that begins with a verdict, and the lines of an error."""

    verdict: str
    text: str
    lines: list[str]
    bad: bool


def notices(taken: Taken | None) -> Iterator[Notice]:
    """Yield what became of saved files: what does not run last."""
    if taken and (taken.files or not taken.trouble):
        yield Notice("running", _words(taken), [], bad=False)
    if taken and taken.trouble:
        text = "with this error; the former code goes on:"
        yield Notice("not running", text, taken.trouble.splitlines(), bad=True)


def _words(taken: Taken) -> str:
    """Return a text: `src/relay/reactions/x.py in XFunction, after 0.9 s`."""
    files = _some(taken.files)
    where = [_some(taken.functions)] if taken.functions else []
    where += ["the updated stack"] if taken.is_update else []
    return f"{files} in {' and '.join(where) or 'no function'}, after {taken.seconds:.1f} s"


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())


def _indented(lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"{_INDENT}{shown(line)}")


def _stray(text: str) -> None:
    console.print(f"{_now()}  [yellow]stray[/] {shown(text)}")

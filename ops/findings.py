"""One line of a report, as doctor and deploy-check give it."""

import re
from enum import StrEnum
from typing import NamedTuple

from ops.terminal import shown


class Level(StrEnum):
    """How much a finding matters: nothing to do, worth a look, to be mended, not found out."""

    OK = "ok"
    LOOK = "look"
    BAD = "BAD"
    SKIPPED = "skip"


OK, LOOK, BAD, SKIPPED = Level.OK, Level.LOOK, Level.BAD, Level.SKIPPED
COLOURS = {OK: "green", LOOK: "yellow", BAD: "red", SKIPPED: "yellow"}
_COMMAND = re.compile(r"`((?:make|export|aws) [^`]+)`")


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    text: str

    def line(self) -> str:
        """Return the finding for a person, as rich's markup."""
        return f"  [{COLOURS[self.level]}]{self.level:4}[/]  {shown(self.text)}"

    def document(self) -> dict[str, str]:
        """Return the finding for a program, with the command that it names."""
        command = _COMMAND.search(self.text)
        named = {"command": command[1]} if command else {}
        return {"level": self.level.lower(), "text": self.text} | named

"""One line of a report, as doctor and deploy-check give it."""

from enum import StrEnum
from typing import NamedTuple

from ops.terminal import shown


class Level(StrEnum):
    """How much a finding matters: nothing to do, worth a look, to be mended."""

    OK = "ok"
    LOOK = "look"
    BAD = "BAD"


OK, LOOK, BAD = Level.OK, Level.LOOK, Level.BAD
COLOURS = {OK: "green", LOOK: "yellow", BAD: "red"}


class Finding(NamedTuple):
    """One line of the report."""

    level: Level
    text: str

    def line(self) -> str:
        """Return the finding for a person, as rich's markup."""
        return f"  [{COLOURS[self.level]}]{self.level:4}[/]  {shown(self.text)}"

    def document(self) -> dict[str, str]:
        """Return the finding for a program."""
        return {"level": self.level.lower(), "text": self.text}

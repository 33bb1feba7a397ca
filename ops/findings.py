"""One line of a report, as doctor and deploy-check give it."""

from typing import NamedTuple

OK, LOOK, BAD = "[green]ok  [/]", "[yellow]look[/]", "[red]BAD [/]"


class Finding(NamedTuple):
    """One line of the report; `level` is OK, LOOK or BAD."""

    level: str
    text: str

"""What operators see: text from portals and messages never controls the terminal."""

import json

from rich.console import Console
from rich.markup import escape

# Quiet with JSON=1: standard output has documents only.
console = Console(highlight=False, soft_wrap=True)


def harmless(text: str) -> str:
    r"""Return text with its control and format characters spelt as in JSON: `\u001b`."""
    return "".join(char if char.isprintable() or char == "\n" else _spelt(char) for char in text)


def _spelt(char: str) -> str:
    return " " if char.isspace() else json.dumps(char)[1:-1]


def numbered(number: int, noun: str) -> str:
    """Return a number with its noun: `1 item`, `2 items`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def shown(text: str) -> str:
    """Return text as rich's markup: brackets in it neither style the output nor break it."""
    return escape(harmless(text))

"""ops.terminal: text of portals and messages can't control the operator's terminal."""

import io
import json

import pytest
from rich.console import Console

from ops.terminal import harmless, shown

HOSTILE = "a\x1b[2Jb\x9b1mc\u202ed\x07[red]e[/] [/"


def test_control_characters_are_spelt():
    """Escape sequences, old control codes and direction marks become visible text."""
    assert harmless("\x1b[2J\x9b\u202e") == "\\u001b[2J\\u009b\\u202e"


@pytest.mark.parametrize("text", ["Ада Лавлейс", "日本", "two\nlines", "emoji 🙂"])
def test_plain_text_is_unchanged(text):
    """Letters of any script and line ends stay as they are."""
    assert harmless(text) == text


def test_a_line_of_json_keeps_its_meaning():
    """Harmless JSON is parsed to the same value."""
    line = json.dumps({"a": "\x9b\u202e\x1b"}, ensure_ascii=False)
    assert json.loads(harmless(line)) == json.loads(line)


def test_markup_is_printed_as_it_is():
    """Brackets in a portal's text neither style the output nor break it."""
    output = io.StringIO()
    Console(file=output, highlight=False, soft_wrap=True).print(f"[red]{shown(HOSTILE)}[/]")
    assert output.getvalue() == harmless(HOSTILE) + "\n"

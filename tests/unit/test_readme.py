"""README.md: what it shows is what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_reaction_that_is_shown_is_the_one_that_runs():
    """The file that README shows as an example is the file."""
    source = (ROOT / "src/relay/reactions/greet_contact.py").read_text("utf-8")
    assert f"```python\n{source}```" in README


def test_the_mapping_entry_that_is_shown_is_the_one_that_is_deployed():
    """The template's entry that README shows is the template's."""
    (entry,) = (part.split("```")[0] for part in README.split("```yaml\n")[1:])
    assert entry in (ROOT / "template.yaml").read_text("utf-8")


def test_the_rule_that_is_shown_is_the_one_that_is_checked():
    """The rule in docs/eventbridge.md stands in docs/rules.yaml, which `make check` lints."""
    page = (ROOT / "docs/eventbridge.md").read_text("utf-8")
    (rule,) = (part.split("```")[0] for part in page.split("```yaml\n")[1:])
    assert rule in (ROOT / "docs/rules.yaml").read_text("utf-8")


READY = [
    path
    for path in sorted((ROOT / "src/relay/reactions").glob("[a-z]*.py"))
    if not (ROOT / f"events/sqs_{path.stem}.json").exists()  # what `make new` made is yours
]


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_ready_reaction_has_its_row(path):
    """With all the methods that its docstring names, and none beside."""
    (row,) = re.findall(rf"^\| `{path.stem}`.*$", README, re.MULTILINE)
    arrow = re.search(r'"""[^"]+ -> ([a-z.]+\.[a-z.]+.*?)\.?"""', path.read_text("utf-8"))
    method = r"\b[a-z]+(?:\.[a-z]+)+\b"
    assert re.findall(f"`({method})`", row) == (re.findall(method, arrow[1]) if arrow else [])


FIRST_SCREEN = 22  # lines, which a page of a repository shows without scrolling


@pytest.mark.parametrize("page", ["README.md", "README.ru.md"])
def test_the_first_screen_has_the_two_commands_and_a_picture(page):
    """Whoever sees the project for the first time can start it without scrolling."""
    text = (ROOT / page).read_text("utf-8")
    screen = "\n".join(text.splitlines()[:FIRST_SCREEN])
    assert "git clone <this repository> relay && cd relay\nmake run\n" in screen
    (picture,) = re.findall(r"^!\[.+\]\((.+)\)$", screen, re.MULTILINE)
    assert 0 < (ROOT / picture).stat().st_size < 150_000


def shape(text):
    """Return what is the same in every language: code, levels of headings, rows of tables."""
    blocks = re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if line.startswith(("#", "|"))]
    rows = [line.split()[0] if line[0] == "#" else line.count("|") for line in lines]
    steps = re.findall(r"^\d\. ", prose, re.MULTILINE)
    code = {name for name in re.findall(r"`([^`\n]+)`", prose) if name.isascii()}
    return blocks, rows, steps, code


def test_the_russian_readme_says_the_same():
    """The same code, headings, rows and steps, and the same names of things in the text."""
    russian = shape((ROOT / "README.ru.md").read_text("utf-8"))
    for english, translated in zip(shape(README), russian, strict=True):
        assert translated == english

"""`make new` and `make remove`: a reaction's file, template entry, sample event and test."""

import json
import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from ops.build import ROOT
from ops.mapping import logical_id, taken, with_entry, without_entry
from ops.outcome import Outcome
from ops.samples import sample_batch
from ops.starter import reaction_and_test
from ops.subscription import subscription
from ops.terminal import console, shown

NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
MAX_LETTERS = 30
# Names that the file of a reaction uses for something else.
RESERVED = {"change", "event", "portal", "reaction", "handler"}


def files(root: Path, name: str) -> dict[str, Path]:
    """Return the paths of a reaction's files."""
    return {
        "reaction": root / "src" / "relay" / "reactions" / f"{name}.py",
        "test": root / "tests" / "unit" / "reactions" / f"test_{name}.py",
        "sample": root / "events" / f"sqs_{name}.json",
    }


def new(root: Path, name: str, on: str, fields: str = "", to: str = "") -> list[Path]:
    """Make a reaction that works; return the written paths.

    Raises ValueError, with nothing written, for a bad name, a used one or a bad subscription.
    """
    if not re.fullmatch(NAME, name) or len(name) > MAX_LETTERS:
        raise ValueError(
            f"a reaction is called like follow_up, in at most {MAX_LETTERS} letters; not {name!r}"
        )
    if keyword.iskeyword(name) or name in RESERVED:
        raise ValueError(f"{name} can't be a reaction's name: its file uses the word itself")
    template = root / "template.yaml"
    text, parts = template.read_text("utf-8"), files(root, name)
    existing = [str(path.relative_to(root)) for path in parts.values() if path.exists()]
    if taken(text, name):
        existing.append(f"{logical_id(name)} in template.yaml")
    if existing:
        raise ValueError(f"there is {', '.join(existing)} already; choose another NAME")
    subscribed = subscription(on, fields, to)
    reaction, test = reaction_and_test(name, on, subscribed)
    texts = {
        template: with_entry(text, name, subscribed.topic, json.dumps(subscribed.policy)),
        parts["reaction"]: reaction,
        parts["test"]: test,
        parts["sample"]: sample_batch(subscribed.sample, f"{logical_id(name)}Queue"),
    }
    for path, content in texts.items():
        path.write_text(content, "utf-8")
    return list(texts)


def remove(root: Path, name: str) -> list[Path]:
    """Undo `new`; return the paths that were removed or changed.

    Raises ValueError, with nothing changed, for a reaction that `new` has not made.
    """
    parts = files(root, name) if re.fullmatch(NAME, name) else {}
    if not parts or not parts["reaction"].is_file():
        raise ValueError(f"there is no reaction {name!r}")
    if not parts["sample"].is_file():
        raise ValueError(
            f"{name} was not made by `make new`; to switch it off, take {logical_id(name)}"
            " out of the list of Fn::ForEach::React in template.yaml"
        )
    template = root / "template.yaml"
    text = without_entry(template.read_text("utf-8"), name)
    template.write_text(text, "utf-8")
    for path in parts.values():
        path.unlink(missing_ok=True)
    return [template, *parts.values()]


def new_command(
    name: Annotated[str, typer.Option(help="The reaction, like call_ada")],
    on: Annotated[str, typer.Option(help="deal, deal.updated, an event's code, robot.<name>")],
    field: Annotated[str, typer.Option(help="Only if this field changed: stageId")] = "",
    to: Annotated[str, typer.Option(help="Only if it became this: WON")] = "",
) -> Outcome:
    """Make a reaction of yours that works, with its test and its sample event."""
    try:
        made = new(ROOT, name, on, field, to)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    outcome = _touched(made)
    console.print(f"\n{name} works and is switched on. Try it: make unit.")
    console.print("Then write your own code in it: docs/first-reaction.md")
    return outcome


def remove_command(
    name: Annotated[str, typer.Option(help="A reaction that `make new` made")],
) -> Outcome:
    """Remove what `make new` made."""
    try:
        return _touched(remove(ROOT, name))
    except ValueError as error:
        raise SystemExit(str(error)) from None


def _touched(paths: list[Path]) -> Outcome:
    files = [str(path.relative_to(ROOT)) for path in paths]
    for file in files:
        console.print(shown(file))
    return Outcome({"files": files})

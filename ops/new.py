"""`make new` and `make remove`: a reaction's file, entry, sample and test, all green at once."""

import json
import keyword
import re
import sys
from pathlib import Path

from ops.build import ROOT
from ops.mapping import logical_id, taken, with_entry, without_entry
from ops.starter import reaction_and_test
from ops.subscription import sample_batch, subscription

NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
MOST_LETTERS = 30
# What the file of a reaction imports under these names.
USED = {"change", "event", "portal", "reaction", "handler"}


def files(root: Path, name: str) -> dict[str, Path]:
    """Return where the parts of a reaction are."""
    return {
        "reaction": root / "src" / "relay" / "reactions" / f"{name}.py",
        "test": root / "tests" / "unit" / "reactions" / f"test_{name}.py",
        "sample": root / "events" / f"sqs_{name}.json",
    }


def new(root: Path, name: str, on: str, fields: str = "", to: str = "") -> list[Path]:
    """Make a reaction that works; returns what was written. A ValueError has written nothing."""
    if not re.fullmatch(NAME, name) or len(name) > MOST_LETTERS:
        raise ValueError(
            f"a reaction is called like follow_up, in at most {MOST_LETTERS} letters; not {name!r}"
        )
    if keyword.iskeyword(name) or name in USED:
        raise ValueError(f"{name} means something else in its file already")
    template = root / "template.yaml"
    text, parts = template.read_text("utf-8"), files(root, name)
    there = [str(path.relative_to(root)) for path in parts.values() if path.exists()]
    if taken(text, name):
        there.append(f"{logical_id(name)} in template.yaml")
    if there:
        raise ValueError(f"there is {', '.join(there)} already")
    found = subscription(on, fields, to)
    written, test = reaction_and_test(name, on, found)
    texts = {
        template: with_entry(text, name, found.topic, json.dumps(found.policy)),
        parts["reaction"]: written,
        parts["test"]: test,
        parts["sample"]: sample_batch(found, f"{logical_id(name)}Queue"),
    }
    for path, content in texts.items():
        path.write_text(content, "utf-8")
    return list(texts)


def remove(root: Path, name: str) -> list[Path]:
    """Undo `new`; returns what was removed or changed. A ValueError has changed nothing."""
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


def main(command: str, name: str, *arguments: str) -> None:
    """Run one of the two; says what it did and what is next."""
    try:
        touched = new(ROOT, name, *arguments) if command == "new" else remove(ROOT, name)
    except ValueError as error:
        sys.exit(str(error))
    for path in touched:
        print(path.relative_to(ROOT))
    if command == "new":
        print(
            f"\n{name} works, and is switched on. Try it: make unit; then write what it should do."
        )
        print("How: docs/first-reaction.md")


if __name__ == "__main__":
    main(*sys.argv[1:])

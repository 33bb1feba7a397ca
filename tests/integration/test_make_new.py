"""`make new` in a copy of the tree: the new files pass all checks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.new import files

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "ops", "tests", "events", "docs")
FILES = ("template.yaml", "pyproject.toml", "README.md", "Makefile")
MADE = [
    ("made_big_deal", "deal", "opportunity", ""),  # the one of docs/first-reaction.md
    ("made_on_stage", "deal.updated", "stageId", ""),
    ("made_won", "deal", "stageSemanticId", "S"),
    ("made_won_or_lost", "dynamic_123456789.updated", "f" * 50, "WON,Сделка успешна"),
    ("made_longer_value", "deal.added", "f" * 50, "x" * 60),
    ("made_two_fields", "company", "title,assignedById", ""),
    ("made_for_all", "contact", "", ""),
    ("made_when_a_task_is_deleted_at", "task.deleted", "", ""),
    ("made_on_process_9", "dynamic_128.added", "", ""),
    ("made_by_robot", "robot.made_by_robot", "", ""),
    ("made_on_comment", "ONCRMTIMELINECOMMENTADD", "", ""),
    ("made_on_item", "ONCRMDYNAMICITEMADD_128", "", ""),
    ("made_of_an_amount", "deal", "opportunity", "100.50"),
    ("made_by_moves", "deal", "passed", "WON,C3:WON"),
    ("made_by_any_move", "lead.updated", "passed", ""),
]
COMMANDS = """
import json, sys
from ops.commands import run
for arguments in json.loads(sys.argv[1]):
    try:
        run(arguments)
    except SystemExit as end:
        if end.code:
            raise
"""  # one process: each would import for half a second


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a copy of the files that `make new`, its tests and the checks read."""
    folder = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__", "data")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def run(tree, tool, *arguments, status=0):
    """Run a tool of the development environment; return its output, or fail with it."""
    done = subprocess.run(  # noqa: S603
        [Path(sys.executable).parent / tool, *arguments],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def contents(tree):
    """Return each file's bytes, without the caches of tools."""
    return {
        path: path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.parts[-4:-1])
    }


def test_what_is_made_is_green_and_what_is_removed_is_gone(tree):
    """New reactions pass format, lint, types and tests; removed ones leave no trace."""
    before = contents(tree)
    new = []
    for made in MADE:
        variables = zip(("NAME", "ON", "FIELD", "TO"), made, strict=True)
        new.append(["new", *(f"{variable}={value}" for variable, value in variables if value)])
    output = run(tree, "python", "-c", COMMANDS, json.dumps(new))
    assert all(f"\n{name} works" in output for name, *_ in MADE)
    tutorial = (tree / "docs" / "first-reaction.md").read_text("utf-8")
    tutorial = tutorial.replace("big_deal", MADE[0][0])  # whoever followed it has that one
    assert f"make new NAME={MADE[0][0]} ON={MADE[0][1]} FIELD={MADE[0][2]}\n" in tutorial
    reaction, test = [part.split("```")[0] for part in tutorial.split("```python\n")[1:]]
    parts = files(tree, MADE[0][0])
    parts["reaction"].write_text(reaction, "utf-8")
    parts["test"].write_text(test, "utf-8")
    written = [str(path.relative_to(tree)) for path in contents(tree) if path not in before]
    assert len(written) == 3 * len(MADE)
    python = [path for path in written if path.endswith(".py")]
    run(tree, "ruff", "format", "--check", "--no-cache", *python)
    run(tree, "ruff", "check", "--no-cache", *python)
    run(tree, "mypy", "--cache-dir", os.devnull, "-p", "relay.reactions")
    tests = [path for path in python if path.startswith("tests")]
    others = ["tests/integration/test_template.py", "tests/unit/test_readme.py"]
    about = "told or reaction or filter or row"
    run(tree, "pytest", "-q", "-p", "no:cacheprovider", "-k", about, *tests, *others)
    remove = [["remove", f"NAME={name}"] for name, *_ in MADE]
    run(tree, "python", "-c", COMMANDS, json.dumps(remove))
    assert contents(tree) == before


def test_a_refusal_is_one_line_and_a_status(tree):
    """A wrong name prints the right spelling, without a traceback."""
    output = run(tree, "python", "-m", "ops", "new", "NAME=Bad", "ON=deal.updated", status=2)
    assert output.startswith("a reaction is called like follow_up")
    assert output.count("\n") == 1

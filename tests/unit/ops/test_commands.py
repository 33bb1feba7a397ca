"""ops.commands, ops.outcome: how commands are asked, and how they end."""

import json
import os
import re
import subprocess

import pytest
from botocore.exceptions import ClientError

from ops.build import ROOT
from ops.commands import COMMANDS, run
from ops.outcome import Outcome, ending
from ops.terminal import console
from relay.errors import NewerFormatError, StateError


@pytest.fixture(autouse=True)
def for_people(monkeypatch):
    """Let each test begin without JSON=1."""
    monkeypatch.setattr(console, "quiet", False)


def status(*arguments):
    """Return the exit status of a command line."""
    with pytest.raises(SystemExit) as exited:
        run(arguments)
    return exited.value.code


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("redrive", "NMAE=x"), "no such option: NMAE= (Possible options: NAME=, "),
        (("redrive", "--nmae=x"), "; `./relay redrive --help` lists them"),
        (("nothing",), "no such command 'nothing'; `./relay --help` lists them"),
        (("release", "surplus"), "got unexpected extra argument(s) (surplus)"),
        (("new", "NAME=call_ada"), "missing option ON="),
        (("redrive", "RATE=fast"), "invalid value for RATE=: Input should be a valid number"),
    ],
)
def test_what_is_misspelt_is_refused(arguments, text, capsys):
    """A wrong command or option, a surplus or missing one, exits with 2 and does nothing."""
    assert status(*arguments) == 2
    assert text in capsys.readouterr().err
    assert status(*arguments, "JSON=1") == 2
    assert text in json.loads(capsys.readouterr().out)["error"]


def test_without_a_command_all_are_listed(capsys):
    """`./relay` alone is the help."""
    assert status() == 0
    assert "portals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argument", "text"),
    [("STACK=", "STACK is empty"), ("DRY=yes", "DRY is a switch: write DRY=1")],
)
def test_an_empty_variable_and_a_switch_that_is_none_are_refused(argument, text, capsys):
    """`STACK=$UNSET` does not become the default stack, and DRY=no does not switch it on."""
    assert status("redrive", argument) == 2
    assert text in capsys.readouterr().err


def test_make_s_variables_and_options_are_the_same(capsys):
    """NAME=x and --name=x are one; a value may hold anything, `--` and `=` among it."""
    for argument in ("NAME=--no=b c", "--name=--no=b c"):
        assert status("remove", argument) == 2
        assert capsys.readouterr().err == "there is no reaction '--no=b c'\n"


def test_with_json_standard_output_has_one_document(capsys):
    """A refusal is a document too, and nothing else is printed."""
    for argument in ("JSON=1", "--json"):
        assert status("remove", "NAME=nobody", argument) == 2
        printed = capsys.readouterr()
        assert json.loads(printed.out) == {"error": "there is no reaction 'nobody'"}
        assert printed.err == ""


@pytest.mark.parametrize(
    ("outcome", "expected"), [(Outcome({}), 0), (Outcome({}, left=True), 1), (None, 0)]
)
def test_the_status_says_whether_something_is_left(outcome, expected):
    """0 where nothing is left to do, 1 where a person has to act."""
    with pytest.raises(SystemExit) as exited:
        ending(lambda: outcome)()
    assert exited.value.code == expected


def failing(error):
    """Return a command that raises an error."""

    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        (SystemExit("no such item"), 2, "no such item"),
        (ClientError({"Error": {"Code": "ExpiredToken"}}, "Get"), 2, "sign in again"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_a_command_that_can_not_go_on_says_why(error, expected, text, capsys):
    """A refusal, an error of AWS and Ctrl-C are one sentence each on standard error."""
    with pytest.raises(SystemExit) as exited:
        ending(failing(error))()
    assert exited.value.code == expected
    printed = capsys.readouterr()
    assert text in printed.err
    assert printed.out == ""


def test_a_document_does_not_control_the_terminal(capsys, monkeypatch):
    """Text of people keeps its letters; its control characters are escaped, as JSON has it."""
    monkeypatch.setattr(console, "quiet", True)
    document = {"title": "Сделка \x1b[2J\x7f\U000e0001\u202e"}
    with pytest.raises(SystemExit):
        ending(lambda: Outcome(document))()
    printed = capsys.readouterr().out
    assert "Сделка" in printed
    assert printed.isprintable() or printed.rstrip("\n").isprintable()
    assert json.loads(printed) == document


def test_make_hands_over_what_stands_on_its_own_command_line(tmp_path):
    """Quotes and dollars arrive as typed; a variable of the environment does not count."""
    shown = tmp_path / "relay"
    shown.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    shown.chmod(0o700)
    made = {"dev": ".venv", "sam": ".venv-sam", "lambda": ".venv-lambda"}
    for folder in ("requirements", *made.values()):
        (tmp_path / folder).mkdir()
    for number, (requirements, environment) in enumerate(made.items()):
        for at, path in enumerate((f"requirements/{requirements}.txt", f"{environment}/.ready")):
            (tmp_path / path).touch()
            os.utime(tmp_path / path, (number, 2 * number + at))
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text("utf-8"), "utf-8")
    value = """a"b 'c' $$(id) `id`; d > e"""
    done = subprocess.run(  # noqa: S603
        ["make", "--no-print-directory", "doctor", f"WHERE={value}"],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "NAME": "host"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["doctor", f"WHERE={value.replace('$$', '$')}"], done.stderr


def test_every_command_has_a_target_of_its_name():
    """`make x` and `./relay x` are the same."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name in COMMANDS:
        assert f"\n{name}: " in makefile


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_options_only(command, capsys):
    """Whatever a command needs is NAME=value: make has no positions."""
    assert status(command, "--help") == 0
    assert f"Usage: relay {command} [OPTIONS]\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NewerFormatError("deal/1 has format 9"), "run the command from the code that is deployed"),
        (StateError("the history is throttled"), "the history is throttled"),
    ],
)
def test_a_table_that_is_newer_or_does_not_answer_is_one_sentence(error, text, capsys):
    """A command that reads the tables by the functions' code exits with 2, without a traceback."""

    def command() -> Outcome:
        raise error

    with pytest.raises(SystemExit) as exited:
        ending(command)()
    assert exited.value.code == 2
    assert text in capsys.readouterr().err


def test_a_tables_refusal_is_told_as_awss_own(capsys):
    """The remedy is that of AWS's code."""

    def command() -> Outcome:
        refusal = ClientError({"Error": {"Code": "AccessDeniedException"}}, "Query")
        raise StateError("the history") from refusal

    with pytest.raises(SystemExit) as exited:
        ending(command)()
    assert exited.value.code == 2
    assert "docs/production.md has the operator's policy" in capsys.readouterr().err


def test_the_help_fits_on_a_terminal_of_80_columns():
    """Each target is one line."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lines = re.findall(r"^([a-z-]+):.*?## (.*)$", makefile, re.MULTILINE)
    assert [name for name, text in lines if len(f"  make {name:12} {text}") > 80] == []

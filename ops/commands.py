"""The commands by name, and their arguments: `--item deal/662`, or as make has it, ITEM=deal/662.

A command is a function with typer's options that returns an Outcome; each has a file in `ops/`.
"""

import re
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from typing import cast

import typer

from ops import (
    build,
    connect,
    dead,
    deploy,
    disconnect,
    doctor,
    drop,
    forget,
    history,
    listen,
    logs,
    new,
    pause,
    portal_list,
    redrive,
    rehearse,
    release,
    replay,
    robot,
    rotate,
    sample,
    trace,
    undo,
)
from ops.outcome import Outcome, ending, refuse
from ops.terminal import console

COMMANDS: dict[str, Callable[..., Outcome | None]] = {
    "new": new.new_command,
    "remove": new.remove_command,
    "build": build.command,
    "deploy-check": deploy.check_command,
    "deploy": deploy.command,
    "connect": connect.command,
    "rotate": rotate.command,
    "disconnect": disconnect.command,
    "portals": portal_list.command,
    "robot": robot.command,
    "doctor": doctor.command,
    "logs": logs.command,
    "listen": listen.command,
    "sample": sample.command,
    "trace": trace.command,
    "dead": dead.command,
    "redrive": redrive.command,
    "drop": drop.command,
    "pause": pause.pause_command,
    "resume": pause.resume_command,
    "release": release.command,
    "history": history.history_command,
    "asof": history.asof_command,
    "undo": undo.command,
    "forget": forget.command,
    "rehearse": rehearse.command,
    "replay": replay.replay_command,
    "apply": replay.apply_command,
}
VARIABLE = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)
OPTION = re.compile(r"'?--([a-z][a-z-]*)'?")
# The base of what typer raises for arguments; it does not export it.
USAGE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__base__)

app = typer.Typer(
    help="Operate a deployed relay. Each command takes --json (JSON=1).",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(ending(_command))


def run(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name; always exits, with 0, 1 or 2."""
    if "--json" in arguments or "JSON=1" in arguments:
        console.quiet = True
    rest = [one for one in arguments if one not in {"--json", "JSON=1", "JSON=0"}]
    options = [_option(rest[0], one) for one in rest[1:]]
    try:
        status = app(
            [*(rest[:1] or ["--help"]), *options], prog_name="relay", standalone_mode=False
        )
    except USAGE_ERROR as error:
        named = rest[0] if rest[0] in COMMANDS else ""
        refuse(f"{_sentence(error)}; `./relay {named} --help` lists them".replace("  ", " "))
    sys.exit(status)


def _sentence(error: typer.BadParameter) -> str:
    """Return what is wrong with the arguments, with options spelt as make has them."""
    text = OPTION.sub(
        lambda found: found[1].upper().replace("-", "_") + "=", error.format_message()
    )
    return text[:1].lower() + text[1:].rstrip(".")


def _option(command: str, argument: str) -> str:
    """Return an argument in typer's spelling; a switch of make is 1."""
    if not (found := VARIABLE.fullmatch(argument)):
        return argument
    name, value = found[1].lower(), found[2]
    option = "--" + name.replace("_", "-")
    parameters = signature(COMMANDS[command]).parameters if command in COMMANDS else {}
    if not value:
        refuse(f"{found[1]} is empty; leave it out, or give it a value")
    if name in parameters and isinstance(parameters[name].default, bool):
        if value != "1":
            refuse(f"{found[1]} is a switch: write {found[1]}=1, or leave it out")
        return option
    return f"{option}={value}"

"""`make invoke FUNCTION=… EVENT=…`: the answer of one function to one sample event of `events/`.

With Docker it runs `sam local invoke`; without it the runtime emulator, with the environment that
the function has in the running local stack.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.aws import client as aws_client
from local.aws import credentials
from local.emulator import Emulator
from ops.build import BUILD, ROOT, SAM, build, sam_environment
from ops.deployed import read_stack

EVENTS = ROOT / "events"
STACK_FILE = ROOT / ".local" / "stack.json"


def function_configuration(endpoint: str, stack: str, function: str) -> tuple[str, dict[str, str]]:
    """Return a function's handler and environment; raises KeyError that lists all functions."""
    resources = read_stack(aws_client(endpoint, "cloudformation"), stack).resources
    names = {name: physical for name, physical in resources.items() if name.endswith("Function")}
    if function not in names:
        raise KeyError(f"there is no {function}; there are {', '.join(sorted(names))}")
    configuration = aws_client(endpoint, "lambda").get_function_configuration(
        FunctionName=names[function]
    )
    variables = configuration["Environment"]["Variables"]
    return configuration["Handler"], {**variables, **credentials(endpoint)}


def emulate(function: str, handler: str, variables: dict[str, str], event: Any) -> tuple[Any, str]:
    """Return a built function's answer to an event, and all that it printed."""
    with Emulator(handler, variables, BUILD / function) as emulator:
        return emulator.invoke(event), emulator.log()


def _has_docker() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False)  # noqa: S607
    return asked.returncode == 0


def main() -> None:
    """Invoke the function of the command line; exits with a remedy where that is impossible."""
    function, event = (*sys.argv[1:], "", "")[:2]
    path = EVENTS / f"{Path(event).stem}.json"
    if not function or not path.is_file():
        samples = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json")))
        sys.exit(f"make invoke FUNCTION=<logical id> EVENT=<one of: {samples}>")
    try:
        if _has_docker():
            _invoke_by_sam(function, path)
        else:
            _invoke_here(function, path)
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _build() -> None:
    print("building the functions, which takes up to a minute", file=sys.stderr)
    build("local", quiet=True)


def _invoke_by_sam(function: str, path: Path) -> None:
    _build()
    print("through `sam local invoke` (Docker is running)", file=sys.stderr)
    command = [str(SAM), "local", "invoke", function, "-e", str(path)]
    with sam_environment() as environment:
        ended = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
    sys.exit(ended.returncode)


def _invoke_here(function: str, path: Path) -> None:
    if not STACK_FILE.is_file():
        sys.exit(
            "Docker is not running, and neither is the local stack: start `make run` beside this"
        )
    stack = json.loads(STACK_FILE.read_text())
    try:
        deployed = function_configuration(stack["endpoint"], stack["stack"], function)
    except KeyError as error:
        sys.exit(error.args[0])
    _build()
    print("through the runtime emulator (Docker is not running)", file=sys.stderr)
    answer, log = emulate(function, *deployed, json.loads(path.read_text("utf-8")))
    print(log, file=sys.stderr)
    print(json.dumps(answer, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()

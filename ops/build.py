"""`make build`: SAM's build, then byte code for all files and a smaller model of SSM.

`sam build` ships no byte code, so each new copy of a function would compile all its imports again:
a quarter of its init. The byte code is not checked against the source (unchecked-hash), and names
/var/task in tracebacks, so that the functions' artefacts are equal byte for byte and uploaded once.
"""

import compileall
import json
import os
import py_compile
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from botocore.loaders import Loader

from ops.outcome import Outcome
from ops.terminal import console

ConfigEnv = Annotated[str, typer.Option(help="The environment in samconfig.toml", metavar="NAME")]

ROOT = Path(__file__).parents[1]
BUILD = ROOT / ".aws-sam" / "build"
SAM = ROOT / ".venv-sam" / "bin" / "sam"

# Parts that nothing here imports: two thirds of Powertools, and urllib3 in a browser.
UNUSED = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/auth_alpha",
    "aws_lambda_powertools/utilities/batch",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "urllib3/contrib/emscripten",
)


# boto3 reads the whole model of a service to make its client. SSM's has 150 operations and took
# 15 ms of each init; boto3 finds our model of one operation first (relay/settings.py).
SSM_OPERATION = "GetParametersByPath"


@contextmanager
def sam_environment() -> Iterator[dict[str, str]]:
    """Yield the environment for SAM CLI: the template's Python on PATH, and a folder that goes.

    SAM CLI leaves empty folders among the temporary files.
    """
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with TemporaryDirectory(prefix="relay-sam-") as folder:
        yield {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", "TMPDIR": folder}


def build(config: str = "default", *, quiet: bool = False) -> None:
    """Build every function of the template; raises CalledProcessError with SAM's own output."""
    with sam_environment() as environment:
        subprocess.run(  # noqa: S603  our own tool
            [SAM, "build", "--config-env", config],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=quiet,
            text=True,
        )
    for artefact in BUILD.iterdir():
        if artefact.is_dir():
            _finish(artefact)


def _finish(artefact: Path) -> None:
    for unused in UNUSED:
        shutil.rmtree(artefact / unused, ignore_errors=True)
    for leftover in [*artefact.rglob("__pycache__"), *artefact.glob("*/tests")]:
        shutil.rmtree(leftover, ignore_errors=True)
    _write_model(artefact / "aws-models")
    compileall.compile_dir(
        artefact,
        quiet=2,
        stripdir=str(artefact),
        prependdir="/var/task",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _write_model(folder: Path) -> None:
    loader = Loader()
    version = loader.determine_latest_version("ssm", "service-2")
    whole = loader.load_service_model("ssm", "service-2", version)
    operation = whole["operations"][SSM_OPERATION]
    shapes: dict[str, Any] = {}
    waiting = [operation["input"], operation["output"], *operation["errors"]]
    while waiting:
        name = waiting.pop()["shape"]
        if name not in shapes:
            shape = shapes[name] = whole["shapes"][name]
            waiting += shape.get("members", {}).values()
            waiting += [shape[part] for part in ("member", "key", "value") if part in shape]
    model = {
        "version": whole["version"],
        "metadata": whole["metadata"],
        "operations": {SSM_OPERATION: operation},
        "shapes": shapes,
    }
    target = folder / "ssm" / version / "service-2.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(model), "utf-8")


def command(config_env: ConfigEnv = "default") -> Outcome:
    """Build what is deployed: SAM's build, less to load, compiled."""
    try:
        build(config_env, quiet=console.quiet)
    except subprocess.CalledProcessError as failed:
        return Outcome({"built": False, "status": failed.returncode}, left=True)
    return Outcome({"built": True})

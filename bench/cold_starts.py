"""How long functions need until their first invocation, under AWS's own runtime interface."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.emulator import RUNTIME, Emulator
from ops.build import BUILD, ROOT

BARE = """
import boto3
sns = boto3.client("sns")
def handler(event, context):
    return {}
"""


@contextmanager
def compiled_copy(function: str, **modules: str) -> Iterator[Path]:
    """Copy a built function's folder, with modules (name -> source) added and all of it compiled.

    `bare.handler` is there too: a function that does nothing but make one boto3 client.
    """
    with tempfile.TemporaryDirectory() as folder:
        artefact = Path(folder) / "artefact"
        shutil.copytree(BUILD / function, artefact)
        for name, source in (modules | {"bare": BARE}).items():
            (artefact / f"{name}.py").write_text(source)
        for target in (artefact, ROOT / ".venv-lambda" / "lib"):
            command = [str(RUNTIME), "-m", "compileall", "-qq", str(target)]
            subprocess.run(command, check=False, capture_output=True)  # noqa: S603  our own files
        yield artefact


def cold_start(
    handler: str, event: object, variables: dict[str, str], artefact: Path
) -> tuple[float, object]:
    """Return the milliseconds of a function's init, and its answer to an event."""
    with Emulator(handler, variables, artefact) as emulator:
        answer = emulator.invoke(event)
        return emulator.init_milliseconds(), answer

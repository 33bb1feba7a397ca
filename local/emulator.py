"""A built function under AWS's own runtime interface emulator, without Docker.

The emulator comes with SAM CLI, the runtime client from PyPI. The interpreter has only the packages
of Lambda's own runtime, so a dependency that is missing in the artefact is found.
"""

import json
import os
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from local.aws import HOST, free_port, in_use
from local.program import Program
from ops.build import ROOT

RUNTIME = ROOT / ".venv-lambda" / "bin" / "python"


def _emulator() -> Path:
    machine = "arm64" if os.uname().machine in {"arm64", "aarch64"} else "x86_64"
    folder = "lib/python3.13/site-packages/samcli/local/rapid"
    return ROOT / ".venv-sam" / folder / f"aws-lambda-rie-{machine}"


class Emulator(Program):
    """One function's environment, started anew; its init begins with the first invocation.

    `variables` are the function's, `artefact` is the folder of its code.
    """

    NAME, START_SECONDS, END_SECONDS = "the runtime emulator", 15, 5

    def __init__(self, handler: str, variables: dict[str, str], artefact: Path) -> None:
        self._handler, self._variables, self._artefact = handler, variables, artefact
        self._port = free_port()

    def command(self) -> list[str]:
        """Return the emulator's command; SAM CLI ships the program without the right to run."""
        program = self.folder / "emulator"
        shutil.copyfile(_emulator(), program)
        program.chmod(0o700)
        return [
            str(program),
            *("--runtime-interface-emulator-address", f"{HOST}:{self._port}"),
            *("--runtime-api-address", f"{HOST}:{free_port()}"),
            *(str(RUNTIME), "-m", "awslambdaric", self._handler),
        ]

    def environment(self) -> dict[str, str]:
        """Return the function's variables, with Lambda's own."""
        return {
            "PATH": "/usr/bin:/bin",
            "LAMBDA_TASK_ROOT": str(self._artefact),
            "AWS_LAMBDA_FUNCTION_NAME": self._handler,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
            **self._variables,
        }

    def is_ready(self) -> bool:
        """Return whether invocations can be posted."""
        return in_use(self._port)

    def working_folder(self) -> Path:
        """Return the folder of the function's code, as in Lambda."""
        return self._artefact

    def invoke(self, event: Any) -> Any:
        """Return the function's answer to one event, or the error that it raised."""
        url = f"http://{HOST}:{self._port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=65) as answer:  # noqa: S310  our own
            return json.loads(answer.read() or b"null")

    def init_milliseconds(self) -> float:
        """Return the duration of the function's init."""
        found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)", self.log())
        if found is None:
            raise RuntimeError("the emulator has not reported an init yet")
        return float(found[1])

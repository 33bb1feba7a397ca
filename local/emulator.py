"""A built function under AWS's own runtime interface emulator: what Lambda runs, without Docker.

The emulator comes with SAM CLI, the runtime client from PyPI; the interpreter knows only what
Lambda's own runtime brings, so a dependency missing from the artefact is found.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.aws import HOST, free_port, in_use
from local.process import end
from ops.build import ROOT

RUNTIME = ROOT / ".venv-lambda" / "bin" / "python"
START_SECONDS = 15


def _emulator() -> Path:
    machine = "arm64" if os.uname().machine in {"arm64", "aarch64"} else "x86_64"
    folder = "lib/python3.13/site-packages/samcli/local/rapid"
    return ROOT / ".venv-sam" / folder / f"aws-lambda-rie-{machine}"


class Emulator:
    """One function's environment, started anew; a context manager that ends it.

    `variables` are the function's, `folder` holds its code.
    """

    def __init__(self, handler: str, variables: dict[str, str], folder: Path) -> None:
        self._handler, self._variables, self._folder = handler, variables, folder
        self._port = free_port()
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  open as long as the process
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it; the function's own init begins with the first invocation."""
        with tempfile.NamedTemporaryFile(delete=False) as copy:
            shutil.copyfile(_emulator(), copy.name)  # the package ships it without the right to run
        self._copy = Path(copy.name)
        self._copy.chmod(0o700)
        self._process = subprocess.Popen(  # noqa: S603  our own tool
            [
                self._copy,
                *("--runtime-interface-emulator-address", f"{HOST}:{self._port}"),
                *("--runtime-api-address", f"{HOST}:{free_port()}"),
                *(RUNTIME, "-m", "awslambdaric", self._handler),
            ],
            cwd=self._folder,
            env={
                "PATH": "/usr/bin:/bin",
                "LAMBDA_TASK_ROOT": str(self._folder),
                "AWS_LAMBDA_FUNCTION_NAME": self._handler,
                "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
                **self._variables,
            },
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not in_use(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.log()
                self.close()
                raise RuntimeError(f"the runtime emulator did not start:\n{log}")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End the emulator and the function."""
        if self._process is not None:
            end(self._process, 5)
            self._process = None
        self._copy.unlink(missing_ok=True)
        self._log.close()

    def invoke(self, event: Any) -> Any:
        """Return the function's answer to one event; an error it raised included."""
        url = f"http://{HOST}:{self._port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=65) as answer:  # noqa: S310  our own
            return json.loads(answer.read() or b"null")

    def log(self) -> str:
        """Return all that function and emulator have printed."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def init_milliseconds(self) -> float:
        """Return the time that the function's init took."""
        found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)", self.log())
        if found is None:
            raise RuntimeError("the emulator has not reported an init yet")
        return float(found[1])

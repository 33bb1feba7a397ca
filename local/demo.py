"""The simulated portal as a process of its own, joined to a stack by a token and a webhook."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.aws import HOST, free_port
from local.process import end
from ops.build import ROOT

START_SECONDS = 20


class DemoPortal:
    """A running portal; a context manager that ends it and removes what it made.

    `state` holds its addresses, the secret webhook URL among them.
    """

    def __init__(self, port: int | None = None, https_port: int | None = None) -> None:
        self.port, self._https_port = port or free_port(), https_port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="relay-portal-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.state: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start it and wait until it answers; raises RuntimeError with what it said if not."""
        state = self._folder / "state.json"
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own tool
                [
                    *(sys.executable, "-m", "local.portal"),
                    *("--port", str(self.port), "--https-port", str(self._https_port)),
                    *("--ca-file", str(self._folder / "ca.pem"), "--state-file", str(state)),
                ],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "TMPDIR": str(self._folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the launcher, which ends it in order
            )
        deadline = time.monotonic() + START_SECONDS
        while not state.is_file():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace")[-2000:]
                self.close()
                raise RuntimeError(f"the simulated portal did not start:\n{said}")
            time.sleep(0.05)
        self.state = json.loads(state.read_text("utf-8"))
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
        """End the process and remove its folder."""
        if self._process is not None:
            end(self._process, 5)
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def admin(self, name: str, verb: str = "POST", **values: Any) -> Any:
        """Return the answer of the portal's admin API (local/portal/README.md)."""
        return _ask(f"{self.url}/admin/{name}", verb, values)

    def call(self, method: str, **params: Any) -> Any:
        """Return the `result` of a REST method, called as anybody with the webhook may."""
        return _ask(f"{self.state['webhook_url']}{method}", "POST", params)["result"]


def _ask(url: str, verb: str, values: dict[str, Any]) -> Any:
    headers = {"content-type": "application/json"}
    body = None if verb == "GET" else json.dumps(values).encode()
    request = urllib.request.Request(url, body, headers, method=verb)  # noqa: S310  ours
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  ours
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        name = url.rsplit("/", 1)[-1]
        raise RuntimeError(f"{name}: {error.code} {error.read().decode()}") from None

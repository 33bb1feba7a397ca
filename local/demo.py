"""The simulated portal as a process of its own."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from local.aws import HOST, free_port
from local.program import Program
from ops.build import ROOT


class DemoPortal(Program):
    """A running simulated portal; `state` holds its addresses, the secret webhook URL among them.

    `plan` names the limit on requests: `standard`, `enterprise` or `unlimited`.
    """

    NAME, START_SECONDS, END_SECONDS = "the simulated portal", 20, 5

    def __init__(
        self, port: int | None = None, https_port: int | None = None, *, plan: str = "standard"
    ) -> None:
        self.port, self._https_port = port or free_port(), https_port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._plan = plan
        self.state: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start it and read its addresses."""
        super().__enter__()
        self.state = json.loads(self._state_file().read_text("utf-8"))
        return self

    def command(self) -> list[str]:
        """Return the command of local/portal."""
        return [
            *(sys.executable, "-m", "local.portal", "--plan", self._plan),
            *("--port", str(self.port), "--https-port", str(self._https_port)),
            *("--ca-file", str(self.folder / "ca.pem"), "--state-file", str(self._state_file())),
        ]

    def environment(self) -> dict[str, str]:
        """Return where programs are found and temporary files go."""
        return {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder)}

    def is_ready(self) -> bool:
        """Return whether it has written its addresses down."""
        return self._state_file().is_file()

    def working_folder(self) -> Path:
        """Return the project's folder, from which `local.portal` is imported."""
        return ROOT

    def _state_file(self) -> Path:
        return self.folder / "state.json"

    def admin(self, name: str, verb: str = "POST", **values: Any) -> Any:
        """Return the answer of the portal's admin API (local/portal/README.md)."""
        return _ask(f"{self.url}/admin/{name}", verb, values)

    def call(self, method: str, **params: Any) -> Any:
        """Return the `result` of a REST method, called with the portal's webhook."""
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

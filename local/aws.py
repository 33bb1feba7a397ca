"""The embedded AWS: one process that ends with all of its functions' workers."""

import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.program import Program

REGION = "eu-central-1"
HOST = "127.0.0.1"
FILTER_DELAY_SECONDS = 0.5
PROGRAM = Path(__file__).with_name("faithful_aws.py")


class PortInUseError(Exception):
    """Raised when a wanted port is in use."""

    def __init__(self, port: int, purpose: str, variable: str) -> None:
        super().__init__(
            f"port {port} ({purpose}) is in use; stop its program, or choose another port: "
            f"make run {variable}=<port>"
        )


def free_port() -> int:
    """Return a port of this host on which no program listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def in_use(port: int) -> bool:
    """Return whether a program listens on a port of this host."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def credentials(endpoint: str) -> dict[str, str]:
    """Return the environment variables with which AWS clients reach the embedded AWS only."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(endpoint: str, service: str) -> Any:
    """Return a boto3 client of the embedded AWS at an endpoint."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  any does
        config=Config(retries={"total_max_attempts": 1}),
    )


class LocalAws(Program):
    """A running local/faithful_aws.py.

    A changed filter of a subscription is in force after `filter_delay_seconds`; AWS says up to 900.
    """

    NAME, START_SECONDS, END_SECONDS = "the embedded AWS", 30, 10

    def __init__(
        self,
        port: int | None = None,
        *,
        enforce_iam: bool = False,
        filter_delay_seconds: float = FILTER_DELAY_SECONDS,
        usage_file: Path | None = None,
    ) -> None:
        self.port = port or free_port()
        self.endpoint = f"http://{HOST}:{self.port}"
        self.enforces_iam = enforce_iam
        self._filter_delay_seconds = filter_delay_seconds
        self._usage_file = usage_file
        self._clients: dict[str, Any] = {}  # making one takes longer than most of its requests

    def command(self) -> list[str]:
        """Return the command of local/faithful_aws.py; it can't import what lies beside it."""
        return [sys.executable, "-P", str(PROGRAM)]

    def environment(self) -> dict[str, str]:
        """Return what configures ministack; its functions inherit it."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "STATE_DIR": str(self.folder / "state"),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true" if self.enforces_iam else "false",
            "FILTER_DELAY_SECONDS": str(self._filter_delay_seconds),
        } | ({"USAGE_FILE": str(self._usage_file)} if self._usage_file else {})

    def is_ready(self) -> bool:
        """Return whether its health check answers."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1):  # noqa: S310
                return True
        except (urllib.error.URLError, OSError):
            return False

    def client(self, service: str) -> Any:
        """Return a boto3 client of the embedded AWS."""
        if service not in self._clients:
            self._clients[service] = client(self.endpoint, service)
        return self._clients[service]

    def kill(self, function: str, patience_seconds: float = 0.5) -> int:
        """Kill the workers of a function as soon as one is busy; return their number.

        It is 0 on a system without /proc.
        """
        deadline = time.monotonic() + patience_seconds
        workers = self._workers(function)
        while workers and time.monotonic() < deadline and not any(map(_runs, workers)):
            time.sleep(0.001)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(int(worker.name), signal.SIGKILL)
        return len(workers)

    def processor_seconds(self, function: str) -> float:
        """Return how long the workers of a function have computed so far; 0 without /proc."""
        ticks = 0
        for worker in self._workers(function):
            with suppress(OSError):
                user, system = _stat(worker)[11:13]
                ticks += int(user) + int(system)
        return ticks / os.sysconf("SC_CLK_TCK")

    def _workers(self, function: str) -> list[Path]:
        variable, workers = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # ended meanwhile, or somebody else's
                parent = int(_stat(process)[1])
                if parent == self.process.pid:
                    variables = (process / "environ").read_bytes().split(b"\0")
                    workers += [process] * (variable in variables)
        return workers


def _stat(process: Path) -> list[str]:
    """Return the fields of /proc/<id>/stat after the process's name: state, parent, ..."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _runs(process: Path) -> bool:
    try:
        return _stat(process)[0] == "R"
    except OSError:
        return False

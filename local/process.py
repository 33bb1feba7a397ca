"""How a process that we started ends: asked first, then made to, with all that it started."""

import os
import signal
import subprocess
from typing import Any


def end(process: subprocess.Popen[Any], patience_seconds: float) -> None:
    """End a process that leads its own session; returns when it is gone."""
    process.terminate()
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

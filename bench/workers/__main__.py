"""`python -m bench.workers CLIENT WORK COUNT`: wait for a line, do the work, print its cost."""

import importlib
import json
import sys
import time
from pathlib import Path


def peak_megabytes() -> float:
    """Return the most memory that this process has had; getrusage counts its parent's too."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Do one work of one client."""
    client, work, count = sys.argv[1:4]
    module = importlib.import_module(f"bench.workers.{client}")
    print("ready", flush=True)
    sys.stdin.readline()
    spent = time.process_time()
    began = time.monotonic()
    try:
        done, trouble = module.run(work, int(count)), ""
    except Exception as error:  # noqa: BLE001  a client that gives up is a figure too
        done, trouble = 0, f"{type(error).__name__}: {error}"[:200]
    figures = {
        "done": done,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
        "peak": peak_megabytes(),
        "trouble": trouble,
    }
    print(json.dumps(figures), flush=True)


main()

"""The first filling of a portal's mirror, with its progress."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from relay.tracking.sweep_state import REFUSED, SweepState

PAUSE_SECONDS = 2.0


def fill(
    client: Callable[[str], Any],
    resources: Mapping[str, str],
    portal: str,
    say: Callable[[str], None],
    patience_seconds: float,
) -> bool:
    """Run sweeps until a portal's mirror is filled; return whether it is.

    `client` returns a boto3 client by its service, `resources` are the stack's physical ids by
    logical id, `say` takes each new line about the progress. Where patience ends first, the
    scheduled sweeps go on.
    """
    functions, last = client("lambda"), ""
    state = SweepState(client("dynamodb"), resources["StateTable"])
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            payload = functions.invoke(FunctionName=resources["SweepFunction"])["Payload"]
            answer = json.loads(payload.read())
        except (ReadTimeoutError, ConnectionClosedError):
            answer = {portal: "a sweep is under way"}  # it goes on without the connection
        if not isinstance(answer, dict) or portal not in answer:
            say(f"the sweep did not run: {answer}")
            return False
        kinds = state.read(portal).progress()
        states = (f"{kind} {state}" for kind, state in sorted(kinds.items()))
        text = ", ".join(states) or str(answer[portal])
        if text != last:
            say(f"mirror: {text}")
            last = text
        if kinds and set(kinds.values()) <= {"done", REFUSED}:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)

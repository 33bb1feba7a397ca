"""The first filling of a portal's mirror, told as it goes on."""

import json
import time
from collections.abc import Callable
from typing import Any

from relay.tracking.sweep_plan import REFUSED, progress
from relay.tracking.sweep_state import SweepState

PAUSE_SECONDS = 2.0


def fill(
    aws: Callable[[str], Any],
    resources: dict[str, str],
    portal: str,
    say: Callable[[str], None],
    patience_seconds: float,
) -> bool:
    """Let sweeps run until a portal's mirror is filled; says what is new, returns whether it is.

    `aws` makes a client of a service, `resources` are the stack's. It goes on without us, every
    SweepMinutes, where patience ends first.
    """
    functions, told = aws("lambda"), ""
    state = SweepState(aws("dynamodb"), resources["StateTable"])
    deadline = time.monotonic() + patience_seconds
    while True:
        answer = functions.invoke(FunctionName=resources["SweepFunction"])["Payload"]
        said = json.loads(answer.read())
        if not isinstance(said, dict) or portal not in said:
            say(f"the sweep did not run: {said}")
            return False
        kinds = progress(state.read(portal))
        text = ", ".join(f"{kind} {how}" for kind, how in sorted(kinds.items())) or said[portal]
        if text != told:
            say(f"mirror: {text}")
            told = text
        if kinds and set(kinds.values()) <= {"done", REFUSED}:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)

"""Requests to the simulated portal of which some lose their answer, or kill the function."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from relay.errors import MayHaveRunError, PermanentError
from relay.portal.answers import Answer
from relay.portal.request import exchange
from relay.portal.webhook_state import WebhookState


class UnluckyRequests:
    """Stands for relay.portal.request.exchange, a portal's request slots and the SQS client.

    `loses_answer` and `kills_function` decide about each request with a create, once the portal has
    run it: its answer is lost, or the function dies before it can note the answer. `ran` counts the
    calls that the portal ran, by method.
    """

    def __init__(
        self,
        loses_answer: Callable[[], bool] = lambda: False,
        kills_function: Callable[[], bool] = lambda: False,
    ) -> None:
        self._loses_answer, self._kills_function = loses_answer, kills_function
        self.ran: Counter[str] = Counter()
        self.requests = 0
        self.dead_letters: list[str] = []
        self.is_killed = False
        self.seconds_ahead = 0.0  # of the function's clock

    def exchange(self, state: WebhookState, method: str, body: bytes, seconds: float) -> Answer:
        """Send one request; raises CallError."""
        if self.is_killed:
            raise PermanentError(method, "KILLED")
        self.requests += 1
        answer = exchange(state, method, body, seconds)
        methods = [method]
        if method == "batch":
            commands, result = json.loads(body)["cmd"], answer.result
            assert isinstance(result, dict)  # noqa: S101  a batch has a result of its own
            ran = result["result"]
            assert isinstance(ran, dict)  # noqa: S101  by command, as all commands have names
            methods = [commands[key].partition("?")[0] for key in ran]
        self.ran.update(methods)
        if not any(name.endswith(".add") for name in methods):
            return answer
        if self._kills_function():
            self.is_killed = True
            raise PermanentError(method, "KILLED")
        if self._loses_answer():
            raise MayHaveRunError(method, "TIMEOUT")
        return answer

    def send_message(self, *, MessageBody: str, **_: Any) -> None:  # noqa: N803  boto3's name
        """Take a dead letter."""
        if not self.is_killed:
            self.dead_letters.append(json.loads(MessageBody)["id"])

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        """Let records wait."""
        return {}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        """Say that few records are in flight."""
        return {"Attributes": {}}

    def take(self, _latest: float) -> float:
        """Give a request slot at once."""
        return time.time()

    def refused(self) -> None:
        """Ignore that a portal refused a request."""

"""A portal and its queue in this process: what a bench's reactions write is counted here."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from relay.errors import MayHaveRunError, PermanentError
from relay.portal.answers import Answer

CREATED = "2030-01-01T00:00:00+00:00"


class MemoryPortal:
    """Stands for the HTTP exchange with a portal, its request slots and the SQS client.

    `created` counts the creates by method. `loses_answer` and `kills_function` decide about each
    request: its answer is lost, or the function dies before it can note the answer.
    """

    def __init__(
        self,
        loses_answer: Callable[[], bool] = lambda: False,
        kills_function: Callable[[], bool] = lambda: False,
    ) -> None:
        self._loses_answer, self._kills_function = loses_answer, kills_function
        self.created: Counter[str] = Counter()
        self.requests = 0
        self.dead_letters: list[str] = []
        self.is_killed = False
        self.seconds_ahead = 0.0  # of the function's clock
        self._tasks: dict[str, list[dict[str, str]]] = {}  # by title
        self._deals: dict[str, int] = {}  # ids by originId

    def exchange(self, _state: Any, method: str, body: bytes, _seconds: float) -> Answer:
        """Answer one request, as relay.portal.request.exchange does; raises PortalError."""
        if self.is_killed:
            raise PermanentError(method, "KILLED")
        self.requests += 1
        params = json.loads(body)
        if method == "batch":
            results = {key: self._command(text) for key, text in params["cmd"].items()}
            result: Any = {"result": results, "result_error": [], "result_time": {}}
        else:
            result = self._run(method, _flat(params))
        if self._kills_function():
            self.is_killed = True
            raise PermanentError(method, "KILLED")
        if self._loses_answer():
            raise MayHaveRunError(method, "TIMEOUT")
        return Answer(result)

    def _command(self, text: str) -> Any:
        method, _, query = text.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        return self._run(method, {unquote_plus(name): value for name, value in pairs})

    def _run(self, method: str, params: dict[str, Any]) -> Any:
        if method == "tasks.task.list":
            tasks = self._tasks.get(params["filter[TITLE]"], [])
            after = int(params.get("filter[>ID]", 0))
            return {"tasks": [task for task in tasks if int(task["id"]) > after]}
        if method == "crm.item.list":
            deal = self._deals.get(params["filter[=originId]"], 0)
            return {"items": [{"id": deal}] if deal > int(params.get("filter[>id]", 0)) else []}
        number = self.created.total() + 1
        self.created[method] += 1
        if method == "tasks.task.add":
            title = params["fields[TITLE]"]
            task = {"id": str(number), "title": title, "xmlId": params["fields[XML_ID]"]}
            self._tasks.setdefault(title, []).append(task | {"createdDate": CREATED})
            return {"task": task}
        if method == "crm.item.add":
            self._deals[params["fields[originId]"]] = number
            return {"item": {"id": number}}
        return number

    def send_message(self, *, MessageBody: str, **_: Any) -> None:  # noqa: N803  boto3's name
        """Take a dead letter."""
        if not self.is_killed:
            self.dead_letters.append(json.loads(MessageBody)["id"])

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        """Let records wait."""
        return {}

    def take(self, _latest: float) -> float:
        """Give a request slot at once."""
        return time.time()

    def refused(self) -> None:
        """Ignore that a portal refused a request."""


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """Return the names of a call's fields and filter as a batch command spells them."""
    return {
        f"{part}[{name}]": value
        for part in ("fields", "filter")
        for name, value in params.get(part, {}).items()
    }

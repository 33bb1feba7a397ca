"""What operators did, as lines in the log of the stack: `make logs` and `make trace` show them."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

SERVICE = "operator"


class Audit:
    """Writes lines of one command; `who` is the ARN of the credentials."""

    def __init__(self, logs: Any, group: str, who: str) -> None:
        self._logs, self._group, self._who = logs, group, who
        self._stream = ""

    def note(self, message: str, entries: Iterable[Mapping[str, object]]) -> None:
        """Write a line for each entry; raises botocore's errors."""
        now = time.time()
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        about = {
            "level": "INFO",
            "message": message,
            "timestamp": f"{clock},{int(now * 1000) % 1000:03}+0000",
            "service": SERVICE,
            "by": self._who,
        }
        lines = [json.dumps(about | dict(one), ensure_ascii=False) for one in entries]
        if not self._stream:
            self._stream = self._make_stream()
        self._logs.put_log_events(
            logGroupName=self._group,
            logStreamName=self._stream,
            logEvents=[{"timestamp": int(now * 1000), "message": line} for line in lines],
        )

    def try_to_note(self, message: str, entries: Iterable[Mapping[str, object]]) -> None:
        """Write lines that nothing depends on."""
        try:
            self.note(message, entries)
        except (BotoCoreError, ClientError):
            return

    def _make_stream(self) -> str:
        name = f"{SERVICE}/{time.time_ns()}"
        self._logs.create_log_stream(logGroupName=self._group, logStreamName=name)
        return name


def open_audit(client: Any, group: str) -> Audit:
    """Return an Audit; `client` returns a boto3 client by its service."""
    return Audit(client("logs"), group, client("sts").get_caller_identity()["Arn"])

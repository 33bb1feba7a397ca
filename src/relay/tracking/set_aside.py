"""What announce can't announce, now or ever: a record with its reason, and a queue for it."""

import base64
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay.change import Change
from relay.errors import RefusedError
from relay.queue import dead_letter

QUEUE_BYTES = 1_000_000  # SQS takes 1 MiB; two images of a row may be more

logger = Logger(service="announce")
metrics = Metrics(service="announce")


@dataclass(slots=True)
class Entry:
    """A record, and its Change and text, or why there is none."""

    record: Mapping[str, Any]
    change: Change | None = None
    text: str = ""
    error: Exception | None = None

    @property
    def number(self) -> str:
        """Return where the stream goes on if this one could not be announced."""
        number: str = self.record["dynamodb"]["SequenceNumber"]
        return number

    def is_older(self, seconds: float) -> bool:
        """Say whether the row was put longer ago than that."""
        put_at: float = self.record["dynamodb"].get("ApproximateCreationDateTime", time.time())
        return time.time() - put_at > seconds


def set_aside(entry: Entry) -> bool:
    """Put a record into a queue of its own, whole; says if it is there."""
    entry.error = entry.error or RefusedError("not announced before the stream would drop it")
    body = json.dumps(entry.record)  # in ASCII, of which SQS refuses nothing
    if len(body) > QUEUE_BYTES:  # `make redrive` reads both
        body = base64.b64encode(zlib.compress(body.encode())).decode()
    try:
        dead_letter(body, entry.error)
    except (BotoCoreError, ClientError) as trouble:
        logger.warning("not set aside", reason=repr(entry.error), trouble=str(trouble))
        return False
    logger.error("set aside", reason=repr(entry.error))
    metrics.add_metric("poison", MetricUnit.Count, 1)
    return True

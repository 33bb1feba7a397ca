"""A stream record that can't be announced, now or ever, and the queue where it is kept."""

import base64
import json
import time
import zlib
from dataclasses import dataclass

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from relay.aws_types import StreamRecord
from relay.change import Change
from relay.errors import RefusedError
from relay.queue import dead_letter

QUEUE_BYTES = 1_000_000  # SQS takes 1 MiB; two images of a row may be more

logger = Logger(service="announce", location=None)
metrics = Metrics(service="announce")


@dataclass(slots=True)
class Entry:
    """A stream record with its Change and the Change's text, or the error that prevents them."""

    record: StreamRecord
    change: Change | None = None
    text: str = ""
    error: Exception | None = None
    published: bool = False

    @property
    def number(self) -> str:
        """Return the record's place in the stream."""
        return self.record["dynamodb"]["SequenceNumber"]

    @property
    def item(self) -> str:
        """Return the item's part of the Change's id; the record's place if there is no Change."""
        return self.change.change_id.rpartition(".")[0] if self.change else self.number

    def is_older(self, seconds: float) -> bool:
        """Say whether the row was put longer ago than that."""
        put_at = self.record["dynamodb"].get("ApproximateCreationDateTime", time.time())
        return time.time() - put_at > seconds


def body_of(record: StreamRecord) -> str:
    """Return a record as a message of the queue has it; `make redrive` reads it."""
    body = json.dumps(record)  # in ASCII, of which SQS refuses nothing
    if len(body) > QUEUE_BYTES:
        body = base64.b64encode(zlib.compress(body.encode())).decode()
    return body


def set_aside(entry: Entry) -> bool:
    """Put the whole record into the dead-letter queue; returns whether it is there."""
    error = entry.error or RefusedError("not announced before the stream would drop it")
    try:
        dead_letter(body_of(entry.record), error)
    except (BotoCoreError, ClientError) as trouble:
        logger.warning("not set aside", reason=repr(error), trouble=str(trouble))
        return False
    logger.error("set aside", reason=repr(error))
    metrics.add_metric("poison", MetricUnit.Count, 1)
    return True

"""What processor time does announcing a change take? `PYTHONPATH=src python -m bench.announce`.

Handlers run with boto3's own clients, whose connections are answered in this process: what is
measured is the processor's time, without AWS and without the network. A deal has 38 fields, of
which five change; a batch has 100 changes.
"""

import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from relay import settings
from relay.aws_types import StreamBatch, StreamRecord
from relay.tracking import announce
from relay.tracking.mirror import Mirror
from relay.tracking.projection import canonical_json, project
from relay.tracking.row import ITEM, Key, Row

CHANGES, ROUNDS = 100, 15
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "STATE_TABLE": "State",
    "HISTORY_TABLE": "History",
    "HISTORY_DAYS": "0",
    "CHANGES_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:changes",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
}
PUBLISHED = (
    b'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>'
    b"<Failed/><Successful/></PublishBatchResult></PublishBatchResponse>"
)
DEAL: dict[str, object] = {
    **{f"UF_CRM_17{number:08d}": f"value {number} of a field" for number in range(12)},
    **{f"field{number}Id": number for number in range(12)},
    "title": "Deal 5", "stageId": "NEW", "stageSemanticId": "P", "closed": "N", "opened": "Y",
    "comments": "x" * 300, "currencyId": "RUB", "contactIds": [13, 14], "updatedBy": 7,
    "updatedTime": "2026-01-01T10:00:00Z", "movedTime": "2026-01-01T10:00:00Z",
    "createdTime": "2026-01-01T10:00:00Z",
    "begindate": "2026-01-01T10:00:00Z", "closedate": "2026-01-08T10:00:00Z",
}  # fmt: skip
WON = DEAL | {"stageId": "WON", "stageSemanticId": "S", "closed": "Y", "movedTime": "2026-01-02"}


class Body:
    """The body of an answer, as urllib3 gives it to botocore."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield the whole body."""
        yield self._data


def answer(_session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
    """Answer as DynamoDB or SNS does where nothing is found and all is taken."""
    target = request.headers.get("X-Amz-Target", "")
    name = target.decode() if isinstance(target, bytes) else str(target)
    if not name:
        return AWSResponse(request.url, 200, {}, Body(PUBLISHED))
    data = b'{"Responses": {"State": []}}' if "BatchGet" in name else b"{}"
    return AWSResponse(request.url, 200, {"x-amz-crc32": str(zlib.crc32(data))}, Body(data))


def record(number: int) -> StreamRecord:
    """Return the stream's record of a deal that was won."""
    images = [
        Row(
            key=Key("main", "deal", number), seq=seq, born="19a0c4e2b7fab12", kind=ITEM,
            text=canonical_json(form), read_at=1772366400.0 + seq, via="event",
        ).to_item()
        for seq, form in ((4, DEAL), (5, WON))
    ]  # fmt: skip
    return {
        "dynamodb": {"OldImage": images[0], "NewImage": images[1], "SequenceNumber": str(number)}
    }


def microseconds(work: Callable[[], object]) -> float:
    """Return the processor time of the quickest of some runs, by change."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / CHANGES * 1e6


def main() -> int:
    """Measure and print."""
    batch: StreamBatch = {"Records": [record(number) for number in range(1, CHANGES + 1)]}
    mirror = Mirror(settings.client("dynamodb"), "Mirror")
    page = json.dumps([DEAL] * CHANGES)
    read = [
        Row(
            key=Key("main", "deal", number), seq=2, born="b", kind=ITEM, text=canonical_json(DEAL),
            read_at=1772366400.0, via="event",
        )
        for number in range(CHANGES)
    ]  # fmt: skip
    project_all = microseconds(
        lambda: [canonical_json(project("deal", i)) for i in json.loads(page)]
    )
    put = microseconds(lambda: [mirror.put_one(one) for one in read])
    with patch.object(announce, "remember"):
        without = microseconds(lambda: announce.handler(batch))
    whole = microseconds(lambda: announce.handler(batch))
    print("microseconds of the processor, a change")
    print(f"  track: project, put          {project_all + put:8.0f}")
    print(f"  announce without the history {without:8.0f}")
    print(f"  announce                     {whole:8.0f}")
    share = (whole - without) / (project_all + put + without)
    print(f"  the history, of all before it {share:8.1%}")
    return 0


if __name__ == "__main__":
    os.environ |= ENVIRONMENT
    with patch.object(URLLib3Session, "send", answer):
        sys.exit(main())

"""Records of the mirror's stream that announce was never given: they become its dead letters.

Lambda gives up a batch shortly before the stream drops it, and puts it into the stack's bucket, a
file each, with its records. A file is deleted when all its records are in the queue.
"""

import json
from collections.abc import Mapping
from typing import Any

from ops.send_back import ANNOUNCE, Client
from ops.terminal import console
from relay.tracking.publish import body_of

REASON = "announce did not start, or failed as a whole, for a day"


def to_dead_letters(client: Client, resources: Mapping[str, str], queues: Mapping[str, str]) -> int:
    """Move the bucket's records to announce's dead letters if these are asked for; return how many.

    A record that is moved twice is announced twice under one id, and handled once.
    """
    bucket, url = resources.get("Unannounced"), queues.get(ANNOUNCE)
    if not bucket or not url:
        return 0
    s3, sqs, moved = client("s3"), client("sqs"), 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for file in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read()
            for record in _records(json.loads(body)):
                sqs.send_message(
                    QueueUrl=url,
                    MessageBody=body_of(record),
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": text}
                        for name, text in (("reason", REASON), ("error", "Unannounced"))
                    },
                )
                moved += 1
            s3.delete_object(Bucket=bucket, Key=file["Key"])
    if moved:
        console.print(f"{moved} records that announce was never given are dead letters now")
    return moved


def _records(document: Mapping[str, Any]) -> list[Any]:
    """Return the records of a file; its payload is what the function would have got."""
    payload = document["payload"]
    batch = json.loads(payload) if isinstance(payload, str) else payload
    return list(batch["Records"])

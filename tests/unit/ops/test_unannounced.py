"""ops.unannounced: what announce was never given becomes its dead letters, and none is lost."""

import io
import json

import pytest

from ops.letter import content_of, reason_of
from ops.unannounced import REASON, to_dead_letters
from relay.tracking.publish import QUEUE_BYTES
from tests.dead_letter_aws import RECORD

RESOURCES = {"Unannounced": "bucket"}
QUEUES = {"Announce": "announce-dead", "Journal": "journal-dead"}
RECORDS = [RECORD | {"eventID": str(number)} for number in range(3)]
LARGE = RECORD | {"eventID": "x" * QUEUE_BYTES}


class Aws:
    """A bucket with files of Lambda, and a queue that ends after some messages."""

    def __init__(self, *batches, room=9):
        """Put batches into the bucket, as Lambda does: the payload is text."""
        self.files = {
            f"aws/lambda/m/shard/{at}": json.dumps({"payload": json.dumps({"Records": batch})})
            for at, batch in enumerate(batches)
        }
        self.letters, self.room = [], room

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def get_paginator(self, name):
        """Return what lists the files, a page each."""
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket):  # noqa: N803  boto3's names
        """Yield pages; an empty one has no contents."""
        assert Bucket == "bucket"
        yield from ({"Contents": [{"Key": key}]} for key in sorted(self.files))
        yield {}

    def get_object(self, *, Bucket, Key):  # noqa: N803
        """Return a file."""
        assert Bucket == "bucket"
        return {"Body": io.BytesIO(self.files[Key].encode())}

    def delete_object(self, *, Bucket, Key):  # noqa: N803
        """Delete a file."""
        assert Bucket == "bucket"
        del self.files[Key]

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803
        """Take a message, while there is room."""
        assert QueueUrl == "announce-dead"
        if len(self.letters) == self.room:
            raise ConnectionError
        self.letters.append({"Body": MessageBody, "MessageAttributes": MessageAttributes})


def test_records_become_dead_letters_in_their_order():
    """Each record is a letter that `make redrive` takes, large ones too; the files are gone."""
    aws = Aws(RECORDS[:2], [*RECORDS[2:], LARGE])
    assert to_dead_letters(aws, RESOURCES, QUEUES) == 4
    assert [content_of(letter) for letter in aws.letters] == [*RECORDS, LARGE]
    assert {reason_of(letter) for letter in aws.letters} == {REASON}
    assert aws.files == {}
    assert to_dead_letters(aws, RESOURCES, QUEUES) == 0


def test_a_file_stays_until_all_its_records_are_in_the_queue():
    """What broke off is moved once more: a record twice, and none never."""
    aws = Aws(RECORDS[:1], RECORDS[1:], room=2)
    with pytest.raises(ConnectionError):
        to_dead_letters(aws, RESOURCES, QUEUES)
    assert list(aws.files) == ["aws/lambda/m/shard/1"]
    aws.room = 9
    assert to_dead_letters(aws, RESOURCES, QUEUES) == 2
    assert [content_of(letter) for letter in aws.letters] == [*RECORDS[:2], *RECORDS[1:]]


@pytest.mark.parametrize(
    ("resources", "queues"), [({}, QUEUES), (RESOURCES, {"Journal": "journal-dead"})]
)
def test_an_older_stack_and_another_queue_have_none(resources, queues):
    """A stack without the bucket is left alone, and a command for one reaction moves nothing."""
    aws = Aws(RECORDS)
    assert to_dead_letters(aws, resources, queues) == 0
    assert len(aws.files) == 1

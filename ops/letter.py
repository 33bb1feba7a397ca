"""What a dead letter says: its record, its reason, its age."""

import base64
import json
import re
import time
import zlib
from hashlib import sha256
from typing import Any, NamedTuple

from relay.reaction.run import NEEDS_OPERATOR

type Letter = dict[str, Any]

MAX_CONTENT_BYTES = 8 << 20  # two images of a row, of 400 KB at most, six bytes a letter
UNEXPLAINED = "no reason given: it was received too often"
ID_LETTERS = 8  # of a message's id, a UUID, that are shown


class Record(NamedTuple):
    """What a letter is about; empty where it does not say."""

    id: str
    subject: str


def content_of(letter: Letter) -> Any:
    """Return the JSON value in a letter, compressed or not; its text where there is none."""
    body: str = letter["Body"]
    try:
        text = body
        if not body.startswith(("{", "[")):
            unpacked = zlib.decompressobj()
            text = unpacked.decompress(base64.b64decode(body), MAX_CONTENT_BYTES).decode()
            if not unpacked.eof:
                return body
        return json.loads(text)
    except (ValueError, RecursionError, zlib.error):
        return body


def digest_of(letter: Letter) -> bytes:
    """Return a digest of a letter's content, whatever the order of its keys."""
    return sha256(json.dumps(content_of(letter), sort_keys=True).encode()).digest()


def record_of(letter: Letter) -> Record:
    """Return the change, event or stream record that a letter holds."""
    match content_of(letter):
        case {"dynamodb": {"Keys": {"pk": {"S": str(key)}, "id": {"N": str(number)}}}}:
            return Record("", f"{key.partition('/')[2]}/{number}")
        case {"specversion": str(), "id": str(record_id), **rest}:
            return Record(record_id, str(rest.get("subject") or ""))
        case {"entity": str(entity), "id": str() | int() as number}:
            return Record("", f"{entity}/{number}")
    return Record("", "")


def reason_of(letter: Letter) -> str:
    """Return the reason that a letter was sent with, or why it has none."""
    return _attribute(letter, "reason") or UNEXPLAINED


def is_undecided(letter: Letter) -> bool:
    """Say whether a letter asks if a create ran: sending it back answers that it did not."""
    return _attribute(letter, "code") == NEEDS_OPERATOR


def _attribute(letter: Letter, name: str) -> str:
    attribute = letter.get("MessageAttributes", {}).get(name)
    return str(attribute["StringValue"]) if attribute else ""


def group_of(owner: str, letter: Letter) -> str:
    """Return the code of letters with one owner and one reason, numbers and quoted texts apart."""
    kind = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", reason_of(letter))
    return sha256(f"{owner} {kind}".encode()).hexdigest()[:6]


def sent_at(letter: Letter) -> float:
    """Return when a letter was sent (epoch seconds); now where SQS does not say."""
    sent = letter.get("Attributes", {}).get("SentTimestamp")
    return float(sent) / 1000 if sent else time.time()


def entry_of(owner: str, letter: Letter) -> dict[str, object]:
    """Return what the log says of a letter that an operator has decided about."""
    record = record_of(letter)
    return {
        "queue": owner,
        "message_id": letter["MessageId"],
        "record_id": record.id,
        "subject": record.subject,
        "reason": reason_of(letter),
    }


class Chosen(NamedTuple):
    """Which letters are meant: a letter's, record's or item's id, and a group's code or a reason.

    Empty means all.
    """

    one: str = ""
    reason: str = ""

    def takes(self, owner: str, letter: Letter) -> bool:
        """Say whether a letter is meant."""
        if self.one:
            prefix = letter["MessageId"][: max(len(self.one), ID_LETTERS)]
            if self.one != prefix and self.one not in record_of(letter):
                return False
        wanted = self.reason.lower()
        return wanted in reason_of(letter).lower() or wanted == group_of(owner, letter)

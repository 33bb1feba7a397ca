"""The changes of the local stack as they are announced, for the terminal and the page."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.aws import LocalAws
from local.stack import Stack
from relay.change import Change
from relay.echo import FOLLOWS, plain

SHOWN = 3  # fields on a line
QUEUE = "relay-changes-shown"
# What follows an edit is not what a person did; it is in the Change all the same.
_CONSEQUENCES = set().union(*FOLLOWS.values()) - {"stageid", "opportunity", "contactid"}


class Changes:
    """A queue of our own behind the topic of changes."""

    def __init__(self, aws: LocalAws, stack: Stack) -> None:
        self._sqs, sns = aws.client("sqs"), aws.client("sns")
        self._url = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        sns.subscribe(
            TopicArn=stack.outputs["ChangesTopicArn"],
            Protocol="sqs",
            Endpoint=asked["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )

    def new(self) -> Iterator[Change]:
        """Yield what was announced since it was asked last."""
        while True:
            found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            for message in found.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                yield Change.from_cloudevent(json.loads(message["Body"]))
            if not found.get("Messages"):
                return


def words(change: Change) -> str:
    """Return a change in one line: `deal 662 stageId NEW -> WON by user 1, event`."""
    what = change.action
    if change.changed:
        edited = [name for name in change.changed if plain(name) not in _CONSEQUENCES]
        edited = edited or list(change.changed)
        what = ", ".join(_field(change, name) for name in edited[:SHOWN])
        more = len(edited) - SHOWN
        what += f" and {more} more" if more > 0 else ""
    user = change.after.get("updatedBy") or change.after.get("changedBy")
    by = f" by user {user}" if user else ""
    seen = change.via if change.origin == "portal" else f"{change.via}, written by a reaction"
    return f"{change.entity} {change.id} {what}{by}, {seen}"


def _field(change: Change, name: str) -> str:
    return f"{name} {_short(change.before, name)} -> {_short(change.after, name)}"


def _short(values: Mapping[str, Any], name: str) -> str:
    text = str(values.get(name) if values.get(name) is not None else "-")
    return text if len(text) <= 30 else text[:29] + "…"  # noqa: PLR2004  fits a line of 80


def step(change: Change) -> dict[str, Any]:
    """Return the step of the page's strip (local/portal/README.md) that a change is."""
    detail = {
        "changed": list(change.changed),
        "before": {name: change.before.get(name) for name in change.changed},
        "after": {name: change.after.get(name) for name in change.changed},
    }
    subject = f"{change.entity}/{change.id}"
    return {"step": "changed", "subject": subject, "detail": detail}

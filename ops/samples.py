"""Samples of what a reaction subscribes to: a change or an event, and a batch with it."""

import json
import re
from typing import Any

from relay.change import Change
from relay.event import ROBOT_ACTION, ROBOT_PREFIX, Event
from relay.ingress.recognise import CATALOGUE, to_event
from relay.kinds import ACTIVITY, TASK, Kind
from relay.tracking.schema_watch import Difference, event_of

SECONDS = 1766047125
TIME = "2025-12-18T08:38:45Z"
TYPE_ID = "{ENTITY_TYPE_ID}"  # in the codes of smart processes, as the catalogue has them


def sample_change(kind: Kind, action: str, names: list[str], values: list[float | str]) -> Change:
    """Return a change of these fields, of the title without any."""
    person = "responsibleId" if kind.name in {TASK, ACTIVITY} else "assignedById"
    title = "subject" if kind.name == ACTIVITY else "title"
    item = {"id": 1, title: "A sample", person: 1}
    after = {name: sample_value(name, 3) for name in names or [title]} | item
    after |= dict.fromkeys(names, values[0]) if values else {}
    changed = {"added": sorted(after), "updated": sorted(names or [title]), "deleted": []}[action]
    before = {name: sample_value(name, 2) for name in changed} if action == "updated" else {}
    return Change(
        change_id=f"main.{kind.name}.1.{SECONDS}.2",
        portal="main",
        entity=kind.name,
        entity_type_id=kind.entity_type_id,
        id="1",
        action=action,
        version=2,
        time=TIME,
        changed=tuple(changed),
        before=item if action == "deleted" else before,
        after={} if action == "deleted" else after,
    )


def sample_value(name: str, number: int) -> float | str:
    """Return a value that a field of this name could have."""
    texts = {"stageId", "previousStageId", "currencyId", "typeId", "sourceId", "originId"}
    number_like = name.endswith(("Id", "By")) and name not in texts
    return number if number_like or name in {"opportunity", "taxValue"} else f"sample {number}"


def documented(code: str) -> str:
    """Return an event's code as the catalogue has it: `…_128` -> `…_{ENTITY_TYPE_ID}`."""
    return re.sub(r"_[1-9]\d{0,8}$", f"_{TYPE_ID}", code)


def sample_event(name: str) -> Event:
    """Return an event of the catalogue, with an id where the catalogue has its place."""
    payload: Any = "1"
    for key in reversed((CATALOGUE[documented(name)]["idPath"] or "data.FIELDS.ID").split(".")[1:]):
        payload = [payload] if key == "0" else {key: payload}
    form = {"event": name, "data": payload, "event_handler_id": "1", "auth": {}}
    return to_event(form, "main", "sample-request", SECONDS)


def sample_robot(name: str) -> Event:
    """Return the event of a robot."""
    return Event(
        event_id=f"main.robot.{name}.sample.{SECONDS // 10}",
        portal="main",
        name=ROBOT_PREFIX + name,
        time=TIME,
        entity="deal",
        action=ROBOT_ACTION,
        entity_type_id=2,
        id="1",
        sent_at=None,
        domain=None,
        member_id=None,
        handler_id=None,
        payload={"sum": "100"},
    )


def sample_schema() -> Event:
    """Return the event of a stage that was removed."""
    gone = Difference("DEAL_STAGE_3", "C3:5", "removed", "Contract", "")
    return event_of("main", [gone], SECONDS)


def sample_batch(sample: Change | Event, queue: str) -> str:
    """Return a sample invocation as JSON: an SQS batch of one record, as Lambda gets it."""
    record = {
        "messageId": "00000000-0000-4000-8000-000000000000",
        "receiptHandle": "AQEBsample0",
        "body": sample.to_json(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{SECONDS}100",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": f"{SECONDS}150",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:relay-{queue}",
        "awsRegion": "eu-central-1",
    }
    return json.dumps({"Records": [record]}, indent=2, ensure_ascii=False) + "\n"

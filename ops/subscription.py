"""What a reaction subscribes to: `deal.updated` or an event's code -> topic, filter, sample."""

import difflib
import json
import re
from dataclasses import dataclass
from math import prod
from typing import Any

from relay.change import ACTIONS, Change
from relay.change import TYPE_PREFIX as CHANGE_PREFIX
from relay.event import TYPE_PREFIX as EVENT_PREFIX
from relay.event import Event
from relay.ingress.recognise import CATALOGUE, to_event

ENTITIES = {
    "lead": 1,
    "deal": 2,
    "contact": 3,
    "company": 4,
    "quote": 7,
    "invoice": 31,
    "task": None,
}
MOST_KEYS, MOST_COMBINATIONS = 5, 150  # SNS's limits
SAMPLE_SECONDS = 1766047125


@dataclass(frozen=True)
class Subscription:
    """A topic, a filter, and something that comes through."""

    topic: str
    policy: dict[str, Any]
    sample: Change | Event


def subscription(on: str, fields: str = "") -> Subscription:
    """Return what ON and FIELD mean; raises ValueError that says what there is."""
    entity, _, action = on.partition(".")
    dynamic = re.fullmatch(r"dynamic_([1-9]\d{0,8})", entity)
    if action in ACTIONS and (entity in ENTITIES or dynamic):
        type_id = int(dynamic[1]) if dynamic else ENTITIES[entity]
        found = _of_changes(entity, type_id, action, _names(fields, action))
    elif on.upper() in CATALOGUE:
        if fields:
            raise ValueError("FIELD is of changes: an event does not say what changed")
        found = _of_events(on.upper())
    else:
        raise ValueError(_known(on))
    check_limits(found.policy)
    return found


def check_limits(policy: dict[str, Any]) -> None:
    """Raise ValueError for a filter that SNS would refuse: it multiplies values by their depth."""
    leaves = list(_leaves(policy))
    combinations = prod(len(values) * depth for values, depth in leaves)
    if len(leaves) > MOST_KEYS or combinations > MOST_COMBINATIONS:
        raise ValueError(
            f"SNS takes filters of {MOST_KEYS} keys and {MOST_COMBINATIONS} combinations; "
            f"this one has {len(leaves)} and {combinations}"
        )


def _leaves(policy: dict[str, Any], depth: int = 1) -> Any:
    for value in policy.values():
        if isinstance(value, dict):
            yield from _leaves(value, depth + 1)
        else:
            yield value, depth


def _names(fields: str, action: str) -> list[str]:
    names = [name.strip() for name in fields.split(",")] if fields else []
    for name in names:
        if not re.fullmatch(r"[A-Za-z]\w{0,99}", name, re.ASCII):
            raise ValueError(f"{name!r} is no field; write FIELD=stageId, or FIELD=stageId,title")
    if names and action != "updated":
        raise ValueError(f"FIELD is of updated: what is {action} has no changed fields")
    return list(dict.fromkeys(names))


def _of_changes(entity: str, type_id: int | None, action: str, names: list[str]) -> Subscription:
    data: dict[str, Any] = {"origin": ["portal"]}
    if names:
        data["changed"] = names
    person = "responsibleId" if entity == "task" else "assignedById"
    item = {"id": 1, "title": "A sample", person: 1}
    changed = tuple(sorted(names or ["title"])) if action == "updated" else ()
    sample = Change(
        change_id=f"main.{entity}.1.{SAMPLE_SECONDS}.2",
        portal="main",
        entity=entity,
        entity_type_id=type_id,
        id="1",
        action=action,
        version=2,
        time="2025-12-18T08:38:45Z",
        changed=changed,
        before=item if action == "deleted" else {name: _value(name, 2) for name in changed},
        after={} if action == "deleted" else {name: _value(name, 3) for name in changed} | item,
    )
    policy = {"type": [f"{CHANGE_PREFIX}{entity}.{action}"], "data": data}
    return Subscription("ChangesTopic", policy, sample)


def _value(name: str, number: int) -> int | str:
    """Return something that a field of this name could hold."""
    texts = {"stageId", "previousStageId", "currencyId", "typeId", "sourceId", "originId"}
    number_like = name.endswith(("Id", "By")) and name not in texts
    return number if number_like or name in {"opportunity", "taxValue"} else f"sample {number}"


def _of_events(name: str) -> Subscription:
    payload: Any = "1"
    for key in reversed((CATALOGUE[name]["idPath"] or "data.FIELDS.ID").split(".")[1:]):
        payload = [payload] if key == "0" else {key: payload}
    form = {"event": name, "data": payload, "event_handler_id": "1", "auth": {}}
    sample = to_event(form, "main", "sample-request", SAMPLE_SECONDS)
    policy = {"type": [f"{EVENT_PREFIX}{name.lower()}"]}
    return Subscription("EventsTopic", policy, sample)


def _known(on: str) -> str:
    near = difflib.get_close_matches(on.upper(), CATALOGUE, 3, 0.8)
    said = f"; did you mean {', '.join(near)}?" if near else ""
    return (
        f"there is nothing called {on!r}{said}\n"
        f"changes: {', '.join(ENTITIES)} or dynamic_<entityTypeId>,"
        f" each with .{', .'.join(ACTIONS)} (deal.updated)\n"
        f"events: {', '.join(sorted(CATALOGUE))}"
    )


def sample_batch(found: Subscription, queue: str) -> str:
    """Return a sample invocation: an SQS batch of one record, as Lambda gets it."""
    record = {
        "messageId": "00000000-0000-4000-8000-000000000000",
        "receiptHandle": "AQEBsample0",
        "body": found.sample.to_json(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{SAMPLE_SECONDS}100",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": f"{SAMPLE_SECONDS}150",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:relay-{queue}",
        "awsRegion": "eu-central-1",
    }
    return json.dumps({"Records": [record]}, indent=2, ensure_ascii=False) + "\n"

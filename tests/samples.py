"""The sample events and the template's filters: which sample is whose."""

import json
import re
from pathlib import Path

from relay.change import Change, Fields
from relay.event import TYPE_PREFIXES, Event
from relay.kinds import kind_of

ROOT = Path(__file__).parents[1]
EVENTS = ROOT / "events"


def short_template():
    """Return template.yaml without its parameters and what its resources are made of."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    mappings, _, resources = text[text.index("\nMappings:") :].partition("\nResources:\n")
    names = re.findall(r"^  \S.*\n|^    - .*\n", resources.partition("\nOutputs:")[0], re.MULTILINE)
    return f"{mappings.partition('\nGlobals:')[0]}\nResources:\n{''.join(names)}"


def bodies(name):
    """Return the messages of a sample's records."""
    sample = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return [json.loads(record["body"]) for record in sample["Records"]]


def load(name):
    """Return what a sample's first record is: a Change or an Event."""
    body = bodies(name)[0]
    return (Event if is_event(body) else Change).from_cloudevent(body)


def is_event(body):
    """Say whether a message comes from the topic of events rather than from that of changes."""
    return body.get("type", "").startswith(TYPE_PREFIXES)


def reaches(entry, name):
    """Say whether a mapping entry's topic and filter let every record of a sample through."""
    topic = entry["Topic"] == "EventsTopic"
    policy = json.loads(entry["Filter"])
    return all(is_event(body) == topic and passes(policy, body) for body in bodies(name))


def passes(policy, body):
    """Say whether a filter of values and equal numbers lets a message through, as SNS decides."""
    for name, wanted in policy.items():
        given = body.get(name)
        if isinstance(wanted, dict):
            if not isinstance(given, dict) or not passes(wanted, given):
                return False
        elif not any(fits(one, value) for one in wanted for value in as_list(given)):
            return False
    return True


def as_list(value):
    """Return the values of a field that a filter looks at."""
    return value if isinstance(value, list) else [value]


def fits(wanted, value):
    """Say whether one value of a filter is that of a field."""
    if wanted == {"exists": True}:  # an empty list has no values
        return value is not None
    if isinstance(wanted, dict):
        return wanted == {"numeric": ["=", value]}
    return wanted == value and isinstance(wanted, bool) == isinstance(value, bool)


def change_of(item="deal/5", version=2, **fields):
    """Return an update of an item's title by a person, with these fields instead."""
    entity, _, number = item.partition("/")
    return Change(
        **{
            "change_id": f"main.{entity}.{number}.b.{version}",
            "portal": "main",
            "entity": entity,
            "entity_type_id": None if entity == "task" else kind_of(entity).entity_type_id,
            "id": number,
            "action": "updated",
            "version": version,
            "time": "2026-03-01T12:00:00.000+00:00",
            "changed": ("title",),
            "before": Fields(title="a"),
            "after": Fields(title="b"),
        }
        | fields
    )


def event_of(number="7", **fields):
    """Return the event of a new contact, with these fields instead."""
    return Event(
        **{
            "event_id": f"main.contact.{number}.add",
            "portal": "main",
            "name": "ONCRMCONTACTADD",
            "time": "2025-12-18T08:38:44Z",
            "entity": "contact",
            "action": "add",
            "entity_type_id": 3,
            "id": number,
            "sent_at": None,
            "domain": None,
            "member_id": None,
            "handler_id": None,
            "payload": {},
        }
        | fields
    )

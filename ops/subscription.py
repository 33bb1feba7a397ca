"""The subscription of a reaction: `deal.updated` or an event's code -> topic, filter, sample."""

import difflib
import re
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from ops.samples import (
    TYPE_ID,
    documented,
    sample_change,
    sample_event,
    sample_robot,
    sample_schema,
    sample_value,
)
from relay.change import ACTIONS, Change, is_volatile
from relay.change import TYPE_PREFIX as CHANGE_PREFIX
from relay.event import (
    ROBOT_NAME,
    ROBOT_PREFIX,
    ROBOT_TYPE_PREFIX,
    SCHEMA_NAME,
    SCHEMA_TYPE,
    Event,
)
from relay.event import TYPE_PREFIX as EVENT_PREFIX
from relay.field_names import camel_case
from relay.ingress.recognise import CATALOGUE
from relay.kinds import KINDS, TASK, Kind, kind_of
from relay.tracking.parts import STEPS, PartsSetting

MAX_KEYS, MAX_COMBINATIONS = 5, 150  # SNS's limits
NUMBER = r"-?\d{1,9}(\.\d{1,5})?"  # as precise as SNS compares
PASSED = "passed"  # as FIELD: the stages that an item moved to
ANY: list[Any] = [{"exists": True}]
_OWN_SPELLING = ("UF_", "UFCRM", "PARENT_ID_")  # fields that keep capitals, or a `_`
ALL_PARTS = PartsSetting.parse("steps")


@dataclass(frozen=True)
class Subscription:
    """A topic, a filter policy, and a change or event that passes the filter.

    `actions`, `fields` and `values` are the parts of the policy of a change.
    """

    topic: str
    policy: dict[str, Any]
    sample: Change | Event
    actions: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    values: tuple[float | str, ...] = ()
    passed: tuple[str, ...] | None = None  # stages; empty: any stage


def subscription(on: str, fields: str = "", to: str = "") -> Subscription:
    """Return the subscription of ON, FIELD and TO; raises ValueError that lists what can be meant.

    ON without an action means added and updated: the fields that an item is born with changed too.
    """
    entity, dot, action = on.partition(".")
    kind = _kind_of(entity)
    actions = (action,) if dot else ("added", "updated")
    if kind and set(actions) <= set(ACTIONS):
        names = _names(fields, action)
        if names == [PASSED]:
            subscribed = _of_steps(kind, actions, [str(one) for one in _values(names, to)])
        else:
            subscribed = _of_changes(kind, actions, names, _values(names, to))
    elif (robot := on.removeprefix(ROBOT_PREFIX)) != on and ROBOT_NAME.fullmatch(robot):
        subscribed = _of_event(ROBOT_TYPE_PREFIX + robot, sample_robot(robot))
    elif on == SCHEMA_NAME:
        subscribed = _of_event(SCHEMA_TYPE, sample_schema())
    elif TYPE_ID not in on.upper() and documented(on.upper()) in CATALOGUE:
        subscribed = _of_event(f"{EVENT_PREFIX}{on.lower()}", sample_event(on.upper()))
    else:
        raise ValueError(_choices(on))
    if (fields or to) and isinstance(subscribed.sample, Event):
        raise ValueError("FIELD and TO need a change: an event does not name changed fields")
    check_limits(subscribed.policy)
    return subscribed


def check_limits(policy: dict[str, Any]) -> None:
    """Raise ValueError for a policy that SNS would refuse; it multiplies values by their depth."""
    leaves = list(_leaves(policy))
    combinations = prod(len(values) * depth for values, depth in leaves)
    if len(leaves) > MAX_KEYS or combinations > MAX_COMBINATIONS:
        raise ValueError(
            f"SNS takes filters of {MAX_KEYS} keys and {MAX_COMBINATIONS} combinations; "
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
        if not re.fullmatch(r"[A-Za-z]\w{0,49}", name, re.ASCII):
            raise ValueError(f"{name!r} is no field; write FIELD=stageId, or FIELD=stageId,title")
        if not name.upper().startswith(_OWN_SPELLING) and name != (spelt := _as_in_changes(name)):
            raise ValueError(f"fields are spelt as in crm.item.get: {spelt}, not {name}")
        if is_volatile(name):
            raise ValueError(
                f"{name} follows each edit and is no change itself; take another FIELD"
            )
    if names and action == "deleted":
        raise ValueError("FIELD needs added or updated: a deleted item has no changed fields")
    return list(dict.fromkeys(names))


def _as_in_changes(name: str) -> str:
    """Return the spelling of a portal's own field: none has capitals only, or a `_`."""
    return camel_case(name) if "_" in name or name.isupper() else name


def _values(names: list[str], to: str) -> list[float | str]:
    """Return the values of TO: numbers where the field's name means a number, as in Changes."""
    if not to:
        return []
    if len(names) != 1:
        raise ValueError("TO needs one FIELD; write FIELD=stageId TO=WON, or TO=WON,LOSE")
    values = [value.strip() for value in to.split(",")]
    for value in values:
        if not re.fullmatch(r"[^\s\"'\\](?:[^\n\"'\\]{0,59})", value):
            raise ValueError(f"TO takes values of up to 60 letters, without quotes; not {value!r}")
    number = isinstance(sample_value(names[0], 1), int)
    return [_number(one) if number and re.fullmatch(NUMBER, one) else one for one in values]


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _kind_of(entity: str) -> Kind | None:
    try:
        return kind_of(entity)
    except KeyError:
        return None


def _of_changes(
    kind: Kind, actions: tuple[str, ...], names: list[str], values: list[float | str]
) -> Subscription:
    data: dict[str, Any] = {"origin": ["portal"]}
    if names:
        data["changed"] = names
    if values:
        data["after"] = {names[0]: [form for one in values for form in _forms(kind, names[0], one)]}
    policy = {"type": _types(kind, actions), "data": data}
    sample = sample_change(kind, actions[-1], names, values)
    return Subscription("ChangesTopic", policy, sample, actions, tuple(names), tuple(values))


def _forms(kind: Kind, name: str, value: float | str) -> list[Any]:
    """Return the forms in which a value may stand in a change; to SNS, 5 and "5" differ.

    A list's value in a user field is a number, and most numbers of a task are text.
    """
    number = re.fullmatch(NUMBER, str(value)) and {"numeric": ["=", _number(str(value))]}
    if number and (kind.name == TASK or name.upper().startswith("UF")):
        return [str(value), number]
    return [value if isinstance(value, str) else number]


def _types(kind: Kind, actions: tuple[str, ...]) -> list[str]:
    return [f"{CHANGE_PREFIX}{kind.name}.{one}" for one in actions]


def _of_steps(kind: Kind, actions: tuple[str, ...], stages: list[str]) -> Subscription:
    """Return the subscription to moves to one of some stages, to any stage without them."""
    if STEPS not in ALL_PARTS.of(kind.name):
        raise ValueError(f"{kind.name} has no stages that a history tells of; take another FIELD")
    stage = stages[0] if stages else "WON"
    step = {"stageId": stage, "categoryId": 0, "at": "2025-12-18T08:38:40Z"}
    sample = replace(sample_change(kind, actions[-1], [], []), steps=(step,), passed=(stage,))
    # An empty list does not exist to SNS.
    data = {"origin": ["portal"], "passed": stages or ANY}
    policy = {"type": _types(kind, actions), "data": data}
    return Subscription("ChangesTopic", policy, sample, actions, passed=tuple(stages))


def _of_event(type_name: str, sample: Event) -> Subscription:
    return Subscription("EventsTopic", {"type": [type_name]}, sample)


def _choices(on: str) -> str:
    similar = difflib.get_close_matches(on.upper(), CATALOGUE, 3, 0.8)
    hint = f"; did you mean {', '.join(similar)}?" if similar else ""
    codes = [code.replace(TYPE_ID, "<entityTypeId>") for code in CATALOGUE]
    parts = sorted(code for code in codes if on and on.upper().partition("{")[0] in code)
    events = ", ".join(parts) or (
        f"{len(CATALOGUE)} codes such as ONCRMDEALUPDATE; ON=comment, say, lists those with that "
        "in them"
    )
    return (
        f"there is no change or event {on!r}{hint}\n"
        f"changes: {', '.join(KINDS)} or dynamic_<entityTypeId>,"
        f" each with .{', .'.join(ACTIONS)} (deal.deleted), or alone: added or updated\n"
        f"events: {events}\n"
        f"robots: robot.<name>; fields and stages: {SCHEMA_NAME}"
    )

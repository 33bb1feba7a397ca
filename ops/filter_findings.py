"""Filters that let nothing through: SNS takes them, and their reactions never run."""

import difflib
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.asked import resembling
from ops.findings import BAD, LOOK, Finding
from ops.mapping import reaction_name
from ops.samples import TYPE_ID, sample_change, sample_event
from ops.subscription import check_limits
from ops.template_file import read_template
from relay.change import ACTIONS, is_volatile
from relay.change import TYPE_PREFIX as CHANGE_PREFIX
from relay.event import ROBOT_TYPE_PREFIX, SCHEMA_TYPE
from relay.event import TYPE_PREFIX as EVENT_PREFIX
from relay.ingress.recognise import CATALOGUE
from relay.kinds import ACTIVITY, KINDS, OPTIONAL_KINDS, kind_of
from relay.tracking.parts import ACTIVITIES
from relay.tracking.schema_watch import STATUSES, Schema

MISSPELT_STAGE = 0.75  # `LOST` for `LOSE`, but not `10` for `1`
type Policy = Mapping[str, Any]
_CHANGE_TYPE = re.compile(rf"{re.escape(CHANGE_PREFIX)}(\w+)\.({'|'.join(ACTIONS)})")
_ARGUMENT = re.compile(r"@reaction\s+async def \w+\(\s*\w+: (Change|Event)\b")
_SENT = {"ChangesTopic": "Change", "EventsTopic": "Event"}
_ARTICLE = {"Change": "a Change", "Event": "an Event"}
_TYPES = {
    "ChangesTopic": [
        f"{CHANGE_PREFIX}{kind}.{action}" for kind in KINDS | OPTIONAL_KINDS for action in ACTIONS
    ],
    "EventsTopic": [
        SCHEMA_TYPE,
        *(f"{EVENT_PREFIX}{code.lower()}" for code in CATALOGUE if TYPE_ID not in code),
    ],
}
_MESSAGES = {
    "ChangesTopic": sample_change(KINDS["deal"], "updated", [], []).to_json(),
    "EventsTopic": sample_event("ONCRMDEALUPDATE").to_json(),
}


def filter_findings(root: Path, switched_on: Iterable[str] | None = None) -> Iterator[Finding]:
    """Yield which reactions no message can meet, by their entries; of all, or of these.

    A filter lets nothing through, or the topic sends what the function does not take.
    """
    for reaction, entry in entries(root, switched_on):
        for fault in _faults(entry["Topic"], entry["Filter"]):
            yield Finding(BAD, f"{reaction} never runs: its Filter in template.yaml {fault}")
        file = root / "src" / "relay" / "reactions" / f"{reaction}.py"
        taken = _ARGUMENT.search(file.read_text("utf-8")) if file.is_file() else None
        sent, topic = _SENT[entry["Topic"]], entry["Topic"]
        if taken and taken[1] != sent:
            yield Finding(
                BAD,
                f"{reaction} can't run: it takes {_ARTICLE[taken[1]]}, but {topic} sends it "
                f"{sent}s; change its Topic in template.yaml, or its argument",
            )


def spelling_findings(root: Path, reactions: Iterable[str], schema: Schema) -> Iterator[Finding]:
    """Yield which filters name a field or a stage that the portal has in another spelling.

    The portal does not list all that a change may have, and the schema is read once a day: a name
    that resembles none is left alone.
    """
    for reaction, entry in entries(root, reactions):
        if any(_faults(entry["Topic"], entry["Filter"])):
            continue
        policy = json.loads(entry["Filter"])
        for wrong, similar in (*_misspelt(policy, schema), *_misspelt_stages(policy, schema)):
            yield Finding(
                BAD,
                f"{reaction} waits for {wrong} has; did you mean {similar}? "
                "Correct its Filter in template.yaml, then `make deploy`",
            )


def unmirrored_findings(
    root: Path, reactions: Iterable[str], mirrored: Container[str]
) -> Iterator[Finding]:
    """Yield which reactions to changes wait for kinds of which the mirror holds none."""
    for reaction, entry in entries(root, reactions):
        if entry["Topic"] != "ChangesTopic" or any(_faults(entry["Topic"], entry["Filter"])):
            continue
        kinds = kinds_of(json.loads(entry["Filter"]))
        if kinds and not any(kind in mirrored for kind in kinds):
            remedy = (
                f"Parts must name `{ACTIVITIES}`"
                if kinds == {ACTIVITY}
                else "does the portal have it, and may the reading webhook list it?"
            )
            yield Finding(
                LOOK,
                f"{reaction} waits for {' or '.join(sorted(kinds))}, "
                f"which the mirror does not hold: {remedy}",
            )


def entries(root: Path, names: Iterable[str] | None) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the entries of template.yaml with the names of their reactions; of all, or of these."""
    mapping = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    by_name = {reaction_name(logical): entry for logical, entry in mapping.items()}
    return (
        (name, by_name[name]) for name in (by_name if names is None else names) if name in by_name
    )


def _faults(topic: str, text: str) -> Iterator[str]:
    """Yield why no message of a topic meets a filter policy."""
    try:
        policy = json.loads(text)
        check_limits(policy)
    except ValueError as error:
        yield f"is refused by SNS: {error}"
        return
    message = json.loads(_MESSAGES[topic])
    for part, there in ((policy, message), (policy.get("data", {}), message["data"])):
        for name in part.keys() - there.keys() - {"truncated"}:
            yield f"asks for {name!r}, which no message has{_instead(name, there)}"
    for name in policy.get("data", {}).get("changed", []):
        if isinstance(name, str) and is_volatile(name):
            yield f"asks for a change of {name}, which follows each edit and is no change itself"
    for one in policy.get("type", []):
        if isinstance(one, str) and not _exists(topic, one):
            yield f"asks for the type {one}, which {topic} never has{_instead(one, _TYPES[topic])}"


def _exists(topic: str, type_name: str) -> bool:
    """Return whether a topic may have messages of a type; the catalogue lacks some events."""
    if topic == "ChangesTopic":
        found = _CHANGE_TYPE.fullmatch(type_name)
        return found is not None and _is_kind(found[1])
    known, plain_name = _TYPES[topic], re.sub(r"_\d+$", "", type_name)
    if {type_name, plain_name} & {*known} or type_name.startswith(ROBOT_TYPE_PREFIX):
        return True
    is_event = re.fullmatch(rf"{re.escape(EVENT_PREFIX)}[a-z0-9_]+", type_name)
    return bool(is_event) and not difflib.get_close_matches(plain_name, known, 1, 0.95)


def _is_kind(name: str) -> bool:
    try:
        return bool(kind_of(name))
    except KeyError:
        return False


def _instead(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), list(known), 1, 0.8)
    return f"; did you mean {close[0]}?" if close else ""


def kinds_of(policy: Policy) -> set[str]:
    """Return the kinds whose changes a filter policy names; none where it names no whole type."""
    types = [one for one in policy.get("type", []) if isinstance(one, str)]
    return {found[1] for one in types if (found := _CHANGE_TYPE.fullmatch(one))}


def _misspelt(policy: Policy, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield fields of a filter policy that kinds do not have, and what they have."""
    kinds = kinds_of(policy) & schema.keys()
    names = {name for kind in kinds for name in schema[kind]}
    data = policy.get("data", {})
    named = {one for one in data.get("changed", []) if isinstance(one, str)} | {
        *data.get("after", {})
    }
    for name in sorted(named - names):
        if close := resembling(name, names):
            yield f"{name}, which no {' or '.join(sorted(kinds))}", close


def _misspelt_stages(policy: Policy, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield stages of a filter policy that no funnel has, and what the same funnel has."""
    entries = [entry.rpartition("/") for entry in schema.get(STATUSES, {})]
    stages = {name for directory, _, name in entries if re.search("STAGE|STATUS", directory)}
    data = policy.get("data", {})
    named = [*data.get("passed", []), *data.get("after", {}).get("stageId", [])]
    for name in sorted({one for one in named if isinstance(one, str)} - stages):
        funnel = name.rpartition(":")[0].upper()
        there = {one for one in stages if one.rpartition(":")[0] == funnel}
        if close := resembling(name, there, MISSPELT_STAGE):
            yield f"the stage {name}, which no funnel", close

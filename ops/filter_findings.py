"""Filters that let nothing through: SNS takes them, and their reactions never run."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.findings import BAD, Finding
from ops.mapping import reaction_name
from ops.samples import sample_change, sample_event
from ops.subscription import check_limits
from ops.template_file import read_template
from relay.change import ACTIONS
from relay.change import TYPE_PREFIX as CHANGE_PREFIX
from relay.event import ROBOT_TYPE_PREFIX, SCHEMA_TYPE
from relay.event import TYPE_PREFIX as EVENT_PREFIX
from relay.field_names import plain
from relay.ingress.recognise import CATALOGUE
from relay.kinds import KINDS, OPTIONAL_KINDS, kind_of
from relay.tracking.schema_watch import Schema

MISSPELT = 0.88  # the share of equal letters: `oportunity`, but not `begindateShort`
_CHANGE_TYPE = re.compile(rf"{re.escape(CHANGE_PREFIX)}(\w+)\.({'|'.join(ACTIONS)})")
_TYPES = {
    "ChangesTopic": [
        f"{CHANGE_PREFIX}{kind}.{action}" for kind in KINDS | OPTIONAL_KINDS for action in ACTIONS
    ],
    "EventsTopic": [SCHEMA_TYPE, *(f"{EVENT_PREFIX}{code.lower()}" for code in CATALOGUE)],
}
_MESSAGES = {
    "ChangesTopic": sample_change(KINDS["deal"], "updated", [], []).to_json(),
    "EventsTopic": sample_event("ONCRMDEALUPDATE").to_json(),
}


def filter_findings(root: Path, switched_on: Iterable[str] | None = None) -> Iterator[Finding]:
    """Yield which filters of template.yaml no message can meet; of all reactions, or of these."""
    for reaction, entry in _entries(root, switched_on):
        for fault in _faults(entry["Topic"], entry["Filter"]):
            yield Finding(BAD, f"{reaction} never runs: its Filter in template.yaml {fault}")


def spelling_findings(root: Path, reactions: Iterable[str], schema: Schema) -> Iterator[Finding]:
    """Yield which filters name a field that the portal has in another spelling.

    The portal does not list all that a change may have: a name that resembles none is left alone.
    """
    for reaction, entry in _entries(root, reactions):
        if any(_faults(entry["Topic"], entry["Filter"])):
            continue
        for name, kinds, similar in _misspelt(entry["Filter"], schema):
            yield Finding(
                BAD,
                f"{reaction} waits for {name}, which no {kinds} has; did you mean {similar}? "
                "Correct its Filter in template.yaml, then `make deploy`",
            )


def _entries(root: Path, names: Iterable[str] | None) -> Iterator[tuple[str, dict[str, str]]]:
    entries = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    by_name = {reaction_name(logical): entry for logical, entry in entries.items()}
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
    is_event = type_name.startswith(EVENT_PREFIX) and type_name.islower()
    return is_event and not difflib.get_close_matches(plain_name, known, 1, 0.95)


def _is_kind(name: str) -> bool:
    try:
        return bool(kind_of(name))
    except KeyError:
        return False


def _instead(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), list(known), 1, 0.8)
    return f"; did you mean {close[0]}?" if close else ""


def _misspelt(text: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield fields of a filter policy that kinds do not have, the kinds, and what they have."""
    policy: Mapping[str, Any] = json.loads(text)
    types = [one for one in policy.get("type", []) if isinstance(one, str)]
    kinds = {found[1] for one in types if (found := _CHANGE_TYPE.fullmatch(one))} & schema.keys()
    spellings = {plain(name): name for kind in kinds for name in schema[kind]}
    data = policy.get("data", {})
    named = {one for one in data.get("changed", []) if isinstance(one, str)} | {
        *data.get("after", {})
    }
    for name in sorted(named - {*spellings.values()}):
        for close in difflib.get_close_matches(plain(name), spellings, 1, MISSPELT):
            yield name, " or ".join(sorted(kinds)), spellings[close]

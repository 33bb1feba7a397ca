"""The events to tick in a portal: those of mirrored items, and those of the reactions."""

import json
from pathlib import Path

from ops.build import ROOT
from ops.template_file import read_template
from relay.event import ROBOT_TYPE_PREFIX, TYPE_PREFIX
from relay.kinds import KINDS

TRACKED = {
    f"{kind.event}{action}" for kind in KINDS.values() for action in ("ADD", "UPDATE", "DELETE")
}


def subscribed_events() -> list[str]:
    """Return the codes of the mirrored kinds' events, and of those that reactions subscribe to."""
    types = _types(ROOT)
    subscribed = {kind.removeprefix(TYPE_PREFIX).upper() for kind in types if TYPE_PREFIX in kind}
    return sorted(subscribed | TRACKED)


def subscribed_robots(root: Path = ROOT) -> set[str]:
    """Return the names of the robots that reactions subscribe to."""
    return {
        kind.removeprefix(ROBOT_TYPE_PREFIX)
        for kind in _types(root)
        if kind.startswith(ROBOT_TYPE_PREFIX)
    }


def _types(root: Path) -> list[str]:
    """Return the types in the filters of the reactions that are switched on."""
    template = read_template(root / "template.yaml")
    _, switched_on, _ = template["Resources"]["Fn::ForEach::React"]
    return [
        kind
        for name in switched_on
        for kind in json.loads(template["Mappings"]["Reaction"][name]["Filter"]).get("type", [])
    ]

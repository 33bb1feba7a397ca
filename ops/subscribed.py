"""The events to tick in a portal: those of mirrored items, and those of the reactions."""

import json
from pathlib import Path

from ops.build import ROOT
from ops.template_file import read_template
from relay.event import ROBOT_TYPE_PREFIX, TYPE_PREFIX
from relay.kinds import KINDS, OPTIONAL_KINDS
from relay.tracking.parts import NONE, REQUISITE, PartsSetting

ACTIONS = ("ADD", "UPDATE", "DELETE")
TRACKED = {f"{kind.event}{action}" for kind in KINDS.values() for action in ACTIONS}
# A deleted requisite names nobody whose reading it could be a hint of.
_OF_REQUISITES = {f"ONCRM{name}{a}" for name in ("REQUISITE", "BANKDETAIL") for a in ACTIONS[:2]}


def subscribed_events(parts: str = NONE) -> list[str]:
    """Return the codes of the events of what is mirrored with a value of the parameter `Parts`.

    The events that reactions subscribe to are among them.
    """
    setting = PartsSetting.parse(parts)
    optional = {
        f"{OPTIONAL_KINDS[kind].event}{action}" for kind in setting.kinds for action in ACTIONS
    }
    if setting.mirrors(REQUISITE):
        optional |= _OF_REQUISITES
    types = _types(ROOT)
    subscribed = {kind.removeprefix(TYPE_PREFIX).upper() for kind in types if TYPE_PREFIX in kind}
    return sorted(subscribed | TRACKED | optional)


def subscribed_robots(root: Path = ROOT) -> set[str]:
    """Return the names of the robots that reactions subscribe to."""
    return {
        kind.removeprefix(ROBOT_TYPE_PREFIX)
        for kind in _types(root)
        if kind.startswith(ROBOT_TYPE_PREFIX)
    }


def reactions_on(event: str, root: Path = ROOT) -> set[str]:
    """Return the reactions that subscribe to an event's code, by their names without dividers."""
    wanted = f"{TYPE_PREFIX}{event.lower()}"
    return {name.lower() for name, types in _filters(root).items() if wanted in types}


def _types(root: Path) -> list[str]:
    """Return the types in the filters of the reactions that are switched on."""
    return [kind for types in _filters(root).values() for kind in types]


def _filters(root: Path) -> dict[str, list[str]]:
    """Return the types of each reaction that is switched on, by its name in the template."""
    template = read_template(root / "template.yaml")
    _, switched_on, _ = template["Resources"]["Fn::ForEach::React"]
    return {
        name: json.loads(template["Mappings"]["Reaction"][name]["Filter"]).get("type", [])
        for name in switched_on
    }

"""Which events the relay can do something with: what to tick in the portal."""

import json
from typing import Any

from cfnlint.decode.cfn_yaml import load

from ops.build import ROOT
from relay.event import TYPE_PREFIX
from relay.kinds import KINDS

TRACKED = {
    f"{kind.event}{action}" for kind in KINDS.values() for action in ("ADD", "UPDATE", "DELETE")
}


def subscribed_events() -> list[str]:
    """Return the codes of what is tracked, and of what some reaction of the list asks for."""
    template: dict[str, Any] = load(str(ROOT / "template.yaml"))
    _, switched_on, _ = template["Resources"]["Fn::ForEach::React"]
    types = [
        kind
        for name in switched_on
        for kind in json.loads(template["Mappings"]["Reaction"][name]["Filter"]).get("type", [])
    ]
    asked = {kind.removeprefix(TYPE_PREFIX).upper() for kind in types if TYPE_PREFIX in kind}
    return sorted(asked | TRACKED)

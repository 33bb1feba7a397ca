"""The events to tick in a portal: those of mirrored items, and those of the reactions."""

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
    """Return the codes of the mirrored kinds' events, and of those that reactions subscribe to."""
    template: dict[str, Any] = load(str(ROOT / "template.yaml"))
    _, switched_on, _ = template["Resources"]["Fn::ForEach::React"]
    types = [
        kind
        for name in switched_on
        for kind in json.loads(template["Mappings"]["Reaction"][name]["Filter"]).get("type", [])
    ]
    subscribed = {kind.removeprefix(TYPE_PREFIX).upper() for kind in types if TYPE_PREFIX in kind}
    return sorted(subscribed | TRACKED)

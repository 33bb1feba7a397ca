"""Which events the reactions of the template subscribe to: what to tick in the portal."""

import json
from typing import Any

from cfnlint.decode.cfn_yaml import load

from ops.build import ROOT
from relay.event import TYPE_PREFIX


def subscribed_events() -> list[str]:
    """Return the codes of the events that some reaction of the list names in its filter."""
    template: dict[str, Any] = load(str(ROOT / "template.yaml"))
    _, switched_on, _ = template["Resources"]["Fn::ForEach::React"]
    types = [
        kind
        for name in switched_on
        for kind in json.loads(template["Mappings"]["Reaction"][name]["Filter"]).get("type", [])
    ]
    return sorted({kind.removeprefix(TYPE_PREFIX).upper() for kind in types if TYPE_PREFIX in kind})

"""The reactions of this folder: their code, and which changes their filters let through."""

import json
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from typing import NamedTuple

from ops.filter_policy import Policy, matches
from ops.mapping import logical_id
from ops.printed import Printed
from ops.template_file import read_template
from relay.change import Change
from relay.reaction import Reaction
from relay.reaction.signature import read_signature

ROOT = Path(__file__).parents[1]


class LocalReaction(NamedTuple):
    """A reaction to changes, as it stands on this machine."""

    name: str
    run: Reaction
    wants_portal: bool
    policy: Policy

    @property
    def queue(self) -> str:
        """The logical id of its queue."""
        return f"{logical_id(self.name)}Queue"

    def gets(self, change: Change) -> bool:
        """Return whether its filter lets a change through."""
        return matches(self.policy, json.loads(change.to_json()))


def find_reaction(name: str, root: Path = ROOT) -> LocalReaction:
    """Return a reaction to changes by its name; exits where there is none."""
    mapping = read_template(root / "template.yaml")["Mappings"]["Reaction"]
    entry = mapping.get(logical_id(name))
    if entry is None:
        names = ", ".join(
            one["Handler"].split(".")[2]
            for one in mapping.values()
            if one["Topic"] == "ChangesTopic"
        )
        raise SystemExit(f"there is no reaction {name!r}; NAME is one of {names}")
    with Printed(name).taken():
        module = import_module(f"relay.reactions.{name}")
    reaction: Reaction = getattr(module, name)
    record, wants_portal = read_signature(unwrap(reaction))
    if record is not Change:
        raise SystemExit(f"{name} reacts to events; only changes are kept")
    return LocalReaction(name, reaction, wants_portal, json.loads(entry["Filter"]))

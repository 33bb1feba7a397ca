"""Which reactions did not get a change, as their filters in template.yaml kept it away."""

import json
from collections.abc import Collection, Iterable, Iterator

from ops.build import ROOT
from ops.deployed import Deployed, client
from ops.filter_findings import entries, kinds_of
from ops.filter_policy import Policy, unmet
from ops.happened import change_of_step
from ops.past import Past
from ops.timeline import GapError
from relay.change import Change
from relay.tracking.row import Key

type KeptAway = dict[str, dict[str, str]]


def kept_away(
    stack: Deployed, key: Key, wanted: Collection[str], reactions: Iterable[str]
) -> KeptAway:
    """Return by change id and reaction the first condition of its filter that is not met.

    Left out are reactions to other kinds, and changes of which the history has not the whole item.
    """
    policies = dict(_policies(key.entity, reactions))
    return {
        change.change_id: {
            name: condition
            for name, policy in policies.items()
            if (condition := _condition(policy, change))
        }
        for change in _whole(stack, key, wanted)
    }


def _condition(policy: Policy, change: Change) -> str:
    try:
        return unmet(policy, json.loads(change.to_json()))
    except SystemExit:
        return ""  # of an operator that AWS alone knows


def _policies(entity: str, reactions: Iterable[str]) -> Iterator[tuple[str, Policy]]:
    for name, entry in entries(ROOT, reactions):
        policy = json.loads(entry["Filter"])
        if entry["Topic"] == "ChangesTopic" and entity in (kinds_of(policy) or {entity}):
            yield name, policy


def _whole(stack: Deployed, key: Key, wanted: Collection[str]) -> Iterator[Change]:
    left = set(wanted)
    try:
        for step in Past(client("dynamodb"), stack).timeline(key).steps():
            if step.past.change_id in left:
                left.remove(step.past.change_id)
                yield change_of_step(step)
            if not left:
                return
    except (GapError, SystemExit):
        return

"""Each ready reaction looks again: a changed filter takes up to 15 minutes to be followed."""

import asyncio
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from ops.filter_findings import filter_findings
from ops.template_file import read_template
from relay.change import Change
from relay.portal.fake import FakePortal
from tests.samples import EVENTS, load, passes, reaches

ROOT = Path(__file__).parents[3]
REACTIONS = read_template(ROOT / "template.yaml")["Mappings"]["Reaction"]
# Journal and PostJson call no portal, and their filters leave nothing out; what `make new` made,
# with a sample of its own, has a test of its own.
READY = [
    name
    for name, entry in REACTIONS.items()
    if name not in {"Journal", "PostJson"}
    and not (EVENTS / f"sqs_{entry['Handler'].split('.')[-2]}.json").exists()
]
SAMPLES = sorted(path.stem for path in EVENTS.glob("sqs_*.json") if path.stem != "sqs_spilled")


def others(entry, sample):
    """Yield what differs from a sample in one thing that the reaction's filter asks for."""
    policy = json.loads(entry["Filter"])
    if not isinstance(sample, Change):
        yield replace(sample, name="ONANOTHER")
        for name in policy.get("data", {}).get("payload", {}):
            yield replace(sample, payload=sample.payload | {name: "999"})
            yield replace(sample, payload={k: v for k, v in sample.payload.items() if k != name})
        return
    yield replace(sample, entity="another")
    for action in {"added", "updated", "deleted"} - {
        kind.rsplit(".", 1)[1] for kind in policy["type"]
    }:
        kept = action != "deleted"
        yield replace(
            sample, action=action, changed=sample.changed * kept, passed=sample.passed * kept
        )
    for name in policy["data"].get("changed", ()):
        yield replace(sample, changed=tuple(one for one in sample.changed if one != name))
    if "passed" in policy["data"]:
        yield replace(sample, passed=(), steps=())
    for name in policy["data"].get("after", {}):
        yield replace(sample, after={**sample.after, name: "another"})


def test_each_filter_can_be_met():
    """SNS takes a misspelt type or member, and the reaction would never run."""
    assert [finding.text for finding in filter_findings(ROOT)] == []


@pytest.mark.parametrize("name", READY)
def test_what_the_filter_keeps_away_calls_nothing(name):
    """A sample that differs from the filter in its kind, action, field or value causes no call."""
    entry = REACTIONS[name]
    module = entry["Handler"].removesuffix(".handler")
    react = getattr(import_module(module), module.rpartition(".")[2])
    mine = [load(sample) for sample in SAMPLES if reaches(entry, sample)]
    assert mine
    for other in [one for sample in mine for one in others(entry, sample)]:
        assert not passes(json.loads(entry["Filter"]), json.loads(other.to_json())), other
        portal = FakePortal()
        asyncio.run(react(other, portal))
        assert portal.calls == []


@pytest.mark.parametrize("name", ["FollowUp", "NotifyStage", "OrderSummary"])
def test_a_deal_that_is_born_so_comes_through(name):
    """One filter serves a deal that reached its stage, and one that was first seen in it."""
    assert reaches(REACTIONS[name], "sqs_deal_won")
    assert reaches(REACTIONS[name], "sqs_deal_born_won")

"""`make pause` and `make resume`: stop and start taking records from a function's queue.

The queue keeps its records, for 14 days from when each was sent. A deploy that leaves the event
source mapping as it is leaves it paused.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import typer

from ops.audit import open_audit
from ops.deployed import Deployed, Stack, client, find_stack
from ops.mapping import logical_id, reaction_name
from ops.outcome import Outcome
from ops.terminal import console, shown

MAPPINGS = {"spill": "RepublishFunctionSpilled"}  # other queues' mappings are <Name>FunctionQueue
SUFFIX = "FunctionQueue"
PAUSED_SUFFIX = "-paused"  # of the name of an alarm
REMIND_SECONDS = 7 * 86400  # half of what SQS keeps a record
WAIT_SECONDS, POLL_SECONDS = 60.0, 0.5  # AWS takes some seconds to change a mapping

Name = Annotated[str, typer.Option(help="A reaction (follow_up), or track, spill, forward")]


class Paused(NamedTuple):
    """A function that takes nothing from its queue, and since when (epoch seconds)."""

    name: str
    since: float


def pause_command(name: Name, stack: Stack = "relay") -> Outcome:
    """Take nothing from a function's queue; the queue keeps its records."""
    found = find_stack(stack)
    _switch(name, found, on=False)
    client("cloudwatch").put_metric_alarm(**_alarm(name, found))
    console.print(
        shown(f"{name} is paused; its queue keeps each record 14 days. `make resume NAME={name}`")
    )
    console.print("an alarm reminds of it when a record has waited 7 days")
    return Outcome({"name": name, "paused": True})


def resume_command(name: Name, stack: Stack = "relay") -> Outcome:
    """Take records from a function's queue again."""
    found = find_stack(stack)
    _switch(name, found, on=True)
    client("cloudwatch").delete_alarms(AlarmNames=[_alarm(name, found)["AlarmName"]])
    console.print(shown(f"{name} takes records from its queue"))
    return Outcome({"name": name, "paused": False})


def _alarm(name: str, stack: Deployed) -> dict[str, Any]:
    """Return the alarm that reminds of a paused function, as CloudWatch takes it."""
    # No alarm of the template's sees a queue that nobody reads: a function counts what it receives.
    queue = "SpillQueue" if name == "spill" else f"{logical_id(name)}Queue"
    topic = stack.parameters.get("AlarmTopicArn") or stack.resources.get("AlarmTopic")
    return {
        "AlarmName": f"{stack.name}-{name}{PAUSED_SUFFIX}",
        "AlarmDescription": f"{name} is paused and a record has waited 7 days; SQS deletes it "
        f"after 14: `make resume NAME={name}`",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [
            {"Name": "QueueName", "Value": stack.resource(queue).rpartition("/")[2]},
        ],
        "Statistic": "Maximum",
        "Period": 3600,
        "EvaluationPeriods": 1,
        "Threshold": REMIND_SECONDS,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic] if topic else [],
    }


def _switch(name: str, stack: Deployed, *, on: bool) -> None:
    mapping = mapping_of(stack.resources, name)
    functions = client("lambda")
    functions.update_event_source_mapping(UUID=mapping, Enabled=on)
    wanted, deadline = ("Enabled" if on else "Disabled"), time.monotonic() + WAIT_SECONDS
    while (state := functions.get_event_source_mapping(UUID=mapping)["State"]) != wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} is {state} after a minute; run `make doctor` in a while")
        time.sleep(POLL_SECONDS)
    audit = open_audit(client, stack.outputs["LogGroup"])
    audit.try_to_note("resumed" if on else "paused", [{"function": name}])


def mapping_of(resources: Mapping[str, str], name: str) -> str:
    """Return the id of the mapping of a function's queue; exits with those that there are."""
    logical = MAPPINGS.get(name, f"{logical_id(name)}{SUFFIX}")
    if logical not in resources:
        raise SystemExit(
            f"{name!r} has no queue to pause; NAME is one of {', '.join(_names(resources))}"
        )
    return resources[logical]


def _names(resources: Mapping[str, str]) -> dict[str, str]:
    """Return the mappings of queues by the names that operators use."""
    found = {
        reaction_name(one.removesuffix(SUFFIX)): one
        for one in sorted(resources)
        if one.endswith(SUFFIX)
    }
    return found | {name: one for name, one in MAPPINGS.items() if one in resources}


def reactions_of(resources: Mapping[str, str]) -> list[str]:
    """Return the names of the reactions that are deployed: ["follow_up"]."""
    return [name for name in _names(resources) if name not in {"track", "forward", *MAPPINGS}]


def paused(functions: Any, resources: Mapping[str, str]) -> Iterator[Paused]:
    """Yield the functions that are paused."""
    for name, logical in _names(resources).items():
        found = functions.get_event_source_mapping(UUID=resources[logical])
        if found["State"] in {"Disabled", "Disabling"}:
            yield Paused(name, found["LastModified"].timestamp())

"""template.yaml through AWS's macros: what they make of it, for each way to deploy it.

What changes here changes on AWS: `PYTHONPATH=. python -m tests.snapshots` writes the files anew.
"""

import copy
import json
import re
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint
from samtranslator.model.exceptions import InvalidDocumentException

from bench.cost.fixed import fixed, lines
from relay.tracking.publish import STREAM_SECONDS
from tests import processed
from tests.combinations import STRENGTH, covering, dangling, deciders, deciding
from tests.snapshots import FOLDER, OPTIONS, VARIANTS, snapshot, variant

ROOT = Path(__file__).parents[2]
TEMPLATE = processed.read()
MOST_RESOURCES = 500  # CloudFormation's limit
MOST_BYTES = 1_000_000
DAY = 24 * 3600


@pytest.mark.parametrize("name", VARIANTS)
def test_the_macros_make_of_it_what_is_written_down(name):
    """Every option alone, and everything: a change of what is deployed is a change of a file."""
    assert snapshot(name) == (FOLDER / f"{name}.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", ["default", "everything"])
def test_what_the_macros_make_is_valid_and_within_the_limits(name):
    """cfn-lint knows CloudFormation's types; it sees no Ref to a parameter any more."""
    made = variant(name)
    text = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **made})
    found = lint(text, config=ManualArgs(regions=["eu-central-1"]))
    assert [(one.rule.id, one.message, one.path) for one in found] == []
    assert len(made["Resources"]) < MOST_RESOURCES
    assert len(text) < MOST_BYTES


@pytest.mark.parametrize("name", ["default", "everything"])
def test_it_does_not_matter_whether_parameters_are_text(name):
    """An emulator leaves the Ref; CloudFormation fills it in then, and makes the same."""
    template, given = VARIANTS[name]
    values = processed.parameters(template, **given)
    kept = processed.language_extensions.apply(template, values)
    translated = processed.translate(dict(kept, Transform="AWS::Serverless-2016-10-31"), values)
    versions = [
        re.sub(r"(IngressFunctionVersion)[0-9a-f]{10}", r"\1", json.dumps(made, sort_keys=True))
        for made in (processed.deployed(translated, values), variant(name))
    ]  # a version's name has a digest of its function's properties, parameters by name or as text
    assert versions[0] == versions[1]


def test_any_three_options_together_are_taken_and_leave_no_reference_open():
    """What a condition leaves out is referred to by nothing that is made."""
    canary = {"IngressCanary": OPTIONS["IngressCanary"]}  # asked by SAM, in no condition
    sets = covering(deciding(TEMPLATE, OPTIONS) | canary)
    sets += [options | {"Forward": "changes"} for options in sets if "Forward" in options]
    for options in sets:
        made = processed.process(TEMPLATE, **options)
        assert dangling(made) == set(), options
        assert len(made["Resources"]) < MOST_RESOURCES


def test_no_reference_depends_on_more_than_three_options():
    """So what holds for any three options together holds for every combination of all."""
    by_reference = deciders(TEMPLATE)
    assert max(map(len, by_reference.values())) <= STRENGTH
    assert by_reference["ThrottledAlarm", "AlarmTopic"] == {
        "AccessLogs", "AlarmEmail", "AlarmTopicArn"
    }  # fmt: skip
    template = copy.deepcopy(TEMPLATE)
    template["Resources"]["ThrottledAlarm"]["Condition"] = "Archives"
    assert len(deciders(template)["ThrottledAlarm", "AlarmTopic"]) == STRENGTH + 1


def test_a_reference_to_what_an_option_leaves_out_is_found():
    """The mistake: an alarm of what exists only with `AccessLogs`, without its condition."""
    template = copy.deepcopy(TEMPLATE)
    del template["Resources"]["ThrottledFilter"]["Condition"]
    assert dangling(processed.process(template)) == set()
    assert dangling(processed.process(template, AccessLogs="false")) == {"AccessLogGroup"}


def test_a_number_by_ref_in_an_event_of_sam_is_refused():
    """The mistake that failed the first deploy: the translator takes no text for a number."""
    template = copy.deepcopy(TEMPLATE)
    properties = template["Resources"].pop("TrackFunctionQueue")["Properties"]
    template["Resources"]["TrackFunction"]["Properties"]["Events"] = {
        "Queue": {
            "Type": "SQS",
            "Properties": {
                "Queue": properties["EventSourceArn"],
                "BatchSize": properties["BatchSize"],
            },
        }
    }
    with pytest.raises(InvalidDocumentException) as refused:
        processed.process(template)
    assert "BatchSize" in refused.value.causes[0].message


def queues_that_lose(resources):
    """Yield each queue that SQS deletes a message from before it may go to the dead letters."""
    for name, one in resources.items():
        if one["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in one["Properties"]:
            queue = one["Properties"]
            most = queue["RedrivePolicy"]["maxReceiveCount"]
            letters, _ = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
            kept = resources[letters]["Properties"]["MessageRetentionPeriod"]
            # A dead letter's age counts from when it was first sent; a person has five days.
            if most * queue["VisibilityTimeout"] > min(queue["MessageRetentionPeriod"], kept) - (
                5 * DAY
            ):
                yield name


def test_what_is_killed_each_time_is_given_up_before_it_is_deleted():
    """Receives times the visibility timeout end five days before the retention."""
    resources = variant("everything")["Resources"]
    assert list(queues_that_lose(resources)) == []
    resources["TrackQueue"]["Properties"]["VisibilityTimeout"] = 1380  # as it was: 16 of 14 days
    resources["JournalQueue"]["Properties"]["MessageRetentionPeriod"] = 4 * DAY
    assert set(queues_that_lose(resources)) == {"TrackQueue", "JournalQueue"}


def test_what_announce_can_not_be_given_is_kept_before_the_stream_drops_it():
    """What fails announce sets aside itself; Lambda keeps what it could not hand over."""
    resources = variant("default")["Resources"]
    mapping = resources["AnnounceFunctionStream"]["Properties"]
    assert STREAM_SECONDS < int(mapping["MaximumRecordAgeInSeconds"]) < DAY
    kept = mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    assert resources[kept]["Type"] == "AWS::S3::Bucket"  # a queue gets no records


def test_what_holds_data_outlives_the_stack_and_a_failed_first_create_leaves_nothing():
    """Retain alone leaves tables and queues of a create that failed behind."""
    resources = variant("everything")["Resources"]
    for name, one in resources.items():
        if name in {"Mirror", "History", "Logs", "SpillQueue", "Unannounced"} or name.endswith(
            "DeadLetters"
        ):
            assert one["DeletionPolicy"] == "RetainExceptOnCreate", name
            assert one["UpdateReplacePolicy"] == "Retain", name


def test_all_but_ingress_is_bounded():
    """What the stack's own backlog can run at once, beside ingress, is a number."""
    template, _ = VARIANTS["default"]
    for name, one in processed.process(template)["Resources"].items():
        if one["Type"] != "AWS::Lambda::EventSourceMapping":
            continue
        properties = one["Properties"]
        if "sqs" in str(properties["EventSourceArn"]) or "Queue" in name or "Spilled" in name:
            assert int(properties["ScalingConfig"]["MaximumConcurrency"]) <= 5, name


def test_everything_is_encrypted_with_a_key_of_ones_own():
    """Where one is given, no queue, topic, table or log group is left out."""
    key = VARIANTS["KmsKeyArn"][1]["KmsKeyArn"]
    named = {
        "AWS::SQS::Queue": ["KmsMasterKeyId"],
        "AWS::DynamoDB::Table": ["SSESpecification", "KMSMasterKeyId"],
        "AWS::Logs::LogGroup": ["KmsKeyId"],
    }
    for name, one in variant("everything")["Resources"].items():
        if one["Type"] in named:
            value = one["Properties"]
            for part in named[one["Type"]]:
                value = value[part]
            assert value == key, name


def test_a_month_without_events_costs_what_the_page_says():
    """Three dollars at most, in all; an alarm or a reaction more is a line to be written anew."""
    resources = variant("default")["Resources"]
    megabytes = resources["SweepFunction"]["Properties"]["MemorySize"]
    found = fixed([one["Type"] for one in resources.values()], 5, megabytes)
    page = (ROOT / "docs/cost.md").read_text("utf-8")
    assert "\n".join(lines(found)) in page
    assert sum(found.values()) <= 3


def test_the_dashboard_is_json_and_shows_what_is_counted():
    """CloudWatch refuses a body that is none; a misspelt metric would be an empty graph."""
    body = variant("default")["Resources"]["Board"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{\w+\}", "x", body))["widgets"]
    places = {(one["x"], one["y"]) for one in widgets}
    assert len(places) == len(widgets)
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src/relay").rglob("*.py"))
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] in ("Relay/relay", ".") and metric[1] != "throttled":
                assert f'"{metric[1]}"' in source, metric

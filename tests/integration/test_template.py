"""template.yaml: what the code needs is there, and AWS will take it."""

import json
import re
from pathlib import Path

import boto3
import pytest
from cfnlint.decode.cfn_yaml import load
from moto import mock_aws

from relay.forward import SOURCE
from relay.ingress.robots import ROUTE
from tests.samples import EVENTS, bodies, passes, reaches
from tests.snapshots import variant

ROOT = Path(__file__).parents[2]
TEMPLATE = load(str(ROOT / "template.yaml"))
RESOURCES = TEMPLATE["Resources"]
LOOP = RESOURCES["Fn::ForEach::React"]
REACTIONS = TEMPLATE["Mappings"]["Reaction"]


def logical_id(module):
    """Return the reaction's name in the template for its module's."""
    return "".join(part.capitalize() for part in module.split("_"))


def test_every_reaction_is_in_the_template_and_the_reverse():
    """A file without a mapping entry is never deployed, an entry without a file can't be."""
    files = {
        logical_id(path.stem): f"relay.reactions.{path.stem}.handler"
        for path in (ROOT / "src/relay/reactions").glob("[a-z]*.py")
    }
    assert {name: entry["Handler"] for name, entry in REACTIONS.items()} == files
    assert set(LOOP[1]) <= set(REACTIONS)
    assert len(set(LOOP[1])) == len(LOOP[1])


@pytest.mark.parametrize("name", REACTIONS)
def test_a_reaction_that_lists_has_the_memory_for_it(name):
    """Less than 256 MB, of which an answer may take 100, are for reactions that list nothing."""
    module = REACTIONS[name]["Handler"].removesuffix(".handler").replace(".", "/")
    source = (ROOT / "src" / module).with_suffix(".py").read_text("utf-8")
    lists = re.search(r"\.list\b|\.history\(", source)
    assert REACTIONS[name].get("Memory", 256) >= (256 if lists else 160)


@pytest.mark.parametrize("name", REACTIONS)
def test_every_reaction_has_a_sample_that_its_filter_lets_through(name):
    """Switched off or on: what it is tested with is what it would get."""
    assert any(reaches(REACTIONS[name], path.stem) for path in EVENTS.glob("sqs_*.json"))


def test_every_handler_is_there():
    """Each function's handler is a module of ours that has one."""
    for name, resource in RESOURCES.items():
        if not name.startswith("Fn::") and resource["Type"] == "AWS::Serverless::Function":
            module = resource["Properties"]["Handler"].removesuffix(".handler")
            source = (ROOT / "src" / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")
            assert re.search(r"^def handler\(|^handler = ", source, re.MULTILINE), name


@pytest.mark.parametrize("name", REACTIONS)
def test_sns_takes_every_filter(name):
    """A filter beyond SNS's limits (5 keys, 150 combinations) would fail the deploy; moto knows."""
    with mock_aws():
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        subscribed = sns.subscribe(
            TopicArn=sns.create_topic(Name="t")["TopicArn"],
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={
                "FilterPolicyScope": "MessageBody",
                "FilterPolicy": json.dumps(json.loads(REACTIONS[name]["Filter"])),
            },
        )
        assert subscribed["SubscriptionArn"]


def test_moto_refuses_a_filter_that_sns_would_refuse():
    """The check above can fail: 160 combinations are ten too many."""
    with mock_aws():
        sns = boto3.client("sns")
        policy = {"data": {"after": {"stageId": [f"S{number}" for number in range(54)]}}}
        with pytest.raises(sns.exceptions.ClientError, match="FilterPolicy"):
            sns.subscribe(
                TopicArn=sns.create_topic(Name="t")["TopicArn"],
                Protocol="sqs",
                Endpoint="arn:aws:sqs:eu-central-1:123456789012:q",
                Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy)},
            )


def resources():
    """Return every resource, those of the loop once."""
    plain = {name: value for name, value in RESOURCES.items() if not name.startswith("Fn::")}
    return plain | LOOP[2]


def test_every_queue_has_its_dead_letters_and_their_alarm():
    """No queue without a dead-letter queue, none of those without an alarm on its depth."""
    made = variant("everything")["Resources"]
    watched = {
        one["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for one in made.values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
        and one["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    queues = {name: one for name, one in made.items() if one["Type"] == "AWS::SQS::Queue"}
    letters = {name for name in queues if name.endswith("DeadLetters")}
    assert letters == watched
    for name in queues.keys() - letters:
        target = queues[name]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
        assert target["Fn::GetAtt"][0] in letters


def test_the_alarm_of_a_letter_lasts_until_the_queue_says_that_it_is_gone():
    """SQS sends no metrics of a queue that nobody used for six hours: no data is no good news."""
    treated = {
        name: one["Properties"]["TreatMissingData"]
        for name, one in variant("everything")["Resources"].items()
        if name.endswith("DeadLettersAlarm")
    }
    assert treated == dict.fromkeys(treated, "ignore")


def test_every_queue_waits_longer_than_its_function_may_run():
    """A record that is still being worked on must not be given to another copy."""
    function = LOOP[2]["${Name}Function"]["Properties"]
    window = LOOP[2]["${Name}FunctionQueue"]["Properties"]["MaximumBatchingWindowInSeconds"]
    assert (
        LOOP[2]["${Name}Queue"]["Properties"]["VisibilityTimeout"]
        == 6 * function["Timeout"] + window
    )
    for name in ("Spill", "Forward"):
        waits = RESOURCES[f"{name}Queue"]["Properties"]["VisibilityTimeout"]
        assert waits > 6 * TEMPLATE["Globals"]["Function"]["Timeout"], name


def test_forwarding_costs_nothing_while_it_is_off():
    """Each of its resources has a condition, and the default is off."""
    assert TEMPLATE["Parameters"]["Forward"]["Default"] == "off"
    conditions = {
        name: resource.get("Condition")
        for name, resource in RESOURCES.items()
        if name.startswith(("Forward", "WonDeals"))
    }
    assert set(conditions.values()) == {"Forwards", "ForwardsEvents", "Archives"}


def test_the_example_rule_hears_the_sample_and_is_off():
    """Nothing gathers in its queue before somebody reads it; its pattern is what forward puts."""
    rule = RESOURCES["WonDealsRule"]["Properties"]
    assert rule["State"] == "DISABLED"
    (body,) = bodies("sqs_deal_won")
    put = {"source": SOURCE, "detail-type": body["type"], "detail": body}
    assert passes(rule["EventPattern"], put)
    assert not passes(rule["EventPattern"], put | {"detail": bodies("sqs_deal_stage_reached")[0]})


def test_every_event_source_reports_single_failures():
    """One record that must wait must not bring its whole batch back."""
    sources = [
        resource["Properties"]["FunctionResponseTypes"]
        for resource in resources().values()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    assert sources == [["ReportBatchItemFailures"]] * 5


def test_every_parameter_explains_itself():
    """Each has a description, a default, limits of some kind, and stands in a group."""
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"], name
        assert "Default" in parameter, name
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter), name


def test_no_secret_is_in_the_template():
    """Tokens and webhook URLs are read from Parameter Store only."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    assert "/rest/" not in text
    assert "NoEcho" not in text


def test_the_gateway_logs_the_template_of_a_route_and_no_address():
    """A robot's address holds a secret: neither a path nor a query is in the access log."""
    settings = RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Fn::If"][1]
    names = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))
    assert "routeKey" in names
    assert not {name for name in names if "path" in name.lower() or "query" in name.lower()}
    (robot,) = [
        event["Properties"]
        for event in RESOURCES["IngressFunction"]["Properties"]["Events"].values()
        if event["Properties"]["Path"] != "/bitrix24"
    ]
    assert (robot["Method"], robot["Path"]) == ("ANY", ROUTE)


def test_a_remark_on_what_sam_wrote_stops_no_deploy():
    """API Gateway may warn of parameters without a schema, and SAM writes those of the route so."""
    made = variant("everything")["Resources"]["Api"]["Properties"]
    assert "schema" not in str(made["Body"]["paths"])
    assert not made.get("FailOnWarnings", False)


def test_a_topic_sends_no_traces_that_x_ray_would_refuse():
    """A topic with traces of its own needs a policy of X-Ray's; without, it passes them on."""
    made = variant("everything")["Resources"].values()
    topics = [one for one in made if one["Type"] == "AWS::SNS::Topic"]
    allowed = any(one["Type"] == "AWS::XRay::ResourcePolicy" for one in made)
    assert allowed or not any("TracingConfig" in one["Properties"] for one in topics)


@pytest.mark.parametrize("level", TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"])
def test_lambda_drops_no_line_of_metrics(level):
    """Lambda keeps lines from INFO on, whatever LogLevel is: it takes a line of metrics for one."""
    assert TEMPLATE["Mappings"]["Level"][level]["Of"] in {"DEBUG", "INFO"}

"""What can be wrong, as `make doctor` and `make dead` name it: the cause, and what mends it."""

import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops import portal_findings
from ops.dead import survey
from ops.deployed import Deployed
from ops.doctor import Report
from ops.findings import OK
from ops.health_findings import alarm_findings, lag_findings
from ops.letter import Chosen
from ops.portal_findings import plan_finding, token_findings, tracking_findings, webhook_findings
from ops.queue_findings import paused_findings, queue_findings
from ops.quota import quota_findings
from ops.schema_findings import schema_findings
from ops.webhook import TriedWebhook
from relay.errors import OperatorError, TransientError
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.schema_watch import Watched
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.dead_letter_aws import DeadLetterAws
from tests.tracking_dynamo import FakeDynamo

HOUR = 3600
NOW = time.time()
PARAMETERS = {"AllowHttp": "false", "SweepMinutes": "5", "SilentHours": "6"}
STACK = Deployed("relay", {}, PARAMETERS, {"StateTable": "State", "LostAlarm": "relay-Lost"})
BOTH = {f"webhook-urls/{one}": f"https://p.example/rest/1/{one}/" for one in ("read", "write")}
WELL = TriedWebhook("p.example", "Ada", [], admin=True, plan="ru_std")


def webhooks(answer=WELL, secrets=BOTH):
    """Return the findings about webhooks that answer so, or fail so."""

    def tried(url, *_, **__):
        reply = answer(url) if callable(answer) else answer
        if isinstance(reply, Exception):
            raise reply
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portal_findings, "try_webhook", tried)
        return list(webhook_findings(secrets, STACK))


def tracked(prepare=lambda _table: None, swept=60, **kinds):
    """Return the findings about a portal whose last sweep ended so many seconds ago."""
    table = FakeDynamo()
    if kinds:
        progress = {
            name: KindProgress(how, swept_at=time.time() - swept, item_count=9, missing_rows=2)
            for name, how in kinds.items()
        }
        for name in (name for name, how in kinds.items() if how is None):
            progress[name].refused = True
        state = SweepState(table, "State")
        state.acquire("main", "test", time.time(), 1)
        state.save("main", "test", SweepDocument(progress))
    prepare(table)
    return list(tracking_findings("main", table, STACK))


def held(table):
    """Let the brake hold disappearances."""
    table.state["brake#main"] = {"pk": {"S": "brake#main"}, "tripped": {"N": "1"}}


def silent(table):
    """Let changes come without events."""
    LastEvents(table, "State").note("main", {"deal"}, time.time() - 9 * HOUR)
    LastEvents(table, "State").note("main", {MISSED}, time.time())


def dead(owner="Tell", **attributes):
    """Return reason and next steps of a dead letter's group."""
    aws = DeadLetterAws()
    aws.queues["dead"] = {}
    aws.put("dead", '{"specversion": "1.0", "id": "c", "subject": "deal/1"}', **attributes)
    (group,) = survey(aws, {owner: "dead"}, Chosen()).groups
    return [("BAD", f"{group.reason}: {group.next_steps()}")]


class Client:
    """A client of AWS that answers each operation, and each page of it, with the same."""

    def __init__(self, **answer):
        self.answer = answer

    def __getattr__(self, _operation):
        return lambda *_, **__: self.answer

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, **_):
        """Yield one page."""
        yield self.answer


def queue(name, number):
    """Return the findings about a queue with so many messages."""
    counts = {"ApproximateNumberOfMessages": number, "ApproximateNumberOfMessagesNotVisible": 0}
    return list(queue_findings(Client(Attributes=counts), {name: "https://q"}, NOW))


def refused(code):
    """Return the finding about a check that AWS refuses, as doctor prints it."""

    def check():
        if code == "unreachable":
            raise EndpointConnectionError(endpoint_url="https://sqs")
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Look")
        yield

    report = Report()
    report.check("queues", check())
    return [(one["level"], one["text"]) for one in report.documents[0]["findings"]]


def part_missing():
    """Return the finding about a stack without its State table."""
    report = Report()
    report.check("tracking", tracking_findings("main", FakeDynamo(), Deployed("relay", {}, {}, {})))
    return [(one["level"], one["text"]) for one in report.documents[0]["findings"]]


def paused(days):
    """Return the findings about a function that was paused days ago."""
    since = datetime.fromtimestamp(NOW - days * 24 * HOUR, UTC)
    client = Client(State="Disabled", LastModified=since)
    return list(paused_findings(client, {"FollowUpFunctionQueue": "u"}, NOW))


def alarm():
    """Return the findings about a raised alarm."""
    raised = {
        "AlarmName": "relay-Lost",
        "AlarmDescription": "Events could neither be published nor spilled; they are gone",
        "StateUpdatedTimestamp": datetime.fromtimestamp(NOW - HOUR, UTC),
    }
    return list(alarm_findings(Client(MetricAlarms=[raised]), STACK, NOW))


def late():
    """Return the findings about reactions that end late."""
    line = {"message": json.dumps({"message": "handled", "lag": 900})}
    return list(lag_findings(Client(events=[line]), "log", NOW))


def quota():
    """Return the findings about an account of ten copies."""
    return list(quota_findings(Client(AccountLimit={"ConcurrentExecutions": 10}), STACK))


def plan(name, rate):
    """Return the finding about a plan and a rate."""
    burst = "250" if rate == 5 else "50"
    return [plan_finding(name, {"PortalRate": str(rate), "PortalBurst": burst})]


def stage_gone():
    """Return the findings about a stage that a reaction names."""
    watched = Watched(NOW, {}, {"C3:5": NOW - HOUR})
    return list(schema_findings(watched, {"notify_stage": 'to="C3:5"'}, NOW))


SHARED = {"main": {"application-tokens": "a"}, "other": {"application-tokens": "a"}}
FAULTS = {
    "expired webhook": (
        lambda: webhooks(OperatorError("profile", "expired_token")),
        "expired_token",
        "make connect",
    ),
    "deleted webhook": (
        lambda: webhooks(OperatorError("profile", "NO_AUTH_FOUND")),
        "NO_AUTH_FOUND",
        "make connect",
    ),
    "blocked portal": (
        lambda: webhooks(OperatorError("profile", "OVERLOAD_LIMIT")),
        "OVERLOAD_LIMIT",
        "make connect",
    ),
    "portal away": (
        lambda: webhooks(TransientError("profile", "NOT_REACHED")),
        "NOT_REACHED",
        "make connect",
    ),
    "missing scope": (
        lambda: webhooks(WELL._replace(missing=["task"])),
        "lacks the scope task",
        "scope",
    ),
    "no administrator": (
        lambda: webhooks(WELL._replace(admin=False)),
        "no administrator",
        "administrator's webhook",
    ),
    "no webhook": (lambda: webhooks(secrets={}), "no webhook to read", "make connect"),
    "no writing webhook": (
        lambda: webhooks(secrets={"webhook-urls/read": "u"}),
        "no webhook to write",
        "make connect",
    ),
    "two portals": (
        lambda: webhooks(lambda url: WELL._replace(host=url[-6:])),
        "of two portals",
        "portals",
    ),
    "no token": (
        lambda: list(token_findings("main", {"main": {}})),
        "no application token",
        "make connect",
    ),
    "a token of two": (
        lambda: list(token_findings("main", SHARED)),
        "other has the same token",
        "events may go",
    ),
    "never swept": (tracked, "never swept", "make logs"),
    "late sweep": (lambda: tracked(swept=5 * HOUR, deal="done"), "swept 5 h ago", "make logs"),
    "many vanished": (lambda: tracked(held, deal="done"), "held back", "make release PORTAL=main"),
    "dead outgoing webhook": (
        lambda: tracked(silent, deal="done"),
        "changes, but no events",
        "switch the outgoing",
    ),
    "no event yet": (lambda: tracked(deal="done"), "no event yet", "outgoing webhook on"),
    "refused kind": (
        lambda: tracked(deal="done", lead=None),
        "lead: not offered",
        "no right to it",
    ),
    "filling": (lambda: tracked(deal="reading"), "deal: 7 of 9", "in the mirror"),
    "dead letters": (
        lambda: queue("TrackDeadLetters", 2),
        "2 dead letters",
        "make dead NAME=Track",
    ),
    "waiting records": (lambda: queue("TrackQueue", 2), "TrackQueue: 2", "waiting"),
    "paused": (lambda: paused(1), "follow_up has been paused", "make resume NAME=follow_up"),
    "forgotten pause": (lambda: paused(8), "paused for 8 d", "make resume NAME=follow_up"),
    "raised alarm": (alarm, "LostAlarm for 60 min", "docs/operating.md"),
    "late reactions": (late, "within 900.0 s", "make logs"),
    "small account": (quota, "may run 10 copies", "Raise the quota"),
    "too quick": (lambda: plan("ru_std", 5), "allows less", "make deploy"),
    "too slow": (lambda: plan("ru_ent250", 2), "allows more", "make deploy"),
    "stage gone": (stage_gone, "notify_stage names C3:5, which is gone", "make deploy"),
    "a create in doubt": (
        lambda: dead(reason="UNDECIDED", code="UNDECIDED"),
        "look in the portal",
        "make redrive ONE=",
    ),
    "killed function": (dead, "received too often", "make logs"),
    "refused write": (lambda: dead(reason="NOT_FOUND"), "NOT_FOUND", "make redrive REASON="),
    "foreign token": (
        lambda: dead("Spill", reason="nobody's token"),
        "nobody's token",
        "make connect",
    ),
    "expired credentials": (
        lambda: refused("ExpiredToken"),
        "credentials have expired",
        "aws sso login",
    ),
    "throttled account": (lambda: refused("ThrottlingException"), "throttles", "again in a minute"),
    "a right too few": (lambda: refused("AccessDenied"), "lack a right", "operator's policy"),
    "a queue gone": (
        lambda: refused("AWS.SimpleQueueService.NonExistentQueue"),
        "gone",
        "make deploy",
    ),
    "AWS away": (lambda: refused("unreachable"), "Could not connect", "AWS_REGION and credentials"),
    "half-deleted stack": (part_missing, "has no StateTable", "make deploy"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_with_what_mends_it(fault):
    """One finding that is not ok says the cause and the next step."""
    look, cause, remedy = FAULTS[fault]
    texts = [text for level, text in look() if level != OK]
    assert any(cause in text and remedy in text for text in texts), texts


def test_a_healthy_stack_has_no_finding():
    """Nothing that is well is reported as anything else than ok."""

    def heard(table):
        LastEvents(table, "State").note("main", {"deal"}, time.time() - 60)

    healthy = [
        *webhooks(WELL),
        *token_findings("main", {"main": {"application-tokens": "a"}}),
        *tracked(heard, deal="done", task="done"),
        *queue("TrackQueue", 0),
        *queue("TrackDeadLetters", 0),
        *alarm_findings(Client(MetricAlarms=[]), STACK, NOW),
        *lag_findings(Client(events=[]), "log", NOW),
        *quota_findings(Client(AccountLimit={"ConcurrentExecutions": 1000}), STACK),
        *plan("ru_std", 2),
        *schema_findings(Watched(NOW, {}, {}), {"notify_stage": ""}, NOW),
    ]
    assert [one for one in healthy if one.level != OK] == []

"""ops.doctor: each thing that can be wrong is reported with what to do about it."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from ops.build import ROOT
from ops.deployed import Deployed, MissingPartError
from ops.doctor import Report
from ops.findings import BAD, LOOK, OK, SKIPPED, Finding
from ops.health_findings import alarm_findings, lag_findings
from ops.portal_findings import (
    plan_finding,
    token_findings,
    tracking_findings,
    webhook_findings,
)
from ops.schema_findings import schema_findings, texts_of
from ops.webhook import NO_ADMIN
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.schema_watch import Watched
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.tracking_dynamo import FakeDynamo
from tests.unit.ops.conftest import ADMIN

STACK = Deployed(
    "relay",
    {},
    {"AllowHttp": "false", "SweepMinutes": "5", "SilentHours": "6"},
    {"StateTable": "State"},
)
SECRETS = {
    "application-tokens": "one\ntwo\n",
    "webhook-urls/read": "https://portal.example/rest/1/thesecret0/",
    "webhook-urls/write": "https://portal.example/rest/2/othersecret0/",
}
HOUR = 3600


@pytest.fixture
def table():
    """Return a State table in memory."""
    return FakeDynamo()


def swept(table, ago, **kinds):
    """Store the document of a sweep that ended so many seconds ago."""
    now = time.time()
    progress = {
        name: KindProgress(how, swept_at=now - ago, item_count=9, missing_rows=2)
        for name, how in kinds.items()
    }
    state = SweepState(table, "State")
    state.acquire("main", "test", now, 1)
    state.save("main", "test", SweepDocument(progress))


def findings(table, stack=STACK):
    """Return the findings about a portal's tracking."""
    return list(tracking_findings("main", table, stack))


def test_a_portal_that_is_well_needs_nothing(table):
    """A portal with a filled mirror, sweeps and events has only OK findings."""
    swept(table, 200, deal="done", task="done")
    LastEvents(table, "State").note("main", {"deal"}, time.time() - 400)
    found = findings(table)
    assert {finding.level for finding in found} == {OK}
    assert [finding.text for finding in found] == [
        "the mirror holds deal, task",
        "swept 3 min ago",
        "the last event came 7 min ago",
    ]


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda _: None, "it was never swept"),
        (lambda table: swept(table, 5 * HOUR, deal="done"), "swept 5 h ago; `make logs`"),
        (
            lambda table: table.state.__setitem__(
                "brake#main",
                {"pk": {"S": "brake#main"}, "tripped": {"N": str(int(time.time()) - 3 * HOUR)}},
            ),
            "held back for 3 h; if the items are really deleted: `make release PORTAL=main`",
        ),
        (
            lambda table: (
                LastEvents(table, "State").note("main", {"deal"}, time.time() - 9 * HOUR),
                LastEvents(table, "State").note("main", {MISSED}, time.time()),
            ),
            "switch the outgoing webhook on",
        ),
    ],
)
def test_what_must_be_mended_is_said(table, prepare, text):
    """Each trouble is one BAD line with the command or click that mends it."""
    prepare(table)
    assert any(level == BAD and text in found for level, found in findings(table))


def test_what_is_not_there_yet_is_shown(table):
    """A baseline under way, a refused kind and the lack of events are worth a look."""
    swept(table, 9, deal="reading", lead="done")
    document = SweepState(table, "State").read("main")
    document.kinds["lead"].refused = True
    state = SweepState(table, "State")
    state.acquire("main", "test", time.time() + 9, 1)
    state.save("main", "test", document)
    shown = [text for level, text in findings(table) if level == LOOK]
    assert shown[0] == "deal: 7 of 9 are in the mirror"
    assert shown[1].startswith("lead: not offered to this webhook")
    assert shown[2].startswith("no event yet")


def test_webhooks_are_tried_and_never_shown(portals):
    """A dead webhook is reported with the portal's error, a missing scope by its name."""
    portals.answers["other"] = ("expired_token", "The access token has expired")
    portals.may = ["crm"]
    found = list(webhook_findings(SECRETS, STACK))
    assert found[:2] == [
        (OK, "webhook to read with: portal.example as Robot"),
        (LOOK, "it lacks the scope task"),
    ]
    level, text = found[2]
    assert level == BAD
    assert "expired_token" in text
    assert "`make connect`" in text
    assert "secret" not in str(found)
    missing = [level for level, _ in webhook_findings({}, STACK)]
    assert missing == [BAD] * 2 + [SKIPPED]


@pytest.mark.parametrize("admin", [True, False])
def test_a_writing_webhook_of_no_administrator_is_told(portals, admin):
    """A writing webhook of another user than an administrator is worth a look."""
    portals.answers[""] = ADMIN | {"ADMIN": admin}
    found = list(webhook_findings(SECRETS, STACK))
    assert [one for one in found if one.level == LOOK] == ([] if admin else [(LOOK, NO_ADMIN)])


@pytest.mark.usefixtures("portals")
def test_webhooks_of_two_portals_are_bad():
    """Reading from one portal and writing to another is named with both hosts."""
    other = {"webhook-urls/write": "https://b.example/rest/1/othersecret0/"}
    *_, last = webhook_findings(SECRETS | other, STACK)
    assert last == (BAD, "the webhooks are of two portals, b.example and portal.example")


def test_the_tokens_of_a_portal_are_counted_and_are_its_own():
    """A portal without a token is BAD, and so is a token that another portal has too."""
    one = {"application-tokens": "a\nb\n"}
    assert list(token_findings("main", {"main": one})) == [(OK, "2 application token(s)")]
    both = {"main": one, "second": {"application-tokens": "c\nb"}}
    assert [finding.text for finding in token_findings("main", both)][1:] == [
        "portal second has the same token, so events may go to either"
    ]
    (missing,) = token_findings("main", {"main": {"application-tokens": " \n"}})
    assert missing.level == BAD


def test_sweeps_that_are_rare_by_choice_are_not_late(table):
    """With SweepMinutes=120 the last sweep may be hours ago."""
    swept(table, 5 * HOUR, deal="done")
    rare = replace(STACK, parameters=STACK.parameters | {"SweepMinutes": "120"})
    assert (OK, "swept 5 h ago") in findings(table, rare)


def test_the_brake_says_since_when():
    """`tripped` is the time since which disappearances are held, None where none are."""
    table = FakeDynamo()
    brake = Brake(table, "State")
    assert brake.tripped("main") is None
    table.state["brake#main"] = {"tripped": {"N": "7"}}
    assert brake.tripped("main") == 7.0


@pytest.mark.parametrize(
    ("plan", "rate", "burst", "level", "text"),
    [
        ("ru_std", 2, 50, OK, "plan ru_std: 2 requests a second"),
        ("ru_ent250", 5, 250, OK, "plan ru_ent250: 5 requests a second"),
        ("ru_ent250", 2, 50, LOOK, "PortalRate=5 PortalBurst=250"),
        ("ru_std", 5, 250, BAD, "PortalRate=2 PortalBurst=50"),
        ("", 5, 250, OK, "does not tell its plan"),
    ],
)
def test_the_pace_is_held_against_the_plan(plan, rate, burst, level, text):
    """More than the plan allows is BAD, less is worth a look; both say what to set."""
    found = plan_finding(plan, {"PortalRate": str(rate), "PortalBurst": str(burst)})
    assert found.level == level
    assert text in found.text


class Pages:
    """A client whose paginated operations answer with one page."""

    def __init__(self, **page):
        self.page = page

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, **_):
        """Yield the page."""
        yield self.page


def test_raised_alarms_of_the_stack_are_bad():
    """An alarm has its name in the template, since when, and its description; others' are not."""
    raised = [
        {
            "AlarmName": name,
            "AlarmDescription": "Why",
            "StateUpdatedTimestamp": datetime.fromtimestamp(0, UTC),
        }
        for name in ("relay-Lost-1", "relay-follow_up-paused", "relay-test-Lost-2")
    ]
    stack = Deployed("relay", {}, {}, {"LostAlarm": "relay-Lost-1"})
    found = list(alarm_findings(Pages(MetricAlarms=raised), stack, 3 * HOUR))
    assert found == [
        (BAD, "LostAlarm for 3 h: Why (docs/operating.md)"),
        (BAD, "relay-follow_up-paused for 3 h: Why (docs/operating.md)"),
    ]
    assert list(alarm_findings(Pages(MetricAlarms=[]), stack, 0)) == [(OK, "no alarm is raised")]


def handled(lag):
    """Return a reaction's entry in the log."""
    return {"message": json.dumps({"message": "handled", "lag": lag})}


@pytest.mark.parametrize(
    ("lags", "level", "text"),
    [
        ([1.0] * 95 + [900.0] * 5, LOOK, "95 % of 100 records were handled within 900.0 s"),
        ([1.0] * 96 + [900.0] * 4, OK, "within 1.0 s"),
        ([], OK, "no reaction has handled anything in 15 minutes"),
    ],
)
def test_the_lag_is_of_the_slowest_twentieth(lags, level, text):
    """A late twentieth is worth a look; lines of others count for nothing."""
    others = [{"message": "no JSON"}, {"message": '{"message": "handled"}'}, {"message": "[]"}]
    (found,) = lag_findings(Pages(events=[*map(handled, lags), *others]), "log", 0)
    assert found.level == level
    assert text in found.text


def refused():
    """Yield a finding, then meet AWS's refusal."""
    yield Finding(OK, "one")
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")


def missing():
    """Meet a part that is not there."""
    raise MissingPartError("stack relay has no StateTable")
    yield


def test_a_check_that_can_not_be_made_is_skipped_with_its_reason(capsys):
    """The others go on; what was not found out leaves something to do."""
    report = Report()
    report.check("alarms", refused())
    report.check("tracking", missing())
    report.check("queues", [Finding(OK, "fine"), Finding(BAD, "do `make dead NAME=Spill`")])
    assert report.read("secrets", lambda: 7) == 7
    assert report.read("secrets", lambda: next(iter(list(refused())))) is None
    assert report.is_left
    assert report.verdict() == "2 to be mended, 2 could not be looked at"
    output = capsys.readouterr().out
    assert "skip  alarms: skipped because AWS refuses" in output
    assert "BAD   tracking: stack relay has no StateTable" in output


def test_a_program_gets_the_command_that_mends_it():
    """Each check has its time and its findings, each finding the command that it names."""
    report = Report()
    report.section("portal main", "main")
    report.check("queues", [Finding(OK, "fine"), Finding(BAD, "2: `make dead NAME=Spill` shows")])
    (check,) = report.documents
    assert (check["check"], check["portal"]) == ("queues", "main")
    assert check["milliseconds"] >= 0
    assert check["findings"] == [
        {"level": "ok", "text": "fine"},
        {
            "level": "bad",
            "text": "2: `make dead NAME=Spill` shows",
            "command": "make dead NAME=Spill",
        },
    ]
    assert not Report().is_left
    assert Report().verdict() == "nothing to be mended"


REACTIONS = {"notify_stage": "if change.moved('stageId', to=\"C3:5\")", "journal": "C3:5"}


@pytest.mark.parametrize(
    ("watched", "levels", "text"),
    [
        (Watched(0.0, {}, {}), [OK], "not read yet"),
        (Watched(HOUR, {}, {}), [OK], "were read 2 h ago"),
        (Watched(HOUR, {}, {"C3:9": HOUR}), [OK], "were read 2 h ago"),
        (
            Watched(HOUR, {}, {"C3:5": HOUR}),
            [BAD],
            "notify_stage names C3:5, which is gone for 2 h",
        ),
    ],
)
def test_a_reaction_that_names_a_stage_that_is_gone_is_bad(watched, levels, text):
    """A stage in quotes is a name, in the code or in the filter; elsewhere it is none."""
    found = list(schema_findings(watched, REACTIONS, 3 * HOUR))
    assert [one.level for one in found] == levels
    assert text in found[0].text


def test_a_reaction_says_what_its_code_and_its_filter_say():
    """Both may name a stage."""
    texts = texts_of(ROOT, ["follow_up", "not_in_this_folder"])
    assert "tasks.task.add" in texts["follow_up"]
    assert '"stageSemanticId": ["S"]' in texts["follow_up"]
    assert texts["not_in_this_folder"] == ""

"""The operator's commands against a deployed stack."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from local.aws import credentials
from local.stack import store_secrets
from ops.build import ROOT
from relay.tracking.row import ITEM, Key, Row


@pytest.fixture
def run(relay):
    """Return the function that runs a command of `ops` as its make target does."""

    def command(*arguments, typed=""):
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "ops", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": "src",
                "COLUMNS": "80",
                **credentials(relay.aws.endpoint),
            },
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return command


@pytest.fixture
def token_kept(relay):
    """Restore the portal's token after the test."""
    yield relay.token
    store_secrets(relay.aws, {"application-tokens/main": relay.token})


def stored(relay, name):
    """Return a secret of the stack."""
    ssm = relay.aws.client("ssm")
    return ssm.get_parameter(Name=f"/relay/relay/{name}", WithDecryption=True)["Parameter"]["Value"]


def test_connect_tries_and_stores_token_and_webhooks(relay, run, token_kept):
    """One URL serves both purposes, older tokens stay accepted, and no secret is printed."""
    url = relay.portal.state["webhook_url"]
    for token in ("first-token", "second-token"):
        done = run("connect", typed=f"{token}\n{url}\n\n")
        assert done.returncode == 0, done.stdout + done.stderr
        assert relay.stack.outputs["HookUrl"] in done.stdout
        assert "ONCRMCONTACTADD" in done.stdout
        assert "mirror: " in done.stdout
        for secret in (token, token_kept, url, url.rstrip("/").rsplit("/", 1)[1]):
            assert secret not in done.stdout + done.stderr
    assert stored(relay, "application-tokens/main") == f"second-token\nfirst-token\n{token_kept}"
    assert (
        stored(relay, "webhook-urls/read/main") == stored(relay, "webhook-urls/write/main") == url
    )
    run("connect", "--replace", typed=f"third\n{url}\n\n")
    assert stored(relay, "application-tokens/main") == "third"


def test_connect_takes_a_writing_webhook_of_its_own(relay, run, token_kept):
    """An own URL for writing is stored; without one the reading URL is stored for both."""
    url = relay.portal.state["webhook_url"]
    own = relay.portal.admin("incoming", "POST", user=2, title="writes")
    writing = re.sub(r"/rest/.*", f"/rest/2/{own['secret']}/", url)
    done = run("connect", typed=f"{token_kept}\n{url}\n{writing}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored(relay, "webhook-urls/write/main") == writing


def test_rotate_stores_a_webhook_and_proves_the_outgoing_one(relay, run, token_kept):
    """A marked contact's event comes through the stack, and the contact is deleted."""
    url = relay.portal.state["webhook_url"]
    done = run("rotate", "--prove", "--json", typed=f"\n\n{url}\n")
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    assert document["changed"] == ["webhook-urls/write"]
    assert 0 < document["proof"]["seconds"] < 30
    assert stored(relay, "webhook-urls/write/main") == url
    number = document["proof"]["contact"].removeprefix("contact/")
    row = relay.aws.client("dynamodb").get_item(
        TableName=relay.stack.resources["Mirror"], Key=Key("main", "contact", int(number)).to_item()
    )["Item"]
    assert row["via"] == {"S": "event"}
    for secret in (token_kept, url.rstrip("/").rsplit("/", 1)[1]):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("\n", "an empty token would let anybody in"),
        ("token\n\n", "it is empty"),
        ("token\nhttps://portal.example/rest/\n", "OAuth"),
        ("token\nhttp://127.0.0.1:{port}/rest/1/wrongsecret1/\n", "NO_AUTH_FOUND"),
    ],
)
def test_connect_stores_nothing_that_does_not_work(relay, run, typed, reason):
    """A bad token or URL exits with its fault, and nothing of it is stored."""
    done = run("connect", "--portal", "bad", typed=typed.format(port=relay.portal.port))
    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
    with pytest.raises(relay.aws.client("ssm").exceptions.ParameterNotFound):
        stored(relay, "application-tokens/bad")


def test_connect_says_what_to_do_without_a_stack(run):
    """A missing stack exits with its name and the command that makes it."""
    done = run("connect", "--stack", "nowhere")
    assert done.returncode != 0
    assert "there is no stack nowhere in eu-central-1; run `make deploy` first" in done.stderr


def test_doctor_says_what_works_and_what_does_not(relay, run, token_kept):
    """A dead webhook is BAD, with its error; no secret is printed."""
    url = relay.portal.state["webhook_url"]
    well = run("doctor")
    assert "webhook to read with: 127.0.0.1" in well.stdout, well.stderr
    assert "the mirror holds company, contact, deal" in well.stdout
    store_secrets(
        relay.aws, {"webhook-urls/write/main": re.sub(r"/rest/.*", "/rest/1/x1x1x1x1/", url)}
    )
    ill = run("doctor")
    store_secrets(relay.aws, {"webhook-urls/write/main": url})
    assert ill.returncode == 1
    assert "BAD" in ill.stdout
    assert "NO_AUTH_FOUND" in ill.stdout
    for secret in (token_kept, url, url.rstrip("/").rsplit("/", 1)[1], "x1x1x1x1"):
        assert secret not in well.stdout + ill.stdout + well.stderr + ill.stderr


def test_doctor_names_refused_robots_by_time_and_route(relay, run):
    """A call with a wrong secret is counted; its address is not printed, and neither is ours."""
    secret = stored(relay, "robots/main")
    url = f"{relay.stack.hook_url.removesuffix('/bitrix24')}/robot/main/wrongsecret1/any"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, timeout=30)  # noqa: S310  ours
    done = run("doctor")
    assert (
        "calls of /robot/{portal}/{secret}/{name} refused in a day, not_verified, 2" in done.stdout
    )
    assert "portal main: 1 secret(s) of robots" in done.stdout
    assert "wrongsecret1" not in done.stdout
    assert secret not in done.stdout


def test_robot_prints_an_address_that_works(relay, run):
    """The address of a second robot has the stored secret, and ingress takes its call."""
    secret = stored(relay, "robots/main")
    done = run("robot", "--name", "start_from_robot")
    assert done.returncode == 0, done.stdout + done.stderr
    path = f"/robot/main/{secret}/"
    assert f"{path}start_from_robot?value={{=Document:OPPORTUNITY}}" in done.stdout
    assert "{=Document:TITLE}" in done.stdout
    hook = relay.stack.hook_url.removesuffix("/bitrix24")
    url = f"{hook}{path}nobody_hears_it?document_id=LEAD_999999"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  ours
        assert answer.status == 200
    assert stored(relay, "robots/main") == secret


def test_release_lets_go_what_is_held_back(relay, run):
    """Held disappearances are released; a portal that was never swept is refused."""
    key = {"pk": {"S": "brake#main"}}
    table, dynamodb = relay.stack.resources["StateTable"], relay.aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=key | {"tripped": {"N": "1"}})
    done = run("release")
    assert "main: the items that disappeared are announced as deleted" in done.stdout, done.stderr
    assert "tripped" not in dynamodb.get_item(TableName=table, Key=key)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)
    assert "nothing was held back" in run("release").stdout
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key)
    refused = run("release", "PORTAL=mian")
    assert refused.returncode != 0
    assert "no portal 'mian' was ever swept" in refused.stderr


def test_connect_refuses_a_bad_name(run):
    """A name with other characters than [a-z0-9-] exits with the pattern."""
    done = run("connect", "--portal", "Моё", typed="token\n")
    assert "a portal's name is [a-z0-9-]{1,40}" in done.stderr


def test_redrive_shows_reasons_and_sends_back(relay, run, await_until):
    """A dead letter is listed by its reason, dropped or handled again, and the log says by whom."""
    queue = relay.stack.resources["JournalDeadLetters"]
    event = json.loads((ROOT / "events" / "sqs_deal_updated.json").read_text("utf-8"))
    body = event["Records"][0]["body"].replace("r2", "redriven")

    def put():
        relay.aws.client("sqs").send_message(
            QueueUrl=queue,
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": "made up"}},
        )

    put()
    shown = run("dead")
    assert shown.returncode == 1
    assert "Journal  1 x" in shown.stdout, shown.stderr
    assert "  made up" in shown.stdout
    assert "1 sent back" in run("redrive", "ONE=redriven").stdout
    await_until(lambda: '"event_id":"redriven"' in relay.log("redriven"))
    assert '"message": "sent back"' in relay.log()
    put()
    assert "1 dropped" in run("drop", "REASON=made", "WHY=a test").stdout
    assert '"why": "a test"' in relay.log()
    assert json.loads(run("dead", "NAME=journal", "JSON=1").stdout) == {"groups": [], "unread": {}}


@pytest.fixture
def set_aside(relay):
    """Return the function that dead-letters a record as announce does; none is left behind."""
    sqs, url = relay.aws.client("sqs"), relay.stack.resources["AnnounceDeadLetters"]

    def put(record):
        reason = {"DataType": "String", "StringValue": "made up"}
        sqs.send_message(
            QueueUrl=url, MessageBody=json.dumps(record), MessageAttributes={"reason": reason}
        )

    yield put
    sqs.purge_queue(QueueUrl=url)


def image(number, title, seq):
    """Return a deal's row of the mirror as the stream has it."""
    return Row(
        key=Key("main", "deal", number),
        seq=seq,
        born="b",
        kind=ITEM,
        text=json.dumps({"title": title}),
        updated="2026-03-01T09:00:00Z",
        read_at=1.0,
        via="event",
    ).to_item()


def test_redrive_announces_what_announce_had_set_aside(relay, run, changes, set_aside, await_until):
    """A record that announce can read now is announced; another one is dead again, and counted."""
    old, new = image(999_001, "a", 4), image(999_001, "b", 5)
    images = {"OldImage": old, "NewImage": new, "SequenceNumber": "1"}
    set_aside({"eventName": "MODIFY", "dynamodb": images})
    unborn = {name: value for name, value in new.items() if name != "born"}
    set_aside({"eventName": "MODIFY", "dynamodb": images | {"NewImage": unborn}})
    assert "Announce  2 x" in run("dead").stdout
    output = run("redrive").stdout
    assert "Announce  1 stay: dead again: KeyError: 'born'" in output
    found = await_until(lambda: [one for one in changes() if one.id == "999001"])
    assert [(one.change_id, one.before) for one in found] == [
        ("main.deal.999001.b.5", {"title": "a"})
    ]
    assert relay.messages("AnnounceDeadLetters") == 1


def test_trace_follows_an_event_to_its_effect(relay, run, await_until):
    """A won deal's task is traced back to the event: every step, in order, with its times."""
    deal = relay.portal.call("crm.deal.add", fields={"TITLE": "traced", "STAGE_ID": "WON"})
    handled = rf'"message":"handled"[^{{}}]*"service":"follow_up"[^{{}}]*"subject":"deal/{deal}"'
    await_until(lambda: re.search(handled, relay.log(f"deal/{deal}")))
    traced = json.loads(run("trace", f"ITEM=deal/{deal}", "JSON=1").stdout)["traces"]
    (trace,) = [one for one in traced if any(step["writes"] for step in one["steps"])]
    steps = [step["by"] for step in trace["steps"] if step["by"] != "journal"]
    assert steps == ["ingress", "mirror", "track", "announce", "follow_up"]
    assert trace["steps"] == sorted(trace["steps"], key=lambda step: step["at"])
    assert trace["steps"][-1]["writes"][0].startswith("tasks.task.add: done")
    said = run("trace", f"CHANGE={trace['change']}").stdout
    assert "ONCRMDEALADD verified, published" in said
    assert f"deal/{deal}  {trace['change']}" in said

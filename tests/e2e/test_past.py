"""The past of a deal on a deployed stack: history, asof, undo, rehearse, replay, apply."""

import json
from datetime import UTC, datetime

import pytest

from local.ordeal import listing
from relay.state_table import checkpoint_key, key
from tests.e2e.test_operator import run

__all__ = ["run"]


@pytest.fixture
def deal(relay, await_until):
    """Return a deal that has got another title, and a moment between."""
    fields = {"title": "Ten desks", "assignedById": 2}
    number = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]
    await_until(lambda: relay.is_announced(number), 120)
    between = datetime.now(UTC)
    relay.portal.call("crm.item.update", entityTypeId=2, id=number, fields={"title": "Two desks"})
    return number, between


@pytest.fixture
def document(run):
    """Return the function that runs a command and returns its document."""

    def of(*arguments):
        done = run(*arguments, "--json")
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        return json.loads(done.stdout)

    return of


def test_a_change_is_shown_undone_and_shown_again(relay, document, deal, await_until):
    """The functions' rights let announce write the history, and nobody else."""
    number, between = deal
    item = f"ITEM=deal/{number}"
    (change, _) = await_until(
        lambda: found if len(found := document("history", item)["changes"]) == 2 else None, 120
    )
    assert change["fields"]["title"] == {"from": "Ten desks", "to": "Two desks"}
    then = document("asof", item, f"AT={between.isoformat()}")
    assert then["state"]["title"] == "Ten desks"
    undone = document("undo", f"CHANGE={change['change']}")
    assert (undone["written"], undone["refused"]) == (True, {})
    asked = {"entityTypeId": 2, "id": number}
    assert relay.portal.call("crm.item.get", **asked)["item"]["title"] == "Ten desks"
    newest = await_until(
        lambda: found[0] if len(found := document("history", item)["changes"]) == 3 else None, 120
    )
    assert (newest["reaction"], newest["origin"]) == ("undo", "relay")


def test_what_a_reaction_missed_is_made_good_once(relay, document, await_until):
    """A won deal is rehearsed as it was done, then sent again by replay and by apply; once each."""
    begin = datetime.now(UTC)
    fields = {"title": "Won", "assignedById": 2, "stageId": "WON"}
    number = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]

    def has_tasks(count):
        links = [task["ufCrmTask"] or () for task in listing.tasks(relay.portal)]
        return sum(f"D_{number}" in link for link in links) == count

    await_until(lambda: has_tasks(1) and not relay.messages("FollowUpQueue"), 120)
    since = ["NAME=follow_up", f"SINCE={begin.isoformat()}"]
    (rehearsed,) = document("rehearse", *since)["changes"]
    assert (rehearsed["item"], rehearsed["as_done"]) == (f"deal/{number}", True)
    applied = ["apply", "NAME=follow_up", "TO=deal", f"WHERE=id={number}"]
    for count, again in ((2, ["replay", *since]), (3, applied)):
        relay.aws.client("dynamodb").delete_item(  # as if the reaction had never had the change
            TableName=relay.stack.resources["StateTable"],
            Key=key(checkpoint_key("follow_up", rehearsed["change"])),
        )
        assert document(*again)["sent"] == 1
        await_until(lambda count=count: has_tasks(count), 120)
        await_until(lambda: not relay.messages("FollowUpQueue"))
        assert document(*again)["sent"] == 0

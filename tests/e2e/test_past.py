"""The past of a deal on a deployed stack: history, asof, undo, rehearse."""

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.test_operator import run

__all__ = ["run"]


@pytest.fixture
def deal(relay, await_until):
    """Return a deal that has got another title, and a moment between."""
    fields = {"title": "Ten desks", "assignedById": 2}
    number = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]
    await_until(lambda: f'"change_id":"main.deal.{number}.' in relay.log(), 120)
    between = datetime.now(UTC)
    relay.portal.call("crm.item.update", entityTypeId=2, id=number, fields={"title": "Two desks"})
    return number, between


def told(run, *arguments):
    """Return the document of a command."""
    done = run(*arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_change_is_shown_undone_and_shown_again(relay, run, deal, await_until):
    """The functions' rights let announce write the history, and nobody else."""
    number, between = deal
    item = f"ITEM=deal/{number}"
    (change, _) = await_until(
        lambda: found if len(found := told(run, "history", item)["changes"]) == 2 else None, 120
    )
    assert change["fields"]["title"] == {"from": "Ten desks", "to": "Two desks"}
    then = told(run, "asof", item, f"AT={between.isoformat()}")
    assert then["state"]["title"] == "Ten desks"
    undone = told(run, "undo", f"CHANGE={change['change']}")
    assert (undone["written"], undone["refused"]) == (True, {})
    asked = {"entityTypeId": 2, "id": number}
    assert relay.portal.call("crm.item.get", **asked)["item"]["title"] == "Ten desks"
    newest = await_until(
        lambda: found[0] if len(found := told(run, "history", item)["changes"]) == 3 else None, 120
    )
    assert (newest["reaction"], newest["origin"]) == ("undo", "relay")
    rehearsed = told(run, "rehearse", "NAME=follow_up", "SINCE=1h")
    assert rehearsed["failed"] == rehearsed["unknown"] == 0

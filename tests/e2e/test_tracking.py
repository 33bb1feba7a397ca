"""An edit in the portal, its event, the reading, the mirror's stream, the Change."""

import json
import re

import pytest

from relay.tracking.row import Row
from tests.e2e.conftest import signed

DEALS, TIMES = 500, 20


@pytest.fixture(scope="module", autouse=True)
def deals(relay):
    """Return the ids of deals that the mirror holds; no sweep but a test's looks at them."""
    events, rule = relay.aws.client("events"), relay.stack.resources["SweepFunctionSchedule"]
    events.disable_rule(Name=rule)
    yield relay.portal.admin("seed", deals=DEALS, contacts=0, events=False)["deals"]
    events.enable_rule(Name=rule)


@pytest.fixture(autouse=True)
def _settled(relay, await_until, changes):
    """Begin when the mirror holds everything, and everything was announced."""
    await_until(lambda: baselined(relay) and len(rows(relay)) >= DEALS, 120)
    await_until(lambda: not relay.messages("TrackQueue"), 120)
    changes()


def sweep(relay):
    """Let a sweep run, and say how it went."""
    answer = relay.aws.client("lambda").invoke(FunctionName=relay.stack.resources["SweepFunction"])
    return json.loads(answer["Payload"].read())


def baselined(relay):
    """Run sweeps until the first filling of the mirror is complete."""
    swept = sweep(relay)
    assert swept in ({"main": "done"}, {"main": "under way elsewhere"})
    row = relay.aws.client("dynamodb").get_item(
        TableName=relay.stack.resources["StateTable"], Key={"pk": {"S": "sweep#main"}}
    )
    entities = json.loads(row["Item"]["document"]["S"])["kinds"].values()
    return all(entity.get("refused") or entity["baseline"] == "done" for entity in entities)


def rows(relay):
    """Return the deals that the mirror holds, by their ids."""
    pages = relay.aws.client("dynamodb").get_paginator("query")
    asked = pages.paginate(
        TableName=relay.stack.resources["Mirror"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "main/deal"}},
    )
    return {row.key.id: row for page in asked for row in map(Row.of, page["Items"])}


def titles(relay, ids):
    """Return the titles that deals have in the portal, by their ids."""
    found = {}
    for at in range(0, len(ids), 50):
        answer = relay.portal.call(
            "crm.item.list", entityTypeId=2, filter={"@id": ids[at : at + 50]}
        )
        found |= {item["id"]: item["title"] for item in answer["items"]}
    return found


def edit(relay, number, title):
    """Give a deal a title."""
    relay.portal.call("crm.item.update", entityTypeId=2, id=number, fields={"title": title})


def of_deals(changes, ids):
    """Return the new Changes of some deals; others' stay unseen."""
    return [change for change in changes() if change.entity == "deal" and int(change.id) in ids]


def missed(relay):
    """Return how many missed changes the functions have counted."""
    return sum(float(count) for count in re.findall(r'"MissedChanges":\[([\d.]+)\]', relay.log()))


def test_500_edits_are_announced_once_with_what_changed(relay, changes, deals, await_until):
    """Each edit is one reading, so each leads to one Change, of the version after the last."""
    before, was = rows(relay), titles(relay, deals)
    for number in deals:
        edit(relay, number, f"edited {number}")
    found = []

    def all_there():
        found.extend(of_deals(changes, deals))
        return len(found) >= DEALS and not relay.messages("TrackQueue")

    await_until(all_there, 120)
    found += of_deals(changes, deals)
    assert sorted(int(change.id) for change in found) == sorted(deals)
    assert len({change.change_id for change in found}) == DEALS
    for change in found:
        number = int(change.id)
        assert (change.action, change.via, change.changed) == ("updated", "event", ("title",))
        assert change.before == {"title": was[number]}
        assert change.after["title"] == f"edited {number}"
        assert change.version == before[number].seq + 1
    assert relay.messages("TrackDeadLetters") == 0
    assert relay.messages("AnnounceDeadLetters") == 0


def test_an_event_of_nothing_new_announces_nothing(relay, changes, deals, await_until):
    """Its item is read and put, which is a version; the next Change is the next edit's."""
    (number,) = deals[:1]
    seq, title = rows(relay)[number].seq, titles(relay, [number])[number]
    assert relay.post(signed(relay, "ONCRMDEALUPDATE", number))[0] == 200
    await_until(lambda: rows(relay)[number].seq == seq + 1)
    edit(relay, number, "another")
    # The stream keeps the order of an item: what came of the first reading came before this.
    (change,) = await_until(lambda: of_deals(changes, [number]))
    assert change.version == seq + 2
    assert (change.before, change.after["title"]) == ({"title": title}, "another")
    assert rows(relay)[number].seq == seq + 2


def test_edits_of_one_deal_are_a_chain(relay, changes, deals, await_until):
    """Edits may be read together; none is skipped at the end, and each begins where one ended."""
    (number,) = deals[1:2]
    seq, title = rows(relay)[number].seq, titles(relay, [number])[number]
    for time in range(TIMES):
        edit(relay, number, f"edit {time}")
    found = []

    def last_there():
        found.extend(of_deals(changes, [number]))
        return any(change.after["title"] == f"edit {TIMES - 1}" for change in found)

    await_until(last_there)
    await_until(lambda: not relay.messages("TrackQueue"), 120)
    found += of_deals(changes, [number])
    for change in found:
        assert change.version > seq
        assert (change.before["title"], change.changed) == (title, ("title",))
        seq, title = change.version, change.after["title"]
    assert title == f"edit {TIMES - 1}"
    assert len({change.change_id for change in found}) == len(found)
    assert seq <= rows(relay)[number].seq


def test_what_no_event_told_is_found_and_counted(relay, changes, deals, await_until):
    """A sweep finds it; that it was missed is counted, because events of deals are expected."""
    (number,) = deals[2:3]
    edit(relay, number, "told")
    await_until(lambda: of_deals(changes, [number]))
    (hook,) = relay.portal.admin("state", "GET")["outgoing"]
    counted = missed(relay)
    relay.portal.admin("outgoing", "PATCH", id=hook["id"], active=False)
    try:
        edit(relay, number, "not told")
    finally:
        relay.portal.admin("outgoing", "PATCH", id=hook["id"], active=True)
    assert sweep(relay) == {"main": "done"}
    found = await_until(lambda: of_deals(changes, [number]))
    assert [(change.via, change.after["title"]) for change in found] == [("sweep", "not told")]
    await_until(lambda: missed(relay) == counted + 1)

"""ops.history, ops.timeline, ops.asked: what an item was, who changed it, and when."""

import time
from datetime import UTC, datetime

import pytest

from ops import history
from ops.asked import key_of, moment_of
from ops.history import asof_command, history_command
from ops.timeline import GapError
from relay.tracking.row import Key
from tests.pasts import STACK, past_of
from tests.tracking_aws import LATER, OLD
from tests.unit.tracking.conftest import relay

__all__ = ["relay"]

DEAL = Key("main", "deal", 1)


@pytest.fixture
def deal(relay, aws_clients):
    """Return a relay with a deal that was won by user 5, and given a title by user 6."""
    aws_clients.deploy(STACK)["dynamodb"] = relay.dynamo
    relay.portal.put(2, 1, title="a", stageId="NEW", updatedTime=OLD)
    relay.baseline()
    relay.times = [time.time()]
    for user, fields in ((5, {"stageId": "WON"}), (6, {"title": "[b]\x1b", "comments": "x" * 99})):
        relay.portal.put(2, 1, **fields, updatedBy=user, updatedTime=LATER)
        relay.event(1)
        relay.settle()
        relay.times.append(time.time())
    return relay


def iso(moment):
    """Return a moment as an operator writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


@pytest.mark.usefixtures("deal")
def test_a_history_says_what_from_to_and_who(capsys):
    """The newest change comes first, and text of the portal does not reach the terminal raw."""
    outcome = history_command("deal/1")
    newest, first = outcome.document["changes"]
    assert newest["fields"]["title"] == {"from": "a", "to": "[b]\x1b"}
    assert (first["by"], first["reaction"], first["action"]) == ("5", None, "updated")
    assert first["fields"] == {"stageId": {"from": "NEW", "to": "WON"}}
    assert (outcome.left, outcome.document["gap"]) == (False, None)
    out = capsys.readouterr().out
    assert "stageId: NEW -> WON" in out
    assert f"CHANGE={first['change']}" in out
    assert r"title: a -> [b]\u001b" in out
    assert "comments: (empty) -> xxx" in out
    assert "x" * 70 not in out


@pytest.mark.usefixtures("deal")
def test_a_history_of_one_field_leaves_out_other_changes(capsys):
    """FIELD=stageId shows the one change of the stage; an unchanged field says since when."""
    (only,) = history_command("deal/1", field="stageId").document["changes"]
    assert list(only["fields"]) == ["stageId"]
    capsys.readouterr()
    assert history_command("deal/1", field="opportunity").document["changes"] == []
    out = capsys.readouterr().out
    assert "deal/1: no change of opportunity since 1970-01-01" in out
    assert "did you mean" not in out


@pytest.mark.usefixtures("deal")
@pytest.mark.parametrize(("field", "meant"), [("STAGE_ID", "stageId"), ("coments", "comments")])
def test_a_field_in_another_spelling_is_told(capsys, field, meant):
    """That it did not change would be believed."""
    assert history_command("deal/1", field=field).document["changes"] == []
    assert capsys.readouterr().out.endswith(f"; did you mean {meant}?\n")


def test_a_state_of_the_past_is_shown_with_its_moment(deal, capsys):
    """Between two changes the item is as the first left it, volatile fields left out."""
    outcome = asof_command("deal/1", at=iso(deal.times[1]))
    assert outcome.document["state"] == {"id": 1, "title": "a", "stageId": "WON"}
    assert outcome.document["version"] == 2
    assert "unchanged since" in capsys.readouterr().out


def test_a_deletion_and_a_creation_end_and_begin_the_state(relay):
    """Before its addition and after its deletion the item is None; between them it is whole."""
    relay.baseline()
    before = time.time()
    relay.portal.put(2, 1, title="a")
    relay.event(1, "add")
    relay.settle()
    between = time.time()
    del relay.portal.items[2][1]
    relay.event(1, "delete")
    relay.settle()
    timeline = past_of(relay).timeline(DEAL)
    states = [timeline.at(moment) for moment in (before, between, time.time())]
    assert states == [None, {"id": 1, "title": "a"}, None]


def test_what_is_older_than_the_history_is_refused(deal):
    """A moment before the first reading, or before HistoryDays, is no guess."""
    with pytest.raises(SystemExit, match="the history of deal/1 begins on"):
        asof_command("deal/1", at=iso(deal.times[0] - 3600))
    deal.dynamo.made = datetime.now(UTC)
    timeline = past_of(deal).timeline(DEAL)
    with pytest.raises(GapError, match="begins on"):
        timeline.at(deal.times[0])
    assert timeline.at(deal.times[1])["stageId"] == "WON"  # a row tells it all the same


def test_history_days_bound_what_is_known(relay):
    """With HistoryDays=7 a state of eight days ago is refused."""
    past = past_of(relay, HistoryDays="7")
    assert past.begins() == pytest.approx(time.time() - 7 * 86400, abs=5)


def test_a_missing_row_is_a_gap_and_not_a_guess(deal, capsys):
    """Without the newest row nothing before the last reading is told; `history` says so."""
    newest = max(deal.dynamo.history)
    kept = deal.dynamo.history.pop(newest)
    with pytest.raises(SystemExit, match=r"a change of deal/1 between .* is not in the history"):
        asof_command("deal/1", at=iso(deal.times[1]))
    outcome = history_command("deal/1")
    assert outcome.document["changes"] == []
    assert "not in the history" in outcome.document["gap"]
    assert "ask again in a minute" in capsys.readouterr().out
    deal.dynamo.history[newest] = kept
    assert asof_command("deal/1", at=iso(deal.times[1])).document["state"]["stageId"] == "WON"


def test_a_change_that_is_on_its_way_is_waited_for(relay):
    """An item that was read seconds ago, with nothing in the history yet, is asked for again."""
    relay.portal.put(2, 1, title="a", updatedTime=OLD)
    relay.baseline()
    before = time.time()
    relay.portal.put(2, 1, title="b", updatedTime=LATER)
    relay.event(1)
    relay.track_all()
    with pytest.raises(GapError, match="ask again in a minute"):
        past_of(relay).timeline(DEAL).at(before)


def test_a_change_that_came_after_the_mirrors_row_was_read_is_left_out(deal):
    """Rows are laid over the state that was read, not over one that they lead to."""
    older = deal.dynamo.stream[-1]["dynamodb"]["OldImage"]
    deal.dynamo.mirror["main/deal", 1] = older
    timeline = past_of(deal).timeline(DEAL)
    assert [one.version for one in timeline.rows] == [2]
    assert timeline.at(deal.times[0])["stageId"] == "NEW"


def test_rows_of_a_mirror_that_is_gone_are_left_out(deal):
    """A mirror that was made anew counts its versions anew; the old ones say nothing of it."""
    deal.dynamo.history = {
        (pk, f"0{sk}"): {**row, "sk": {"S": f"0{sk}"}}
        for (pk, sk), row in deal.dynamo.history.items()
    }
    assert past_of(deal).timeline(DEAL).rows == []


def test_an_item_that_never_was_is_refused(relay):
    """The error asks for the number and the portal."""
    with pytest.raises(SystemExit, match=r"deal/1 was never read from portal main: is the number"):
        past_of(relay).timeline(DEAL)


@pytest.mark.parametrize("text", ["deal", "deal/", "deal/0", "deal/-1", "deal/x", "deal/1/2", ""])
def test_what_is_no_item_is_refused(text):
    """The error shows how an item is written, and which kinds there are."""
    with pytest.raises(SystemExit, match=r"ITEM=deal/662, with one of .*contact"):
        key_of("main", text)


def test_kinds_are_those_of_the_mirror():
    """A smart process has its number; a kind that nobody mirrors is refused."""
    assert key_of("main", "dynamic_130/7") == Key("main", "dynamic_130", 7)
    with pytest.raises(SystemExit, match="the mirror has no kind 'user'"):
        key_of("main", "user/7")


def test_moments_are_dates_times_or_ago():
    """A time without an offset is this machine's; 7d is a week ago."""
    local = datetime(2026, 3, 1, 9, 30).astimezone()
    assert moment_of("2026-03-01T09:30") == local.timestamp()
    assert moment_of("2026-03-01T09:30+00:00") == 1772357400
    assert moment_of("7d") == pytest.approx(time.time() - 7 * 86400, abs=5)
    assert moment_of(" 90 m ") == pytest.approx(time.time() - 5400, abs=5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("yesterday", "no moment"), ("", "no moment"), ("7y", "no moment"), ("2999-01-01", "future")],
)
def test_what_is_no_moment_is_refused(text, reason):
    """The error shows the three ways to write one."""
    with pytest.raises(SystemExit, match=reason):
        moment_of(text)


def test_a_value_too_large_for_the_mirror_is_said_to_be():
    """Of such a value only a digest is kept: the line says so."""
    assert history.text_of({"$sha256": "0" * 64}) == "(too large to be kept)"
    assert history.text_of(None) == "(empty)"
    assert history.text_of([1, "a"]) == '[1, "a"]'

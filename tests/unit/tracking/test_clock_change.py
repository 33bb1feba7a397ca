"""relay.tracking.clock_change: what moves with the portal's clock is no change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from relay.tracking.clock_change import Shift, has_only_moved, moved_form, shift_between
from relay.tracking.difference import change_of
from relay.tracking.row import Key
from tests.pasts import past_of
from tests.tracking_aws import OLD, row

HOUR = timedelta(hours=1)
DEAL, TASK_TYPE, DEAL_TYPE = Key("main", "deal", 1), 0, 2
SUMMER, WINTER = timezone(2 * HOUR), timezone(HOUR)


def in_summer(relay):
    """Fill the mirror from a portal in Berlin, in summer, with a deal and a task of January."""
    relay.portal.zone = SUMMER
    relay.portal.put(
        DEAL_TYPE,
        1,
        title="a",
        closedate="2026-01-15T02:00:00+01:00",
        UF_CRM_DAYS=["2026-07-01T02:00:00+02:00", "2026-01-15T02:00:00+01:00"],
        UF_CRM_CALL="2026-01-15T18:30:00+01:00",
        updatedTime=OLD,
    )
    relay.portal.put(
        TASK_TYPE,
        5,
        title="t",
        createdDate="2026-01-15T10:00:00+02:00",
        deadline="2026-07-15T19:00:00+02:00",
        changedDate=OLD,
    )
    relay.baseline()


def in_winter(relay):
    """Change the clock: the same values as the portal answers them then."""
    relay.portal.zone = WINTER
    relay.portal.items[DEAL_TYPE][1] |= {
        "closedate": "2026-01-15T01:00:00+01:00",
        "UF_CRM_DAYS": ["2026-07-01T01:00:00+02:00", "2026-01-15T01:00:00+01:00"],
    }
    relay.portal.items[TASK_TYPE][5] |= {
        "createdDate": "2026-01-15T10:00:00+01:00",
        "deadline": "2026-07-15T19:00:00+01:00",
    }
    relay.sweep()


def read_all(relay):
    """Read both items for their events; returns the fields that changed, by item."""
    relay.event(1)
    relay.event(5, entity="task", type_id=None)
    return {one["subject"]: one["data"]["changed"] for one in relay.settle()}


def test_days_and_times_of_tasks_that_move_with_the_clock_are_no_change(relay):
    """After the end of daylight saving time nothing is announced of items that nobody edited."""
    in_summer(relay)
    in_winter(relay)
    assert read_all(relay) == {}
    assert read_all(relay) == {}


def test_an_edit_after_the_clock_changed_tells_of_itself_alone(relay):
    """The first edit after the change of the clock names its own fields, a moved day not."""
    in_summer(relay)
    in_winter(relay)
    relay.portal.items[DEAL_TYPE][1] |= {
        "title": "b",
        "UF_CRM_CALL": "2026-01-15T17:30:00+01:00",
        "UF_CRM_DAYS": ["2026-07-02T01:00:00+02:00", "2026-01-15T01:00:00+01:00"],
    }
    relay.portal.items[TASK_TYPE][5]["deadline"] = "2026-07-15T20:00:00+01:00"
    assert read_all(relay) == {
        "deal/1": ["UF_CRM_CALL", "UF_CRM_DAYS", "title"],
        "task/5": ["deadline"],
    }


def test_a_day_that_is_moved_while_the_clock_stays_is_a_change(relay):
    """An edit by an hour counts where the clock did not change, or where it is not known."""
    in_summer(relay)
    relay.portal.items[DEAL_TYPE][1]["closedate"] = "2026-01-15T01:00:00+01:00"
    assert read_all(relay) == {"deal/1": ["closedate"]}
    for stored in relay.dynamo.mirror.values():
        stored.pop("zone")
    in_winter(relay)
    relay.portal.items[DEAL_TYPE][1]["closedate"] = "2026-01-15T00:00:00+01:00"
    assert "closedate" in read_all(relay)["deal/1"]


@pytest.mark.parametrize("zones", [(None, 3600), (3600, None), (None, None)])
def test_a_day_that_moved_by_an_hour_counts_where_a_clock_is_not_known(zones):
    """Rows of older code, and of a portal that was never swept, have no offset."""
    texts = ('{"a":"2026-01-15T00:00:00Z"}', '{"a":"2026-01-15T01:00:00Z"}')
    old, new = (row(text=text, zone=zone) for text, zone in zip(texts, zones, strict=True))
    change = change_of(old, replace(new, seq=2))
    assert change is not None
    assert change.changed == ("a",)


def test_the_past_reaches_behind_a_change_of_the_clock(relay):
    """States before the change of the clock are shown with the times that they had."""
    in_summer(relay)
    relay.portal.items[DEAL_TYPE][1]["title"] = "b"
    read_all(relay)
    in_winter(relay)
    relay.portal.items[DEAL_TYPE][1]["title"] = "c"
    read_all(relay)
    steps = list(past_of(relay).timeline(DEAL).steps())
    titles = [step.after["title"] for step in steps]
    days = [step.after["closedate"] for step in steps]
    assert titles == ["c", "b"]
    assert days == ["2026-01-15T00:00:00Z", "2026-01-15T01:00:00Z"]


def users_clock(relay, hours):
    """Change the clock of the webhook's user alone: all times of all kinds move as one."""
    for kind in relay.portal.items.values():
        for item in kind.values():
            for name, value in item.items():
                if name in TIMES:
                    time = datetime.fromisoformat(value) + hours * HOUR
                    item[name] = time.isoformat()


TIMES = {"createdTime", "UF_CRM_CALL", "createdDate", "deadline"}


@pytest.mark.parametrize("hours", [1, -1, 2])
def test_times_that_move_with_the_clock_of_the_webhooks_user_are_no_change(relay, hours):
    """Since main 26.0.0 all times move where the user has a zone of his own; nobody edited them."""
    in_summer(relay)
    relay.portal.items[DEAL_TYPE][1]["createdTime"] = "2026-01-15T10:00:00+01:00"
    read_all(relay)
    users_clock(relay, hours)
    assert read_all(relay) == {}
    users_clock(relay, -hours)
    relay.portal.items[DEAL_TYPE][1]["UF_CRM_CALL"] = "2026-01-15T18:31:00+01:00"
    relay.portal.items[TASK_TYPE][5]["title"] = "b"
    assert read_all(relay) == {"deal/1": ["UF_CRM_CALL"], "task/5": ["title"]}


def test_the_past_reaches_behind_a_change_of_the_users_clock(relay):
    """States before it are shown with the times that they had; days stay."""
    in_summer(relay)
    relay.portal.items[DEAL_TYPE][1] |= {
        "createdTime": "2026-01-15T10:00:00+01:00",
        "closedate": "2026-07-15T02:00:00+02:00",
        "UF_CRM_DAYS": ["2026-07-01T02:00:00+02:00"],
        "title": "b",
    }
    read_all(relay)
    users_clock(relay, 1)
    relay.portal.items[DEAL_TYPE][1]["title"] = "c"
    read_all(relay)
    steps = [step.after for step in past_of(relay).timeline(DEAL).steps()]
    assert [(one["title"], one["UF_CRM_CALL"], one["closedate"]) for one in steps] == [
        ("c", "2026-01-15T18:30:00Z", "2026-07-15T00:00:00Z"),
        ("b", "2026-01-15T17:30:00Z", "2026-07-15T00:00:00Z"),
    ]


def test_the_past_reaches_behind_a_change_of_the_users_clock_that_his_fields_ignore(relay):
    """A user field without a time zone (`USE_TIMEZONE` N) stays while all other times move."""
    in_summer(relay)
    relay.portal.items[DEAL_TYPE][1] |= {
        "createdTime": "2026-01-15T10:00:00+01:00",
        "begindate": "2026-01-15T12:30:00+01:00",
        "closedate": "2026-07-15T02:00:00+02:00",
        "UF_CRM_DAYS": ["2026-07-01T02:00:00+02:00"],
        "title": "b",
    }
    read_all(relay)
    relay.portal.items[DEAL_TYPE][1] |= {
        "createdTime": "2026-01-15T11:00:00+01:00",
        "begindate": "2026-01-15T13:30:00+01:00",
        "title": "c",
    }
    read_all(relay)
    steps = [step.after for step in past_of(relay).timeline(DEAL).steps()]
    assert [(one["title"], one["begindate"], one["UF_CRM_CALL"]) for one in steps] == [
        ("c", "2026-01-15T12:30:00Z", "2026-01-15T17:30:00Z"),
        ("b", "2026-01-15T11:30:00Z", "2026-01-15T17:30:00Z"),
    ]


@pytest.mark.parametrize("change", [timedelta(0), 3 * HOUR, -3 * HOUR])
def test_only_a_change_of_a_clock_counts(change):
    """An offset, or a time of creation, that moves by more than clocks do moves nothing."""
    before, after = ({"createdTime": moved(change * n)} for n in (0, 1))
    assert not any(shift_between("deal", before, after, change))


def moved(change):
    """Return a day that moved."""
    time = datetime(2026, 1, 15, tzinfo=UTC) + change
    return time.isoformat().replace("+00:00", "Z")


def test_what_is_no_time_stays():
    """Other texts, numbers and times that can't be moved are left as they are."""
    form = {"a": "2026-13-15T00:00:00Z", "b": 1, "c": "x", "d": "0001-01-01T00:00:00Z"}
    form |= {"e": "2026-01-15", "f": "20260115T000000Z"}  # texts of somebody's
    assert moved_form(form, Shift(-HOUR, -HOUR), Shift()) == form
    assert not has_only_moved("x", "y", Shift(HOUR, HOUR))


@pytest.mark.parametrize("change", [timedelta(minutes=30), HOUR, 2 * HOUR])
def test_clocks_change_by_up_to_two_hours(change):
    """The clock of Lord Howe changes by half an hour, that of Troll by two."""
    created = ({"createdTime": moved(change * n)} for n in (0, 1))
    shift = shift_between("deal", *created, change)
    assert shift == Shift(change, change)
    assert has_only_moved(moved(timedelta(0)), moved(change), shift)


def test_lists_move_as_their_values_do():
    """A value that stayed is one that moved too; one more or less is an edit."""
    shift = Shift(times=HOUR)
    one, other = "2026-01-15T10:00:00Z", "2026-01-15T11:00:00Z"
    assert has_only_moved([one, "x"], [other, "x"], shift)
    assert not has_only_moved([one], [other, other], shift)
    for before, after in (([one], other), ([one], None), (None, [one]), (one, "x"), (one, None)):
        assert not has_only_moved(before, after, shift)


def test_a_task_has_no_days():
    """Its deadline at midnight is a time."""
    assert shift_between("task", {}, {}, HOUR) == Shift()


def test_a_time_stays_where_the_clock_of_the_server_alone_changes():
    """Only a day moves with it: a time that is an hour later was edited."""
    shift = Shift(days=HOUR)
    assert has_only_moved("2026-01-15T00:00:00Z", "2026-01-15T01:00:00Z", shift)
    assert not has_only_moved("2026-01-15T10:00:00Z", "2026-01-15T11:00:00Z", shift)


def test_a_day_east_of_greenwich_is_answered_before_midnight():
    """A day that the change of the clock brings back to midnight UTC is a day too."""
    form = {"a": "2026-01-14T23:00:00Z", "b": "2026-01-14T22:00:00Z"}
    assert moved_form(form, Shift(days=HOUR), Shift()) == form | {"a": "2026-01-15T00:00:00Z"}

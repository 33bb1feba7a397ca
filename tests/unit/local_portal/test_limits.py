"""Requests in the leaky bucket, seconds in the baskets."""

import asyncio

import pytest

from local.portal.batch import run_batch
from local.portal.errors import RestError
from local.portal.limits import Baskets, Bucket


def test_bucket_lets_a_burst_through_and_then_the_rate():
    """[limits.md] X=50, Y=2: fifty at once, then two a second; a refused one adds nothing."""
    bucket = Bucket()
    assert sum(bucket.admit(1000.0, 50, 2.0) for _ in range(80)) == 50
    assert bucket.refused == 30
    assert not bucket.admit(1000.4, 50, 2.0)
    assert bucket.admit(1000.5, 50, 2.0)
    assert sum(bucket.admit(1010.5, 50, 2.0) for _ in range(80)) == 20
    assert sum(bucket.admit(2000.0, 50, 2.0) for _ in range(80)) == 50


def test_baskets_leave_ten_minutes_after_their_first_call():
    """[limits.md] One-minute baskets; the sum may stay above zero when the oldest leaves."""
    baskets = Baskets()
    baskets.add(0, 100)
    baskets.add(59, 50)
    baskets.add(61, 7)
    assert baskets.total(599) == 157
    assert baskets.reset_at(599) == 600
    assert baskets.total(600) == 7
    assert baskets.reset_at(600) == 661


def test_the_call_that_crosses_the_limit_still_runs(desk):
    """[limits.md] The next one gets 429; other methods and other webhooks go on."""
    desk.portal.settings.change({"operating_limit": 10, "operating_cost": 6})
    for _ in range(2):
        block = desk.answer("crm.deal.get", id=1)["time"]
    assert block["operating"] >= 12
    assert block["operating_reset_at"] > block["finish"]
    error = desk.refusal("crm.deal.get", id=1)
    assert (error.code, error.status) == ("OPERATION_TIME_LIMIT", 429)
    assert desk.call("crm.item.get", entityTypeId=2, id=1)
    desk.portal.clock.skew_seconds = 601
    assert desk.call("crm.deal.get", id=1)


def run(desk, *commands):
    """Run a batch."""
    return asyncio.run(run_batch(desk.portal, desk.webhook, {"cmd": list(commands)}))


def test_inner_methods_are_charged_where_the_documentation_says_so(desk):
    """[limits.md] The outer `batch` counts nothing; 429 stands inside `result_error`."""
    desk.portal.settings.change({"operating_limit": 10, "operating_cost": 6})
    answer = run(desk, *["crm.deal.get?id=1"] * 3, "server.time")
    assert answer["time"]["operating"] == 0
    assert answer["result"]["result_time"]["0"]["operating"] >= 6
    assert answer["result"]["result_error"]["2"]["error"] == "OPERATION_TIME_LIMIT"
    assert "3" in answer["result"]["result"]


def test_batch_itself_is_charged_where_it_was_measured_so(desk):
    """[JS PR 539] Inner methods stay at 0, inner values repeat the figure of `batch`."""
    desk.portal.settings.change(
        {"operating_limit": 10, "operating_cost": 6, "batch_accounting": "batch"}
    )
    answer = run(desk, *["crm.deal.get?id=1"] * 3)
    assert answer["result"]["result_error"] == []
    assert answer["time"]["operating"] >= 18
    assert desk.portal.operating.of(desk.webhook.secret, "crm.deal.get").total(0) == 0
    with pytest.raises(RestError, match="OPERATION_TIME_LIMIT"):
        run(desk, "server.time")
    assert desk.call("crm.deal.get", id=1)


def test_short_calls_are_not_charged_above_a_floor(desk):
    """[JS PR 539] Only calls above about 0.1 s register."""
    desk.portal.settings.operating_floor = 0.1
    assert desk.answer("crm.deal.get", id=1)["time"]["operating"] == 0


def test_operating_may_be_absent(desk):
    """[REC, JS issue 459] Older portals leave both members out."""
    desk.portal.settings.operating_shown = False
    assert set(desk.answer("server.time")["time"]) == {
        *("start", "finish", "duration", "processing", "date_start", "date_finish"),
    }

"""relay.reactions.order_summary: which methods it calls, with what."""

import asyncio
from dataclasses import replace

from relay.portal.fake import FakePortal
from relay.reactions.order_summary import order_summary
from tests.samples import load

WON = load("sqs_deal_won")


def comments(sample, answers=None):
    """Return the comments that a Change leads to."""
    portal = FakePortal({"crm.timeline.comment.add": 1} | (answers or {}))
    asyncio.run(order_summary(sample, portal))
    return [
        params["fields"]["COMMENT"].splitlines()
        for method, params in portal.calls
        if method == "crm.timeline.comment.add"
    ]


def test_the_rows_of_a_won_deal_are_listed_with_their_total():
    """Each row has a line with quantity, product and price; the last line is the total."""
    lines = ["10 x Chair, 140.00 each", "1 x Delivery, 100.00 each", "Total: 1500.00 EUR"]
    assert comments(WON) == [lines]


def test_a_deal_without_rows_gets_no_comment():
    """A deal without product rows, or whose rows are not read, is left alone."""
    assert comments(load("sqs_deal_born_won")) == []


def test_rows_that_did_not_fit_are_read():
    """If the Change has no room for its rows, they are read; fifty of them are listed."""
    rows = [{"productName": f"P{n}", "price": 1, "quantity": 2} for n in range(60)]
    sample = replace(WON, truncated=("productRows",), after={**WON.after, "productRows": None})
    answers = {"crm.item.productrow.list": {"productRows": rows}}
    (lines,) = comments(sample, answers)
    assert len(lines) == 52
    assert lines[-2:] == ["and 10 more", "Total: 120.00 EUR"]

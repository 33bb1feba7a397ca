"""Parts of items that other methods return, from the portal to the Change."""

import asyncio

import pytest

from relay.errors import OperatorError, PermanentError, TransientError
from relay.portal.fake import FakePortal
from relay.tracking import difference, part_read
from relay.tracking.difference import change_of
from relay.tracking.parts import PRODUCTS, STEPS
from relay.tracking.row import CONTENT_BYTES, Key
from relay.tracking.steps import MOST_STEPS, Step, StepLog
from tests.parts_portal import at
from tests.tracking_aws import OLD, changes, event_message, metric, row

TEA = {"productName": "Tea", "price": 10.0, "quantity": 1}
CUP = {"productName": "Cup", "price": "5.50", "quantity": 2, "taxRate": None, "productId": 0}
HISTORY, ROWS = "crm.stagehistory.list", "crm.item.productrow.list"


@pytest.fixture
def deals(whole):
    """Return the handlers with three deals in the mirror."""
    for number in (1, 2, 3):
        whole.portal.put(2, number, title="a", stageId="NEW", updatedTime=OLD)
        whole.portal.step(2, number, "NEW")
    whole.baseline()
    return whole


def edit(relay, number=1, **fields):
    """Let a deal be edited, and its event arrive."""
    relay.portal.put(2, number, **fields)
    relay.event(number)


def announced(relay):
    """Let everything be handled; returns the Changes."""
    return changes(relay.settle())


def test_the_steps_in_between_are_told(deals):
    """A deal that is won and reopened between two readings has passed WON."""
    for second, stage in enumerate(("PREPARATION", "WON", "NEW"), 1):
        deals.portal.move(2, 1, stage, second)
    deals.event(1)
    (change,) = announced(deals)
    assert change.passed == ("PREPARATION", "WON", "NEW")
    assert change.steps[1] == {
        "stageId": "WON",
        "categoryId": 0,
        "at": "2026-03-01T09:00:02Z",
    }
    assert change.changed == ()
    deals.event(1)
    assert announced(deals) == []


def test_steps_that_were_told_are_not_read_again(deals):
    """A further move asks the portal for all steps but those that the row knows."""
    deals.portal.calls.clear()
    for second, stage in enumerate(("PREPARATION", "WON"), 1):
        deals.portal.move(2, 1, stage, second)
        deals.event(1)
        assert [change.passed for change in announced(deals)] == [(stage,)]
    asked = [params["filter"] for method, params in deals.portal.calls if method == HISTORY]
    assert [one.get("!@ID") for one in asked] == [None, [4]]


def test_a_change_that_moved_nowhere_has_no_steps(deals):
    """Steps and passed are empty where no move is known."""
    edit(deals, title="b")
    (change,) = announced(deals)
    assert (change.steps, change.passed) == ((), ())


def test_a_new_item_whose_history_was_never_read_has_no_log(whole):
    """An item whose steps are refused before any sweep has read the history notes none of them."""
    whole.portal.refusals[HISTORY] = PermanentError(HISTORY, "ACCESS_DENIED")
    whole.portal.put(2, 9, title="a")
    whole.event(9, "add")
    (change,) = announced(whole)
    assert (change.action, change.steps) == ("added", ())
    assert "step_log" not in whole.dynamo.mirror["main/deal", 9]


def test_a_deletion_has_no_steps(deals):
    """A move that nobody announced before the item was deleted is no part of the deletion."""
    deals.portal.move(2, 1, "WON", 1)
    del deals.portal.items[2][1]
    deals.event(1, "delete")
    (change,) = announced(deals)
    assert (change.action, change.steps) == ("deleted", ())


def test_a_new_item_tells_all_its_steps(deals):
    """An addition tells every move since the item was made."""
    deals.portal.move(2, 4, "NEW", 1)
    deals.portal.move(2, 4, "WON", 2)
    deals.event(4, "add")
    (change,) = announced(deals)
    assert (change.action, change.passed) == ("added", ("NEW", "WON"))


def test_more_steps_than_a_page_has_are_told(deals):
    """A hundred and twenty moves between two readings are all announced, in order."""
    for second in range(1, 121):
        deals.portal.move(2, 1, f"S{second}", second)
    deals.event(1)
    (change,) = announced(deals)
    assert change.passed == tuple(f"S{second}" for second in range(1, 121))


def test_steps_take_their_room_from_the_content(deals):
    """The row of a huge item with many steps keeps below the table's limit: content is left out."""
    for second in range(1, 121):
        deals.portal.move(2, 1, f"S{second}" + "x" * 200, second)
    edit(deals, **{f"ufCrm{number}": "y" * 9_000 for number in range(42)})
    deals.settle()
    stored = deals.dynamo.stream[-1]["dynamodb"]["NewImage"]
    assert len(stored["steps"]["S"]) > 20_000
    assert len(stored["content"]["S"]) + len(stored["steps"]["S"]) <= CONTENT_BYTES


def test_product_rows_are_a_field(deals):
    """Rows are told in order and canonical, whatever the portal's spelling, and row by row."""
    deals.portal.set_rows(2, 1, TEA, CUP)
    edit(deals, opportunity=21)
    (change,) = announced(deals)
    assert change.changed == ("opportunity", "productRows")
    assert change.after["productRows"] == [
        {"id": 1, "sort": 10, "productName": "Tea", "price": 10, "quantity": 1},
        {"id": 2, "sort": 20, "productName": "Cup", "price": 5.5, "quantity": 2},
    ]
    deals.portal.set_rows(2, 1, TEA | {"price": 12.0}, CUP)
    edit(deals, opportunity=23)
    (change,) = announced(deals)
    assert [one.fields for one in change.row_changes.changed] == [("price",)]
    assert not change.row_changes.added
    del deals.portal.rows[2, 1]
    edit(deals, opportunity=None)
    (change,) = announced(deals)
    assert change.after["productRows"] is None
    assert len(change.row_changes.removed) == 2


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"discountTypeId": 2, "discountRate": 10.5}, {"discountRate": "10.25"}, ["discountRate"]),
        ({"taxRate": None, "taxIncluded": "N"}, {"taxRate": 0}, ["taxRate"]),
        ({"taxRate": 20, "priceNetto": 10}, {"taxRate": 20.0, "priceNetto": "12.00"}, []),
        ({"quantity": 0.125}, {"quantity": "0.125"}, []),
        ({"quantity": 0.125}, {"quantity": 0.1251}, ["quantity"]),
        ({"id": 7, "productId": 7}, {"productId": 0}, ["productId"]),  # the product was deleted
        ({"productId": 7}, {"productId": "7"}, []),
        ({"id": 7, "ownerId": 1}, {"id": "7", "ownerId": "1"}, []),
    ],
)
def test_taxes_discounts_fractions_and_deleted_products_are_told_exactly(
    deals, before, after, fields
):
    """The fields of a row that differ are told, and another spelling of a value is none."""
    deals.portal.set_rows(2, 1, TEA | before)
    edit(deals, opportunity=1)
    announced(deals)
    deals.portal.set_rows(2, 1, TEA | before | after)
    edit(deals, opportunity=2)
    (change,) = announced(deals)
    assert [one.fields for one in change.row_changes.changed] == [tuple(fields)] * bool(fields)
    assert not change.row_changes.added
    assert not change.row_changes.removed


def test_a_history_that_was_erased_at_a_change_of_funnel_tells_the_new_row_alone(deals):
    """Old portals erase an item's history when it changes its funnel; a removed stage is told."""
    deals.portal.move(2, 1, "PREPARATION", 1)
    deals.event(1)
    announced(deals)
    deals.portal.history.clear()
    deals.portal.put(2, 1, categoryId=9)
    deals.portal.move(2, 1, "C9:GONE", 2)["row"]["CATEGORY_ID"] = "9"
    deals.event(1)
    (change,) = announced(deals)
    assert [(one["stageId"], one["categoryId"]) for one in change.steps] == [("C9:GONE", 9)]


def test_rows_with_new_ids_alone_are_no_change(deals):
    """Setting the same rows again announces nothing."""
    deals.portal.set_rows(2, 1, TEA)
    edit(deals, opportunity=10)
    assert len(announced(deals)) == 1
    deals.portal.set_rows(2, 1, TEA)
    deals.event(1)
    assert announced(deals) == []


def test_more_rows_than_a_page_has_are_read(deals):
    """A deal with 500 product rows has all of them in its Change."""
    deals.portal.set_rows(2, 1, *({"productName": f"P{n}", "price": n} for n in range(500)))
    edit(deals, opportunity=1)
    (change,) = announced(deals)
    assert len(change.after["productRows"]) == 500


@pytest.mark.parametrize("code", ["ACCESS_DENIED", "ERROR_METHOD_NOT_FOUND"])
def test_refused_rows_are_unread_not_removed(deals, capsys, code):
    """Without the right to rows the fields are told; the rows come back without a Change."""
    deals.portal.set_rows(2, 1, TEA)
    edit(deals, opportunity=10)
    announced(deals)
    deals.portal.refusals[ROWS] = PermanentError(ROWS, code)
    edit(deals, title="b")
    (change,) = announced(deals)
    assert change.changed == ("title",)
    assert "productRows" not in change.after
    assert metric(capsys, "parts_unread") == 1
    del deals.portal.refusals[ROWS]
    deals.portal.set_rows(2, 1, TEA, CUP)
    edit(deals, title="c")
    (change,) = announced(deals)
    assert change.changed == ("title",)
    assert len(change.after["productRows"]) == 2
    assert metric(capsys, "parts_unread") == 0


@pytest.mark.parametrize("method", [ROWS, HISTORY])
def test_a_part_that_fails_for_now_holds_its_item(deals, method):
    """If only the command of a part fails, the item's hint comes back, and nothing is told yet."""
    deals.portal.move(2, 1, "WON", 1)
    deals.portal.set_rows(2, 1, TEA)
    deals.event(1)
    deals.portal.refusals[method] = TransientError(method, "QUERY_LIMIT_EXCEEDED")
    assert announced(deals) == []
    del deals.portal.refusals[method]
    (change,) = announced(deals)
    assert change.passed == ("WON",)
    assert change.changed == ("productRows", "stageId")


def test_a_scope_that_is_missing_for_a_part_leaves_it_unread(deals):
    """If the portal names a scope for the rows alone, the item is told without them."""
    deals.portal.refusals[ROWS] = OperatorError(ROWS, "insufficient_scope")
    edit(deals, title="b")
    assert [change.changed for change in announced(deals)] == [("title",)]


def test_a_refused_history_is_told_when_it_is_back(deals):
    """Steps that could not be read are told by a later reading."""
    deals.portal.move(2, 1, "WON", 1)
    deals.event(1)
    deals.portal.refusals[HISTORY] = PermanentError(HISTORY, "ACCESS_DENIED")
    (change,) = announced(deals)
    assert (change.changed, change.passed) == (("stageId",), ())
    del deals.portal.refusals[HISTORY]
    deals.event(1)
    (change,) = announced(deals)
    assert (change.changed, change.passed) == ((), ("WON",))


def test_a_webhook_that_may_not_read_item_1_asks_for_single_owners(deals):
    """Where arrays of owners are refused, each item is asked for, and no array again."""
    deals.portal.no_arrays = True
    for number in (1, 2):
        deals.portal.set_rows(2, number, TEA)
        edit(deals, number, opportunity=10)
    assert [change.changed for change in announced(deals)] == [("opportunity", "productRows")] * 2
    deals.portal.calls.clear()
    for number in (1, 2):
        edit(deals, number, title="b")
    announced(deals)
    asked = [params["filter"]["=ownerId"] for name, params in deals.portal.calls if name == ROWS]
    assert asked == [1, 2]


@pytest.mark.parametrize("code", ["OWNER_NOT_FOUND", "ACCESS_DENIED"])
def test_an_owner_that_is_gone_costs_no_other_its_rows(deals, code):
    """A deleted item among several, or one without its rows, leaves the others their rows."""
    deals.portal.set_rows(2, 1, TEA)
    answer = deals.portal.answer

    def strict(method, params):
        asked = params.get("filter", {}).get("=ownerId") if method == ROWS else None
        if asked == 2 or isinstance(asked, list):
            raise PermanentError(ROWS, code)
        return answer(method, params)

    deals.portal.answer = strict
    edit(deals, 1, title="b")
    edit(deals, 2, title="b")
    assert {c.id: c.changed for c in announced(deals)} == {
        "1": ("productRows", "title"),
        "2": ("title",),
    }


def test_rows_of_older_code_are_filled_in_quietly(whole, monkeypatch):
    """Parts that are switched on later come without a Change, and are told from then on."""
    monkeypatch.setenv("PARTS", "none")
    whole.portal.move(2, 1, "NEW")
    whole.portal.set_rows(2, 1, TEA)
    whole.baseline()
    monkeypatch.setenv("PARTS", "steps,products")
    assert whole.sweep() == {"main": "done"}
    assert whole.settle() == []
    assert whole.dynamo.mirror["main/deal", 1]["parts"] == {"S": "products steps"}
    assert whole.sweep() == {"main": "done"}
    assert not whole.queues.messages["https://sqs.test/track"]
    whole.portal.move(2, 1, "WON", 5)
    whole.portal.set_rows(2, 1, TEA, CUP)
    whole.event(1)
    (change,) = announced(whole)
    assert change.changed == ("productRows", "stageId")
    assert change.passed == ("WON",)


def test_a_kind_has_the_parts_that_its_portal_offers(whole):
    """Leads have a status as their step, quotes have rows only, contacts neither."""
    for kind in (1, 3, 7):
        whole.portal.put(kind, 1, title="a", updatedTime=OLD)
    whole.baseline()
    whole.portal.step(1, 1, "CONVERTED", 1)
    whole.portal.set_rows(7, 1, TEA)
    for name, entity, kind in (
        ("ONCRMLEADUPDATE", "lead", 1),
        ("ONCRMCONTACTUPDATE", "contact", 3),
        ("ONCRMQUOTEUPDATE", "quote", 7),
    ):
        whole.portal.put(kind, 1, title="b")
        whole.send(event_message(name, 1, "update", entity=entity, type_id=kind))
    found = {change.entity: change for change in announced(whole)}
    assert [step["stageId"] for step in found["lead"].steps] == ["CONVERTED"]
    assert found["quote"].changed == ("productRows", "title")
    assert found["contact"].changed == ("title",)


def test_a_part_that_one_version_lacks_is_no_difference():
    """Only what was read for both versions is compared."""
    rows = '{"productRows":[{"id":1}]}'
    whole = {"parts": frozenset({PRODUCTS, STEPS})}
    old, new = row(extra=rows, **whole), row(seq=2, **whole)
    assert change_of(old, new).changed == ("productRows",)
    assert change_of(row(extra=rows), new) is None
    assert change_of(old, row(seq=2)) is None


def test_steps_that_do_not_fit_are_named(monkeypatch):
    """A Change that is too large without its steps says so; the stages passed stay."""
    moves = tuple(Step(n, f"S{n % 9}", 0, at(n)) for n in range(MOST_STEPS - 1))
    version = row(seq=2, steps=moves)
    assert change_of(row(), version).truncated == ()
    assert change_of(row(), row(seq=2, steps=(*moves, moves[0]))).truncated == ("steps",)
    monkeypatch.setattr(difference, "CHANGE_BYTES", 20_000)
    change = change_of(row(), version)
    assert (change.steps, change.truncated) == ((), ("steps",))
    assert len(change.passed) == 9


def test_items_of_one_command_are_read_from_the_lowest_floor_on():
    """Steps above the floor of one item and below another's are read too, and told ones are not."""
    portal = FakePortal({HISTORY: {"items": []}})
    logs = {Key("main", "deal", 1): StepLog(5), Key("main", "deal", 2): StepLog(9, (12,))}
    asyncio.run(part_read._fetch_steps(portal, logs, list(logs)))  # noqa: SLF001
    ((_, asked),) = portal.calls
    assert asked["filter"] == {"@OWNER_ID": [1, 2], ">ID": 5, "!@ID": [12]}

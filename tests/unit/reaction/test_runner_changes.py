"""relay.reaction with changes: their order, what is known of them, and what hangs."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from relay import settings
from relay.change import Change, Fields
from relay.echo.ledger import BUDGET
from relay.errors import ConfigurationError, OperatorError, PermanentError, TransientError
from relay.portal import Portal
from relay.portal.fake import FakePortal
from relay.portal_clients import PortalClients
from relay.reaction import Reaction, reaction
from relay.reaction.runner import RESERVE_SECONDS
from relay.state_table import StateTable
from tests.unit.reaction.test_runner import batch_of, handle, sqs  # noqa: F401  its queue and its batches

CHANGE = Change(
    change_id="main.deal.5.b.2",
    portal="main",
    entity="deal",
    entity_type_id=2,
    id="5",
    action="updated",
    version=2,
    time="2026-03-01T12:00:00.000+00:00",
    changed=("title",),
    before=Fields(title="a"),
    after=Fields(title="b"),
)
SOON = RESERVE_SECONDS + 0.1


def version(number, item="5"):
    """Return a later change, or another item's."""
    return replace(CHANGE, change_id=f"main.deal.{item}.b.{number}", version=number, id=item)


@pytest.fixture
def portal(monkeypatch, sqs):  # noqa: F811  the fixture
    """Return the portal that reactions get."""
    fake = FakePortal()
    fake.webhook = type("Webhook", (), {"host": "main.bitrix24.com", "user_id": 1})
    monkeypatch.setattr(PortalClients, "get", lambda *_: fake)
    fake.sqs = sqs
    return fake


def noting(seen):
    """Return a reaction that notes what it gets."""

    @reaction
    async def note(change: Change) -> None:
        """Note it."""
        await asyncio.sleep(0.01 / change.version)
        seen.append(change)

    return note


def test_changes_of_one_item_run_in_their_order(portal):
    """Another item's do not wait for them."""
    seen = []
    changes = [version(3), version(2), version(9, "6"), version(4)]
    assert handle(noting(seen), *(its.to_json() for its in changes)) == []
    assert [its.version for its in seen if its.id == "5"] == [2, 3, 4]
    assert seen[0].id == "6"
    assert not portal.sqs.sent


def test_a_change_older_than_a_handled_one_says_so(portal):
    """Order across batches is not promised, but a reaction can tell; a new mirror begins anew."""
    seen = []
    note = noting(seen)
    for its in (version(3), version(2), version(4), replace(CHANGE, change_id="main.deal.5.c.1")):
        assert handle(note, its.to_json()) == []
    assert [its.superseded for its in seen] == [False, True, False, False]
    assert not portal.sqs.sent


@pytest.mark.parametrize(
    ("entity", "number", "path"),
    [
        ("deal", 2, "/crm/deal/details/5/"),
        ("quote", 7, "/crm/type/7/details/5/"),
        ("dynamic_128", 128, "/crm/type/128/details/5/"),
        ("task", None, "/company/personal/user/0/tasks/task/view/5/"),
    ],
)
def test_a_change_knows_its_items_page(portal, entity, number, path):
    """For a message to a person; a change that no reaction got knows no host."""
    seen = []
    change = replace(CHANGE, entity=entity, entity_type_id=number)
    handle(noting(seen), change.to_json())
    assert seen[0].portal_url == f"https://main.bitrix24.com{path}"
    assert change.portal_url == ""
    assert not portal.sqs.sent


def test_a_reaction_without_a_portal_needs_no_webhook(monkeypatch, portal):
    """Its changes have no address then."""

    def missing(*_):
        raise ConfigurationError("no URL")

    monkeypatch.setattr(PortalClients, "get", missing)
    seen = []
    assert handle(noting(seen), CHANGE.to_json()) == []
    assert seen[0].portal_url == ""
    assert not portal.sqs.sent


def test_a_double_in_one_batch_is_handled_from_the_record(portal, capsys):
    """Two messages with one change make one write."""
    portal._answers["im.notify.system.add"] = 1  # noqa: SLF001  as the constructor does

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE=change.id)

    assert handle(tell, CHANGE.to_json(), CHANGE.to_json()) == []
    assert len(portal.calls) == 1
    out = capsys.readouterr().out
    assert '"replayed":[1.0]' in out
    assert '"change_id":"main.deal.5.b.2","subject":"deal/5","portal":"main"' in out


def test_a_loop_waits_for_the_hours_end_and_is_told(portal, monkeypatch, capsys):
    """Somebody answers each write of ours: the budget stops it, with a metric for the alarm."""
    clock = [1_772_366_400.0]  # an hour begins
    monkeypatch.setattr("relay.reaction.write_notes.time.time", lambda: clock[0])
    portal._answers["crm.item.update"] = {"item": {}}  # noqa: SLF001

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        title = {"title": f"{change.version}"}
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields=title)

    for number in range(BUDGET):
        assert handle(tidy, version(number).to_json()) == []
    clock[0] += 600
    stopped = version(BUDGET + 1).to_json()
    assert handle(tidy, stopped) == ["m0"]
    assert len(portal.calls) == BUDGET
    out = capsys.readouterr().out
    assert '"loops":[1.0]' in out
    assert "tidy has written to deal 5 30 times within an hour" in out
    assert 3000 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 3151
    assert handle(tidy, version(1, "6").to_json()) == []
    assert len(portal.calls) == BUDGET + 1
    clock[0] += 3000
    assert handle(tidy, stopped) == []
    assert len(portal.calls) == BUDGET + 2
    assert not portal.sqs.sent


NOT_SENT = [
    TransientError("m", "NOT_CONNECTED", retry_after=15),
    TransientError("m", "NO_SLOT", retry_after=40),
    TransientError("m", "QUERY_LIMIT_EXCEEDED"),
    TransientError("m", "OPERATION_TIME_LIMIT"),
    TransientError("m", "NO_TIME", retry_after=0),
    OperatorError("m", "OVERLOAD_LIMIT"),
    PermanentError("m", "ACCESS_DENIED"),
]
LOST = [TransientError("m", "NO_ANSWER", retry_after=15), PermanentError("m", "ANSWER_TOO_LARGE")]


def budget_of(table, reaction="tidy"):
    """Return the number of writes that count in the hours of a table."""
    rows = [row for key, row in table.rows.items() if key.startswith("echo#")]
    return [len(row.get(f"sent {reaction}", {"SS": []})["SS"]) for row in rows]


@pytest.mark.parametrize("error", [*NOT_SENT, *LOST])
def test_only_what_was_sent_counts_and_only_once(portal, error):
    """A write that did not leave uses up nothing; one whose answer was lost counts once."""
    portal._answers["crm.item.update"] = error  # noqa: SLF001

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})

    for _ in range(BUDGET + 2):
        handle(tidy, CHANGE.to_json())
    assert len(portal.calls) == BUDGET + 2
    assert budget_of(portal.sqs.table) == [int(error in LOST)]
    portal._answers["crm.item.update"] = {"item": {}}  # noqa: SLF001
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [1]


def test_a_mark_that_can_not_be_taken_back_is_the_next_tries(portal):
    """Without the table at the wrong moment the write still counts once."""
    table = portal.sqs.table

    def update(**_):
        table.trouble["TransactWriteItems"] = ClientError({"Error": {"Code": "X"}}, "Transact")
        raise NOT_SENT[0]

    portal._answers["crm.item.update"] = update  # noqa: SLF001

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})

    for _ in range(3):
        assert handle(tidy, CHANGE.to_json()) == ["m0"]
        assert budget_of(table) == [1]
        table.trouble.clear()
    portal._answers["crm.item.update"] = {"item": {}}  # noqa: SLF001
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(table) == [1]


@pytest.mark.parametrize("before", [0, 10, BUDGET])
def test_of_writes_that_are_noted_together_as_many_pass_as_fit(portal, monkeypatch, before):
    """A hundred changes of deals that all write to their company at once get 30 writes an hour."""
    clock = [1_772_366_400.0]
    monkeypatch.setattr("relay.reaction.write_notes.time.time", lambda: clock[0])
    portal._answers["crm.item.update"] = {"item": {}}  # noqa: SLF001

    @reaction
    async def total(change: Change, portal: Portal) -> None:
        """Write to the company of a deal."""
        await portal.call("crm.item.update", entityTypeId=4, id=1, fields={"title": change.id})

    if before:
        handle(total, *(version(2, f"1{number}").to_json() for number in range(before)))
    bodies = [version(2, f"2{number}").to_json() for number in range(100)]
    back = handle(total, *bodies)
    assert len(portal.calls) == BUDGET
    assert len(back) == 100 - (BUDGET - before)
    clock[0] += 3600
    assert len(handle(total, *(bodies[int(name[1:])] for name in back))) == len(back) - BUDGET
    assert budget_of(portal.sqs.table, "total") == [BUDGET, BUDGET]
    assert not portal.sqs.sent


def test_each_write_of_a_record_counts(portal):
    """Equal writes of one record are several, those of a batch too."""
    portal._answers |= {"crm.item.update": {"item": {}}}  # noqa: SLF001
    update = {"entityTypeId": 2, "id": 5, "fields": {"title": "x"}}

    @reaction
    async def tidy(_change: Change, portal: Portal) -> None:
        """Write four times."""
        await portal.call("crm.item.update", **update)
        await portal.call("crm.item.update", **update)
        await portal.batch(dict.fromkeys("ab", ("crm.item.update", update)))

    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [4]
    assert handle(tidy, CHANGE.to_json()) == []
    assert budget_of(portal.sqs.table) == [4]


def test_a_handled_record_whose_row_is_not_stored_in_time_comes_back(portal, monkeypatch, capsys):
    """Acknowledged without its row, a second delivery would do it all again."""
    monkeypatch.setattr("relay.reaction.runner.RESERVE_SECONDS", 0.2)
    portal._answers["crm.item.update"] = {"item": {}}  # noqa: SLF001
    slow = {}

    @reaction
    async def tidy(change: Change, portal: Portal) -> None:
        """Write to the item that changed."""
        await portal.call("crm.item.update", entityTypeId=2, id=change.id, fields={"title": "x"})
        slow["store"] = slow["seconds"]

    write = StateTable.write

    async def write_slowly(self, request):
        await asyncio.sleep(slow.pop("store", 0))
        await write(self, request)

    monkeypatch.setattr(StateTable, "write", write_slowly)
    slow["seconds"] = 9
    assert handle(tidy, CHANGE.to_json(), seconds=0.3) == ["m0"]
    assert not portal.sqs.sent
    assert '"handled":[1.0]' not in capsys.readouterr().out
    slow["seconds"] = 0.15  # after the time for reactions, within what is kept for storing
    other = version(3, "6").to_json()
    assert handle(tidy, other, seconds=0.3) == []
    assert handle(tidy, other) == []
    assert [call["id"] for _, call in portal.calls] == ["5", "6"]


@pytest.mark.parametrize(
    ("code", "sent", "calls"),
    [("UNDECIDED", 2**42, 2), ("UNDECIDED", 0, 1), ("NOT_FOUND", 2**42, 1), (None, 2**42, 1)],
)
def test_a_dead_letter_that_was_sent_back_says_what_was_decided(
    portal, monkeypatch, code, sent, calls
):
    """Only one that asked for a decision bears one, and only on what was sent before it."""
    portal.fail("im.notify.system.add", "MayHaveRunError")

    @reaction
    async def tell(_change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=1, MESSAGE="x")

    assert handle(tell, CHANGE.to_json()) == []
    batch = batch_of(CHANGE.to_json())
    batch["Records"][0]["attributes"]["SentTimestamp"] = str(sent)
    if code:
        said = {"reason": "it", "code": code}
        attributes = {
            name: {"stringValue": its, "dataType": "String"} for name, its in said.items()
        }
        batch["Records"][0]["messageAttributes"] = attributes
    real = time.time
    monkeypatch.setattr("relay.reaction.runner.time.time", lambda: real() + 1000)
    tell.handler(batch, type("C", (), {"get_remaining_time_in_millis": lambda: 60_000}))
    assert len(portal.calls) == calls
    assert len(portal.sqs.sent) == 2


def test_waiting_uses_up_no_attempt(portal):
    """However often a record had to wait, its first real failure is its first."""
    errors = [ZeroDivisionError()]

    @reaction
    async def fails(_change: Change) -> None:
        """Fail as told."""
        raise errors[0]

    batch = batch_of(CHANGE.to_json())
    batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = "900"
    context = type("C", (), {"get_remaining_time_in_millis": lambda: 60_000})
    for number in range(5):
        answer = fails.handler(batch, context)
        assert bool(answer["batchItemFailures"]) is (number < 4)
    (dead,) = portal.sqs.sent
    assert dead["MessageAttributes"]["error"]["StringValue"] == "ZeroDivisionError"


def hanging(heeds):
    """Return a reaction that never returns."""

    async def hang(change: Change, _portal: Portal) -> None:
        """Hang for one item."""
        while change.id == "5":
            if heeds:
                await asyncio.Event().wait()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)

    return Reaction(hang)


@pytest.mark.usefixtures("portal")
@pytest.mark.parametrize("heeds", [True, False])
def test_a_reaction_that_hangs_harms_no_other(monkeypatch, capsys, heeds):
    """It is cancelled, and left where it does not heed that; a chain behind it comes back."""
    monkeypatch.setattr("relay.reaction.runner.RESERVE_SECONDS", 0.05)
    bodies = [version(2).to_json(), version(3).to_json(), version(2, "6").to_json()]
    assert handle(hanging(heeds), *bodies, seconds=0.2) == ["m0", "m1"]
    out = capsys.readouterr().out
    assert '"error":"HungError","reason":"hang did not return' in out
    assert '"error":"TransientError","reason":"hang: NO_TIME' in out
    assert '"handled":[1.0]' in out


@pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit])
def test_what_is_no_exception_ends_only_its_record(portal, capsys, raised):
    """Not one that a reaction cancelled itself, nor `sys.exit`: nothing is taken for handled."""

    @reaction
    async def quit_one(change: Change) -> None:
        """Quit."""
        if change.id == "5":
            raise raised

    bodies = [version(2).to_json(), version(3).to_json(), version(2, "6").to_json()]
    assert handle(quit_one, *bodies) == ["m0", "m1"]
    out = capsys.readouterr().out
    assert f'"reason":"quit_one raised {raised.__name__}"' in out
    assert '"handled":[1.0]' in out
    assert not portal.sqs.sent


def test_a_record_that_was_not_run_is_never_taken_for_handled(portal, monkeypatch):
    """Whatever went wrong around it."""

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("relay.reaction.batch_store.BatchStore.store", broken)
    seen = []
    assert handle(noting(seen), version(2).to_json(), version(3).to_json()) == ["m1"]
    assert not portal.sqs.sent


def test_a_reaction_that_holds_the_thread_is_stopped(portal, monkeypatch, capsys):
    """No loop runs meanwhile, so nothing else could; the others come back at once."""
    monkeypatch.setattr("relay.reaction.runner.RESERVE_SECONDS", 0.4)
    monkeypatch.setattr("relay.reaction.runner.GRACE_SECONDS", 0.05)

    @reaction
    async def block(change: Change) -> None:
        """Block for one item."""
        if change.id == "5":
            time.sleep(9)  # noqa: ASYNC251  the mistake

    bodies = [version(2, "6").to_json(), version(2).to_json()]
    assert handle(block, *bodies, seconds=0.5) == ["m1"]
    out = capsys.readouterr().out
    assert '"error":"HungError","reason":"block holds the thread; what waits without' in out
    assert '"handled":[1.0]' in out
    assert not portal.sqs.sent


def test_what_waits_for_a_call_when_time_is_over_does_not_hang(portal):
    """It comes back soon, and it is no failure."""

    async def never(**_params):
        await asyncio.Event().wait()

    portal.call = lambda _method, **params: never(**params)

    @reaction
    async def wait(_change: Change, its: Portal) -> None:
        """Wait for a reading."""
        await its.call("crm.item.get", entityTypeId=2, id=5)

    assert handle(wait, CHANGE.to_json(), seconds=SOON) == ["m0"]
    assert 12 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 16


def test_a_write_that_never_ends_holds_up_no_other(portal, monkeypatch):
    """Its record comes back; who gets it next waits for the lease."""
    monkeypatch.setattr("relay.reaction.runner.RESERVE_SECONDS", 0.2)

    async def call(_method, **params):
        while params["USER_ID"] == "5":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)

    portal.call = call

    @reaction
    async def tell(change: Change, portal: Portal) -> None:
        """Tell somebody."""
        await portal.call("im.notify.system.add", USER_ID=change.id, MESSAGE="x")

    bodies = [CHANGE.to_json(), version(2, "6").to_json()]
    assert handle(tell, *bodies, seconds=0.4) == ["m0"]
    portal.sqs.hidden.clear()
    assert handle(tell, CHANGE.to_json()) == ["m0"]
    assert 30 <= portal.sqs.hidden[0]["VisibilityTimeout"] <= 39


def test_a_missing_right_lets_everything_wait(portal, capsys):
    """The log names the right; nothing is called."""
    said = {"Error": {"Code": "AccessDeniedException", "Message": "dynamodb:BatchGetItem"}}
    portal.sqs.table.trouble["BatchGetItem"] = ClientError(said, "BatchGetItem")
    seen = []
    assert handle(noting(seen), CHANGE.to_json()) == ["m0"]
    assert not seen
    assert "dynamodb:BatchGetItem" in capsys.readouterr().out
    portal.sqs.table.trouble = {"BatchWriteItem": ClientError(said, "BatchWriteItem")}
    assert handle(noting(seen), CHANGE.to_json()) == []
    assert "not noted" in capsys.readouterr().out


def test_a_missing_setting_lets_everything_wait(monkeypatch, portal):
    """Deployed without its table's name."""
    monkeypatch.delenv("STATE_TABLE")
    assert handle(noting([]), CHANGE.to_json()) == ["m0"]
    assert not portal.sqs.sent


def test_a_change_of_a_future_format_is_put_aside(portal):
    """What this code can't read is not guessed at."""
    body = json.loads(CHANGE.to_json())
    body["data"]["action"] = "archived"
    assert handle(noting([]), json.dumps(body)) == []
    assert portal.sqs.sent[0]["MessageAttributes"]["error"]["StringValue"] == "NotOursError"


def test_one_item_that_waits_does_not_hold_up_its_next_change(portal):
    """The next one runs; the one before it will know that it is superseded."""
    seen = []

    @reaction
    async def pick(change: Change) -> None:
        """Wait for one."""
        if change.version == 2 and not seen:
            seen.append(change)
            raise TransientError("m", "QUERY_LIMIT_EXCEEDED")
        seen.append(change)

    assert handle(pick, version(2).to_json(), version(3).to_json()) == ["m0"]
    assert handle(pick, version(2).to_json()) == []
    assert [(its.version, its.superseded) for its in seen] == [(2, False), (3, False), (2, True)]
    assert settings.flag("ALLOW_HTTP") is False
    assert not portal.sqs.sent

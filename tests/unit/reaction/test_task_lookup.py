"""relay.reaction.task_lookup: creates of tasks whose answer was lost."""

import asyncio
from datetime import UTC, datetime

import pytest

from relay.errors import MayHaveRunError, PermanentError
from relay.portal.fake import FakePortal
from relay.reaction.lookup import Lookup
from relay.reaction.task_lookup import TaskLookup
from tests.runs import ADMIN, TASK, calls

SINCE = 1_800_000_000.0


@pytest.mark.parametrize("unclear", [False, True])
def test_a_lost_task_is_recognised_by_its_stamp_only(record, unclear):
    """A task with the stamp is the lost one; a task of that title and time without it may be."""
    stamp = record.lose("tasks.task.add", **TASK)["fields"]["XML_ID"]
    task = {"id": "9", "title": "Call", "createdDate": "2126-01-01T00:00:00+03:00"}
    task["xmlId"] = None if unclear else stamp
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            record.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}


@pytest.mark.parametrize(
    ("task", "unclear"),
    [
        ({"title": "Renamed", "xmlId": "another's"}, False),
        ({"title": "Call", "xmlId": "another's"}, False),
        ({"title": "Call", "createdDate": "2020-01-01T00:00:00+03:00"}, False),
        ({"title": "Other"}, False),
        ({"title": "Call"}, True),
    ],
)
def test_only_a_task_that_may_be_the_lost_one_needs_an_operator(record, task, unclear):
    """Only a task of the same title, without a stamp and made since, needs an operator."""
    record.lose("tasks.task.add", **TASK)
    found = {"id": "9", "createdDate": "2126-01-01T00:00:00+03:00"} | task
    answers = {"tasks.task.list": {"tasks": [found]}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    if unclear:
        with pytest.raises(MayHaveRunError):
            record.deliver(portal, calls("tasks.task.add", **TASK))
    else:
        assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": 1}}


def test_a_lost_task_that_was_renamed_and_reassigned_is_found(record):
    """Tasks are filtered by time only, so a renamed task is found by its stamp."""
    stamp = record.lose("tasks.task.add", **TASK)["fields"]["XML_ID"]
    task = {"id": "9", "title": "Renamed", "responsibleId": "3", "xmlId": stamp}
    portal = FakePortal({"tasks.task.list": {"tasks": [task]}})
    assert record.deliver(portal, calls("tasks.task.add", **TASK)) == {"task": {"id": "9"}}
    assert list(portal.calls[0][1]["filter"]) == [">=CREATED_DATE"]


def test_a_lost_task_that_is_not_found_is_sent(record):
    """A task that is not found is sent, whatever characters its title has."""
    odd = {"fields": {"TITLE": "A & B ", "RESPONSIBLE_ID": 1}}
    record.lose("tasks.task.add", **odd)
    answers = {"tasks.task.list": {"tasks": []}, "tasks.task.add": {"task": {"id": 1}}}
    portal = FakePortal(ADMIN | answers)
    assert record.deliver(portal, calls("tasks.task.add", **odd)) == {"task": {"id": 1}}


def looked_up(answers):
    """Look a task up; returns what was found and what was asked."""
    portal = FakePortal(ADMIN | answers)
    stamp = {"XML_ID": "relay-key"}
    return asyncio.run(Lookup(portal).find("tasks.task.add", TASK, stamp, SINCE)), portal.calls[0]


@pytest.mark.parametrize(("seconds", "unclear"), [(-299, True), (-300, True), (-301, False)])
def test_a_task_is_looked_up_from_five_minutes_before_it_was_sent(seconds, unclear):
    """Tasks made up to 300 s before the intent count; the filter goes 14 h further back."""
    made = datetime.fromtimestamp(SINCE + seconds, UTC).isoformat()
    answers = {"tasks.task.list": {"tasks": [{"id": "9", "title": "Call", "createdDate": made}]}}
    if unclear:
        with pytest.raises(MayHaveRunError, match="is it this one"):
            looked_up(answers)
    else:
        found, (_, asked) = looked_up(answers)
        assert found is None
        begin = datetime.fromtimestamp(SINCE - 300 - 14 * 3600, UTC).isoformat()
        assert asked["filter"] == {">=CREATED_DATE": begin}
        assert {"XML_ID", "TITLE", "CREATED_DATE"} <= set(asked["select"])


class Listings:
    """A portal whose listings of tasks are answered one by one; `begun` counts them."""

    def __init__(self):
        self.begun, self.filters, self.answers = 0, [], asyncio.Queue()

    async def list(self, _method, **params):
        """Yield the tasks of the next answer; raise it if it is an error."""
        self.begun += 1
        self.filters.append(params["filter"])
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        for task in answer:
            yield task


def made(key, title="Call", seconds=0):
    """Return a task of the portal, with a stamp's key or none."""
    created = datetime.fromtimestamp(SINCE + seconds, UTC).isoformat()
    return {"id": "9", "title": title, "xmlId": key, "createdDate": created}


async def turns():
    """Let all that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def lookups(body):
    """Run a body that gets listings and a function that begins a lookup of a key."""

    async def run():
        portal = Listings()
        lookup = TaskLookup(portal)

        def begin(key, title="Call", since=SINCE):
            stamp = {"XML_ID": key}
            return asyncio.create_task(lookup.find({"title": title}, stamp, since))

        await body(portal, begin)

    asyncio.run(run())


def test_lookups_of_the_same_moment_share_a_listing():
    """A hundred lookups at once are one listing, from the earliest intent on; each has its end."""

    async def body(portal, begin):
        under_way = [begin(f"key {number}", since=SINCE - number) for number in range(100)]
        await turns()
        portal.answers.put_nowait([made(f"key {number}") for number in range(99)])
        found = await asyncio.gather(*under_way)
        assert found == [{"task": made(f"key {number}")} for number in range(99)] + [None]
        begin_at = datetime.fromtimestamp(SINCE - 99 - 300 - 14 * 3600, UTC).isoformat()
        assert portal.filters == [{">=CREATED_DATE": begin_at}]

    lookups(body)


def test_a_listing_under_way_proves_nothing_to_a_later_lookup():
    """A lookup that begins during a listing waits for the next one, which has its task."""

    async def body(portal, begin):
        first = begin("first")
        await turns()
        later = begin("later")
        await turns()
        assert portal.begun == 1
        portal.answers.put_nowait([])
        assert await first is None
        await turns()
        assert (portal.begun, later.done()) == (2, False)
        portal.answers.put_nowait([made("later")])
        assert await later == {"task": made("later")}

    lookups(body)


def test_each_lookup_judges_tasks_without_a_stamp_by_its_own_title_and_time():
    """A task without a stamp makes unclear only the lookups of its title that began before it."""

    async def body(portal, begin):
        under_way = [begin("a"), begin("b", title="Other"), begin("c", since=SINCE + 1000)]
        await turns()
        portal.answers.put_nowait([made(None)])
        unclear, *others = await asyncio.gather(*under_way, return_exceptions=True)
        assert isinstance(unclear, MayHaveRunError)
        assert unclear.code == "UNCLEAR"
        assert others == [None, None]

    lookups(body)


def test_a_task_that_was_found_is_not_made_unclear_by_a_later_one():
    """A lookup whose task was found has its end, whatever comes after it in the listing."""

    async def body(portal, begin):
        found, missing = begin("a"), begin("b", title="Other")
        await turns()
        portal.answers.put_nowait([made("a"), made(None), made("a", title="A copy")])
        assert await found == {"task": made("a")}
        assert await missing is None

    lookups(body)


def test_a_listing_that_fails_ends_its_lookups_only():
    """An error of a listing reaches the lookups that wait for it; the next ones list anew."""

    async def body(portal, begin):
        first = begin("a")
        await turns()
        later = begin("b")
        portal.answers.put_nowait(PermanentError("tasks.task.list", "REFUSED", "not now"))
        with pytest.raises(PermanentError, match="not now"):
            await first
        portal.answers.put_nowait([])
        assert await later is None
        last = begin("c")
        portal.answers.put_nowait([made("c")])
        assert await last == {"task": made("c")}

    lookups(body)


def test_a_lookup_whose_caller_is_gone_holds_up_no_other():
    """A cancelled lookup leaves the listing to the others."""

    async def body(portal, begin):
        gone, stays = begin("a"), begin("b")
        await turns()
        gone.cancel()
        portal.answers.put_nowait([made("b")])
        assert await stays == {"task": made("b")}
        assert gone.cancelled()

    lookups(body)

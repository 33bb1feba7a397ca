"""Two sources of one truth: readings of items and the portal's history, each with its own lag.

The real readings, mirror and sweep against a portal whose rows of the history appear late and out
of order, before or after the item's own field, and vanish; with readers side by side that crash
and lose answers. Each move is told once, in order. The mutants are the simplifications that look
right: the same runs find each of them.
"""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.errors import CallError, PermanentError, TransientError
from relay.tracking import part_read, refresh, sweep_steps
from relay.tracking.difference import change_of
from relay.tracking.hint import Hint
from relay.tracking.mirror import Mirror
from relay.tracking.part_read import Rules
from relay.tracking.parts import PartsSetting
from relay.tracking.row import Key, Row
from relay.tracking.steps import StepLog, merge
from relay.tracking.sweep_state import KindProgress, SweepDocument
from relay.tracking.sweep_steps import StepHints
from tests.parts_portal import BEGIN, PartsPortal
from tests.tracking_dynamo import FakeDynamo

RUNS = 60
LATEST_SECONDS = 295  # a row is visible by then
ITEMS = (1, 2, 3)  # the third is added by the run
ALL_STEPS = PartsSetting.parse("steps")


class BrokenPromise(AssertionError):  # noqa: N818  what a run found
    """One of the promises does not hold."""


class SteppedMirror(Mirror):
    """The real mirror, whose steps wait for their turn and may lose their answers."""

    def __init__(self, run):
        super().__init__(run.dynamo, "Mirror")
        self.run = run

    async def bases(self, keys):
        """Begin at the instant that the run chose."""
        await self.run.turn()
        return await super().bases(keys)

    async def put(self, rows):
        """Put at the instant that the run chose; the answer may be lost."""
        await self.run.turn()
        outcomes = [self.put_one(row) for row in rows]
        if self.run.luck(0.05):
            return [TransientError("put", "LOST") for _ in outcomes]
        return outcomes

    async def _run(self, function, *arguments):
        return function(*arguments)


class SteppedPortal(PartsPortal):
    """A portal that answers at the instant that the run chose, or fails to."""

    run = None

    async def call(self, method, /, **params):
        """Answer in turn."""
        if self.run:
            await self.run.turn()
            if method == "crm.stagehistory.list" and self.run.luck(0.08):
                error = PermanentError if self.run.luck(0.5) else TransientError
                raise error(method, "ACCESS_DENIED")
        return self.answer(method, params)

    async def _chain(self, pages):
        if self.run:
            await self.run.turn()
        return list(self.run_commands(pages))

    def run_commands(self, pages):
        """Answer a chain of pages."""
        return super().run(pages.commands(["a", "b"])).values()


class Run:
    """One history of moves, readings and sweeps."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.dynamo, self.portal = FakeDynamo(), SteppedPortal((2,))
        self.portal.run = None
        self.document = SweepDocument(kinds={"deal": KindProgress(baseline="done")})
        self.waiting, self.tasks, self.hints = [], {}, []
        self.seconds = 0
        self.late = []  # fields of items that follow their rows of the history
        self.calm = False
        self.first_floor = {}

    def luck(self, chance):
        """Return whether something goes wrong now."""
        return not self.calm and self.random.random() < chance

    async def turn(self):
        """Wait until the run lets this task go on."""
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((future, asyncio.current_task()))
        await future

    async def read(self, item, **about):
        """Handle one hint; it comes back where it was not done."""
        key = Key("main", "deal", item)
        rules = Rules(document=self.document, allow=lambda wanted: wanted, setting=ALL_STEPS)
        done = False
        try:
            hint = Hint(key, **about)
            failed = await refresh.refresh_items(
                {key: hint}, self.portal, SteppedMirror(self), rules
            )
            done = not failed
        finally:
            if not done:
                self.hints.append((item, about))

    async def sweep(self):
        """Let the real hints of the history run, and note what is settled."""
        hints = StepHints(
            portal="main", client=self.portal, mirror=SteppedMirror(self),
            document=self.document, setting=ALL_STEPS, grace_seconds=0, errors=[],
        )  # fmt: skip
        self.document.kinds["deal"].steps_refused = False
        clock = asyncio.get_running_loop().create_future()
        clock.set_result(BEGIN + timedelta(seconds=self.seconds))
        await hints.begin(clock)
        for entity, moves in (await hints.read()).items():
            ids = await hints.unannounced(moves, clock.result(), ())
            self.hints += [(number, {}) for number in ids]
            hints.settle(entity, moves, clock.result())

    def move(self):
        """Move an item: field and row appear in any order, the event is lost, late or doubled."""
        self.seconds += 1
        item = self.random.choice(ITEMS)
        if item not in self.portal.items[2]:
            self.portal.put(2, item, title="x")
            self.hints.append((item, {"added": True, "via": "event"}))
        stage = self.random.choice("ABC")
        how = self.random.random()
        row = self.portal.step(2, item, stage, self.seconds, hidden=how < 0.6)
        if how < 0.8:
            self.portal.put(2, item, stageId=stage)
        else:
            self.late.append((item, stage))
        self.hints += [(item, {"via": "event"})] * self.random.choice([0, 0, 1, 1, 2])
        return row

    def advance(self, seconds):
        """Let time pass; what is as old as the settling time has become visible."""
        self.seconds += seconds
        for one in self.portal.history:
            age = BEGIN + timedelta(seconds=self.seconds) - _moment(one)
            if age.total_seconds() >= LATEST_SECONDS:
                one["hidden"] = False

    def act(self):
        """Let one thing happen in the portal or to the queue."""
        what = self.random.random()
        if what < 0.35:
            self.move()
        elif what < 0.5:
            hidden = [one for one in self.portal.history if one["hidden"]]
            if hidden:
                self.random.choice(hidden)["hidden"] = False
        elif what < 0.57 and self.late:
            item, stage = self.late.pop(self.random.randrange(len(self.late)))
            self.portal.put(2, item, stageId=stage)
        elif what < 0.6:
            announced = [one for one in self.portal.history if _id(one) in self.announced()]
            if announced:  # a row may vanish from the history
                self.portal.history.remove(self.random.choice(announced))
        elif what < 0.7:
            self.advance(self.random.choice([20, 100, 200]))
        elif what < 0.8 and "sweep" not in self.tasks.values():
            self.start(self.sweep(), "sweep")
        elif self.hints:
            item, about = self.hints.pop(self.random.randrange(len(self.hints)))
            self.start(self.read(item, **about), "reader")

    def start(self, work, name):
        """Start a reader or a sweep."""
        task = asyncio.ensure_future(work)
        self.tasks[task] = name
        task.add_done_callback(lambda done: self.tasks.pop(done, None))

    async def go_on(self):
        """Let one task take its next step, or kill it."""
        await asyncio.sleep(0)
        if not self.waiting:
            return
        future, task = self.waiting.pop(self.random.randrange(len(self.waiting)))
        if self.luck(0.04) and self.tasks.get(task) == "reader":
            task.cancel()
        elif not future.done():
            future.set_result(None)
        for _ in range(4):
            await asyncio.sleep(0)

    async def drain(self):
        """Let every task and every hint come to its end."""
        while self.tasks or self.hints:
            if self.hints:
                item, about = self.hints.pop()
                self.start(self.read(item, **about), "reader")
            await self.go_on()

    def announced(self):
        """Return the ids of all told moves, in the order in which they were announced."""
        by_time = {row["at"]: number for number, row in self.by_id.items()}
        return [by_time[step["at"]] for change in self.changes() for step in change.steps]

    def changes(self):
        """Return the Changes of all versions, as announce makes them."""
        found = []
        for record in self.dynamo.stream:
            images = record["dynamodb"]
            old = Row.of(images["OldImage"]) if "OldImage" in images else None
            change = change_of(old, Row.of(images["NewImage"]))
            found += [change] if change else []
        return found

    def filled(self):
        """Return by item up to which id its history was taken for told when it was filled in."""
        floors = {}
        for record in self.dynamo.stream:
            row = record["dynamodb"]["NewImage"]
            item = int(row["id"]["N"])
            if "step_log" not in row:
                floors.pop(item, None)
            elif item != ITEMS[-1]:
                floors.setdefault(item, StepLog.parse(row["step_log"]["S"]).floor)
        return floors

    @property
    def by_id(self):
        """Return every move that there ever was by its id."""
        for one in self.portal.history:
            text = _moment(one).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.first_floor.setdefault(_id(one), {"at": text, "owner": one["row"]["OWNER_ID"]})
        return self.first_floor

    async def go(self):
        """Fill the mirror, then let anything happen; judge what was announced."""
        self.calm = True
        for item in ITEMS[:2]:
            self.portal.put(2, item, title="x", stageId="A")
            self.seconds += 1
            self.portal.step(2, item, "A", self.seconds)
        self.advance(1000)
        old = max(self.by_id)
        self.portal.run = self
        self.start(self.sweep(), "sweep")
        while self.tasks:
            await self.go_on()
        self.hints += [(item, {"baseline": True}) for item in ITEMS[:2]]
        await self.drain()
        if self.random.random() < 0.3:  # a row of older code
            row = self.dynamo.mirror["main/deal", 2]
            kept = {n: v for n, v in row.items() if n not in {"parts", "step_log"}}
            self.dynamo._write(("main/deal", 2), kept)  # noqa: SLF001
        self.calm = False
        for _ in range(60):
            _ = self.by_id
            self.act()
            await self.go_on()
        self.calm = True
        for _ in range(4):
            for item, stage in self.late:
                self.portal.put(2, item, stageId=stage)
            self.late = []
            self.advance(100)
            self.start(self.sweep(), "sweep")
            await self.drain()
        self.judge(old)

    def judge(self, old):
        """Raise BrokenPromise for a move that is told twice, not at all, or out of order."""
        announced = self.announced()
        if len(announced) != len(set(announced)):
            raise BrokenPromise(f"told twice: {announced}")
        filled = self.filled()
        due = {n for n, row in self.by_id.items() if n > max(old, filled.get(row["owner"], 0))}
        if lost := due - set(announced):
            raise BrokenPromise(f"not told: {lost}")
        if flood := [number for number in announced if number <= old]:
            raise BrokenPromise(f"told of the time before the first filling: {flood}")
        times = [[step["at"] for step in change.steps] for change in self.changes()]
        if any(of_change != sorted(of_change) for of_change in times):
            raise BrokenPromise(f"not in order: {times}")
        for item, kept in self.portal.items[2].items():
            form = Row.of(self.dynamo.mirror["main/deal", item]).form
            if form.get("stageId") != kept.get("stageId"):
                raise BrokenPromise(f"behind: {form}, portal {kept}")


def _id(one):
    return one["row"]["ID"]


def _moment(one):
    return BEGIN.fromisoformat(one["row"]["CREATED_TIME"])


def explore(runs=RUNS):
    """Run histories one after the other; raises BrokenPromise where one finds something."""
    for seed in range(runs):
        asyncio.run(Run(seed).go())


def test_each_move_is_told_once_and_in_order():
    """Whatever is late, lost, doubled, refused or killed, each move is told once."""
    explore()


def highest_told_is_the_floor(log, steps, _settled):
    """Take the highest id that was seen as announced, with all below it."""
    new, _ = merge(log, steps, 0)
    return new, StepLog(max([log.floor, *(step.id for step in new)]))


def nothing_above_the_floor(log, steps, settled):
    """Remember no ids above the floor."""
    new, after = merge(log, steps, settled)
    return new, StepLog(after.floor)


def settled_after_the_reading(log, steps, _settled):
    """Take all that was visible as settled."""
    steps = list(steps)
    return merge(log, steps, max((step.id for step in steps), default=log.floor))


@pytest.mark.parametrize(
    "mutant", [highest_told_is_the_floor, nothing_above_the_floor, settled_after_the_reading]
)
def test_runs_find_a_wrong_log(mutant, monkeypatch):
    """A log that looks simpler loses a move, or tells it twice."""
    monkeypatch.setattr(part_read, "merge", mutant)
    with pytest.raises(BrokenPromise):
        explore()


def test_runs_find_a_refusal_taken_for_an_empty_history(monkeypatch):
    """A history that could not be read must not move the floor."""

    async def empty(portal, logs, chunk):
        try:
            return await fetch(portal, logs, chunk)
        except CallError:
            return {key: [] for key in chunk}

    fetch = part_read._fetch_steps  # noqa: SLF001  the mutant's place
    monkeypatch.setattr(part_read, "_fetch_steps", empty)
    with pytest.raises(BrokenPromise):
        explore()


def test_runs_find_a_base_without_its_log(monkeypatch):
    """A second reading must begin from the log of the row that it met."""

    def put_one(self, row):
        met = put(self, row)
        return replace(met, step_log=None) if isinstance(met, Row) else met

    put = Mirror.put_one
    monkeypatch.setattr(Mirror, "put_one", put_one)
    with pytest.raises(BrokenPromise):
        explore()


def test_runs_find_that_the_newest_row_is_taken_for_settled(monkeypatch):
    """A sweep that settles at once skips a row that becomes visible below it."""
    monkeypatch.setattr(sweep_steps, "SETTLING_SECONDS", -1)
    with pytest.raises(BrokenPromise):
        explore()


def test_runs_find_a_version_that_tells_what_the_last_told(monkeypatch):
    """Telling the steps of the old image once more tells a move twice."""

    def carried(row):
        item = to_item(row) | ({"steps": last[0]} if last[0] else {})
        last[0] = item.get("steps")
        return item

    to_item, last = Row.to_item, [None]
    monkeypatch.setattr(Row, "to_item", carried)
    with pytest.raises(BrokenPromise):
        explore()

"""The real readings and mirror against a portal whose every instant the test decides.

One hot item, several readers, every step of theirs a choice: crash, lost answer, delay. After
each step the promises of DESIGN 3.1 are checked. The mutants are the simplifications that look
right: the same runs must find each of them.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from dataclasses import replace

import pytest
from moto import mock_aws

from relay.tracking import refresh
from relay.tracking.difference import change_of
from relay.tracking.hint import EVENT, SWEEP, Hint
from relay.tracking.mirror import Mirror
from relay.tracking.part_read import Rules
from relay.tracking.row import ITEM, TOMBSTONE, Key, Row, RowHead
from relay.tracking.sweep_state import DONE, KindProgress, SweepDocument
from tests import put_rule
from tests.tracking_dynamo import FakeDynamo
from tests.tracking_portal import ItemsPortal, make_tables

RUNS = 240
CONTENTS = ["a", "b", "absent"]
# Numbers are readers, each time one step (begin, look, put); texts are writes. The first five are
# the shortest ways to the broken promises of simpler rules that the exhaustive model found.
SCRIPTS = [
    [0, 0, "a", 1, 1, 0, 1],
    ["a", 0, 0, "absent", 1, 1, 1, 0],
    [0, 1, 1, "a", 0, 0, 1],
    [0, 0, 0, 1, 1, "a", 2, 2, 1, 2],
    [0, 0, "a", 0, 1, 1, "absent", 2, 2, 2, 1],
    ["a", 0, 0, "b", 1, 1, 1, "a", 0, 0, 0],
    [0, 1, 2, 0, "a", 1, "b", 2, 2, 1, 0],
]
RULES = Rules(document=SweepDocument({"deal": KindProgress(DONE)}), allow=lambda wanted: wanted)
WHOLE = ["*"]


class BrokenPromise(AssertionError):  # noqa: N818  what a run found
    """One of the promises does not hold."""


class Reader:
    """One handling of one hint; stops before each of its steps until it is chosen."""

    def __init__(self, run, number):
        self.run, self.number = run, number
        self.gate = None
        self.asking = False
        self.looks = 0
        self.newest = True
        self.lose = None
        self.task = None
        self.saw = set()

    async def step(self, *, asking=False):
        """Wait until the run lets this reader go on."""
        self.asking = asking
        self.gate = asyncio.get_running_loop().create_future()
        await self.gate

    async def call(self, method, /, **params):
        """Ask the portal at the instant that the run chose."""
        await self.step(asking=True)
        if params.get("select") == WHOLE:
            self.looks += 1
        return self.run.portal.answer(method, params)


class SteppedMirror(Mirror):
    """The real mirror, whose steps wait for their turn and may lose their answers."""

    def __init__(self, run, reader):
        super().__init__(run.client, "Mirror")
        self.run, self.reader = run, reader

    async def bases(self, keys):
        """Begin: from here on the reader is newer than every write so far."""
        await self.reader.step()
        self.reader.newest = True
        return await super().bases(keys)

    async def put(self, rows):
        """Put at the instant that the run chose; the answer may be lost or asked for again."""
        await self.reader.step()
        self.reader.saw = {row.kind for row in rows}
        outcomes = [self.put_one(row) for row in rows]
        self.run.after_put()
        if self.reader.lose == "answer":
            return [ConnectionError("the answer was lost") for _ in outcomes]
        if self.reader.lose == "repeat":  # boto3 asks again by itself
            outcomes = [self.put_one(row) for row in rows]
            self.run.after_put()
        return outcomes

    async def _run(self, function, *arguments):
        return function(*arguments)


class Run:
    """One history: a hot item, writes, readers, and what must hold after every step."""

    def __init__(self, seed, client, mirror_class):
        self.random = random.Random(seed)
        self.client = client
        self.key = Key(f"p{next(PORTALS)}", "deal", 1)
        self.mirror_class = mirror_class
        self.portal = ItemsPortal((2,))
        self.history = [None]
        self.last = None
        self.records = []
        self.readers = []
        self.hints = []
        self.crashes = 0
        self.second = 0
        self.settled = False

    def true_content(self):
        """Return what the portal says of the item now."""
        item = self.portal.items[2].get(1)
        return item and (item["title"], item["updatedTime"])

    def row(self):
        """Return the mirror's row."""
        answer = self.client.get_item(
            TableName="Mirror", Key=self.key.to_item(), ConsistentRead=True
        )
        return Row.of(answer["Item"]) if "Item" in answer else None

    def write(self, content):
        """Change the item in the portal; a hint follows."""
        now = self.true_content()
        if content == (now[0] if now else "absent"):
            content = CONTENTS[CONTENTS.index(content) - 1]
        self.second += self.random.random() < 0.2  # most edits are within one second
        if content == "absent":
            del self.portal.items[2][1]
        else:
            stamp = f"2026-03-01T12:00:{self.second:02}+03:00"
            self.portal.put(2, 1, title=content, updatedTime=stamp)
        self.history.append(self.true_content())
        self.settled = False
        for reader in self.readers:
            reader.newest = False
        deleted = content == "absent" and self.random.random() < 0.7
        self.hints.append({"deleted": deleted, "added": now is None and self.random.random() < 0.5})

    def start(self, hint):
        """Let a reader handle a hint."""
        reader = Reader(self, len(self.readers))
        baseline = not hint["added"] and self.random.random() < 0.3
        made = Hint(self.key, via=SWEEP if baseline else EVENT, baseline=baseline, **hint)
        mirror = self.mirror_class(self, reader)

        async def handle():
            failed = await refresh.refresh_items({self.key: made}, reader, mirror, RULES)
            if failed:
                raise next(iter(failed.values()))

        reader.hint = hint
        reader.task = asyncio.ensure_future(handle())
        self.readers.append(reader)
        return reader

    def after_put(self):
        """Check the order, and keep the images as the table's stream would."""
        row = self.row()
        if row and (self.last is None or row.seq != self.last.seq):
            self.records.append((self.last, row))
            before, now = content_of(self.last), content_of(row)
            self.last = row
            if now != before:
                if now not in self.history[1:]:
                    raise BrokenPromise(f"order: {before} -> {now}, portal: {self.history}")
                self.history = self.history[1 + self.history[1:].index(now) :]

    async def settle(self, reader):
        """Let a reader run to its next step or its end."""
        while not reader.task.done() and (reader.gate is None or reader.gate.done()):  # noqa: ASYNC110
            await asyncio.sleep(0)  # its steps are in the loop, nothing is waited for
        if reader.looks > 2:
            raise BrokenPromise("bounded: a third look")
        if reader.task.done() and reader in self.readers:
            self.readers.remove(reader)
            error = None if reader.task.cancelled() else reader.task.exception()
            if isinstance(error, BrokenPromise):
                raise error
            if error or reader.task.cancelled():
                self.hints.append(reader.hint)  # SQS delivers it again
            else:
                self.settled |= reader.newest
                self.check_added(reader)
        mirrored = content_of(self.last)
        if self.settled and mirrored != self.true_content():
            raise BrokenPromise(f"behind: mirror {mirrored}, portal {self.true_content()}")

    def check_added(self, reader):
        """Check that what an ADD's reader saw was announced as added, or is deleted."""
        if not reader.hint["added"] or reader.saw != {ITEM}:
            return
        changes = [change_of(*images) for images in self.records]
        is_announced = any(change and change.action == "added" for change in changes)
        if not is_announced and not any(new.kind == TOMBSTONE for _, new in self.records):
            raise BrokenPromise(f"added: not announced in {self.records}")

    async def advance(self, reader):
        """Let a reader begin, look or put - or lose its answer, or die before it."""
        fate = self.random.random() if self.crashes else 1
        self.crashes -= fate < 0.06
        reader.lose = None
        if fate < 0.02:
            reader.task.cancel()
            await asyncio.wait([reader.task])
            await self.settle(reader)
            return
        if fate < 0.06:
            reader.lose = "answer" if fate < 0.04 else "repeat"
        while True:  # absence is confirmed in several calls
            asking = reader.asking
            reader.gate.set_result(None)
            await self.settle(reader)
            if not asking or reader.task.done() or not reader.asking:
                return

    async def go(self):
        """Follow a script with accidents, then let all readers and hints come to their end."""
        for _ in range(self.random.randint(0, 2)):  # what the mirror knows already
            self.write(self.random.choice([*CONTENTS]))
            await self.finish()
        script = list(self.random.choice(SCRIPTS))
        for _ in range(self.random.randint(0, 3)):
            where = self.random.randrange(len(script))
            extra = self.random.choice([0, 1, 2, 3, *CONTENTS])
            script.insert(where, extra)
        self.crashes = self.random.choice([0, 1, 2])
        named = {}
        for step in script:
            if step in CONTENTS:
                self.write(step)
            elif step not in named:
                named[step] = self.start(self.hints.pop() if self.hints else self.doubled())
                await self.settle(named[step])
                if named[step] in self.readers:
                    await self.advance(named[step])
            elif named[step] in self.readers:
                await self.advance(named[step])
        await self.finish()
        self.announced()

    def doubled(self):
        """Return a hint that says nothing new."""
        return {"deleted": self.true_content() is None, "added": self.random.random() < 0.3}

    async def finish(self):
        """Let every reader that is on go on, in any order, and handle every hint."""
        while self.hints or self.readers:
            if self.readers:
                await self.advance(self.random.choice(self.readers))
            else:
                await self.settle(self.start(self.hints.pop(0)))

    def announced(self):
        """Check that each pair of images is announced once, however often the stream repeats."""
        announced_pairs = Counter()
        alive = False
        for old, new in self.records:
            for _ in range(self.random.randint(1, 2)):
                change = change_of(old, new)
                pair = content_of(old), content_of(new)
                titles = [content and content[0] for content in pair]
                first_sight = old is None and new.first_sight
                expected = None
                if titles[0] != titles[1] and not first_sight:
                    expected = {(True, False): "added", (False, True): "deleted"}.get(
                        (titles[0] is None, titles[1] is None), "updated"
                    )
                if new.added_now:
                    expected = "added"
                if (change and change.action) != expected:
                    raise BrokenPromise(f"announced: {change} for {pair}")
            if change:
                if alive and change.action == "added":
                    raise BrokenPromise(f"announced: added twice in {self.records}")
                alive = change.action == "added" or (alive and change.action == "updated")
                announced_pairs[change.change_id] += 1
        if any(count > 1 for count in announced_pairs.values()):
            raise BrokenPromise(f"announced: one id twice in {announced_pairs}")


def content_of(row):
    """Return a row's content as the portal tells it."""
    if row is None or row.kind == TOMBSTONE:
        return None
    form = json.loads(row.text)
    time_there = form["updatedTime"].replace("T09:", "T12:").replace("Z", "+03:00")
    return form["title"], time_there


@pytest.fixture(scope="module")
def client():
    """Return a DynamoDB that judges a condition in microseconds."""
    return FakeDynamo()


@pytest.fixture(scope="module")
def other_client():
    """Return moto's DynamoDB with the two tables; a request takes milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with mock_aws():
            yield make_tables()


PORTALS = itertools.count()  # each run has a portal of its own in the shared table


def explore(client, mirror_class, runs=RUNS):
    """Run histories one after the other; raises BrokenPromise where one finds something."""
    for seed in range(runs):
        asyncio.run(Run(seed, client, mirror_class).go())


def test_rule_keeps_every_promise(client):
    """Over all histories the mirror follows the portal in order, ends equal, announces once."""
    explore(client, SteppedMirror)


def test_rule_keeps_every_promise_on_another_dynamodb(other_client):
    """The conditions mean the same to a DynamoDB of somebody else's."""
    explore(other_client, SteppedMirror, RUNS // 10)


class ByReadTime(SteppedMirror):
    """Orders by the time of reading."""

    def put_one(self, row):
        """Write if what is there was read earlier."""
        return overwrite(self, row, lambda old: old.read_at < row.read_at)


class ByUpdatedTime(SteppedMirror):
    """Orders by the portal's own time of change."""

    def put_one(self, row):
        """Write if what is there was changed earlier, or is to be deleted."""
        return overwrite(self, row, lambda old: old.updated < row.updated or not row.text)


class SkipsEqualPuts(SteppedMirror):
    """Does not write what is there already."""

    def put_one(self, row):
        """Write if the content differs."""
        old = self.run.row()
        if old and (old.kind, old.text) == (row.kind, row.text):
            return None
        return super().put_one(row)


class NoTombstoneWithoutRow(SteppedMirror):
    """Writes no tombstone for an item that it never saw."""

    def put_one(self, row):
        """Write unless there is nothing to bury."""
        if row.seq == 1 and row.kind == TOMBSTONE:
            return None
        return super().put_one(row)


class StaleBase(SteppedMirror):
    """Reads its base eventually consistent: it may be one version old."""

    async def bases(self, keys):
        """Return what a replica that lags behind may say."""
        found = await super().bases(keys)
        if self.run.random.random() < 0.5:
            return {
                key: replace(base, seq=base.seq - 1) if base.seq > 1 else RowHead()
                for key, base in found.items()
            }
        return found


def overwrite(mirror, row, condition):
    """Put unconditionally where a mutant's own condition holds."""
    old = mirror.run.row()
    if old is None or condition(old):
        row = replace(row, seq=old.seq + 1, born=old.born) if old else replace(row, seq=1)
        return Mirror.put_one(mirror, row)
    return None


@pytest.mark.parametrize(
    "mutant", [ByReadTime, ByUpdatedTime, SkipsEqualPuts, NoTombstoneWithoutRow, StaleBase]
)
def test_runs_find_a_wrong_order_of_writing(client, mutant):
    """A rule that looks simpler breaks a promise within the same runs."""
    with pytest.raises(BrokenPromise):
        explore(client, mutant)


def test_runs_find_that_any_conflict_is_acknowledged(client, monkeypatch):
    """Giving up on every conflict leaves the mirror behind within the same runs."""
    monkeypatch.setattr(refresh, "needs_another_reading", lambda *_, **_hint: False)
    with pytest.raises(BrokenPromise):
        explore(client, SteppedMirror)


def test_runs_find_a_baseline_mark_after_a_conflict(client, monkeypatch):
    """Marking a re-read as baseline swallows a change within the same runs."""

    def marked(hint, base, view, part, rules):
        return replace(row(hint, base, view, part, rules), first_sight=hint.baseline)

    row = refresh._row  # noqa: SLF001  the mutant's place
    monkeypatch.setattr(refresh, "_row", marked)
    with pytest.raises(BrokenPromise):
        explore(client, SteppedMirror)


@pytest.mark.parametrize(
    ("kinds", "writes"),
    [
        (["first", "first", "add"], 2),
        (["first", "later", "add"], 2),
        (["first", "add", "add"], 2),
    ],
)
def test_every_interleaving_announces_an_addition_once(kinds, writes):
    """The model of the rule keeps all promises, whoever reads and whatever is lost."""
    broken, states = put_rule.explore(kinds, writes)
    assert broken == ""
    assert states > 20_000


@pytest.mark.parametrize(
    ("broken", "kind", "rules"),
    [
        ("added: never announced", "first", {"rule": put_rule.left_to_others}),
        ("added: never announced", "first", {"carry": lambda *_: False}),
        ("added: announced twice", "add", {"carry": lambda row, _: bool(row and row.open)}),
        ("caught up", "first", {"stale": True}),
    ],
)
def test_the_model_finds_a_wrong_rule(broken, kind, rules):
    """A rule that looks simpler breaks a promise of the model."""
    found, _ = put_rule.explore(["first", kind, "add"], 2, **rules)
    assert found.startswith(broken)

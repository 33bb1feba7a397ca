"""relay.reaction.once: whatever happens in whatever order, each create of a record happens once.

The machine delivers one record again and again, up to two deliveries at a time, and decides at
each request to DynamoDB or the portal what becomes of it: answered, answered too late, refused, or
its process killed before or after it. Reactions ask in other orders, with other
parameters, and again what has failed.
"""

import asyncio
import itertools
import logging
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from relay import state_batch, state_requests
from relay.errors import MayHaveRunError, TransientError
from relay.reaction import checkpoint, lease, matching, once
from relay.reaction.checkpoint import Checkpoint, Write
from relay.reaction.portal import OncePortal
from relay.reaction.run import Run
from tests.dynamo import Dynamo
from tests.runs import KEY, batch_of

DEAL, COMMENT, TASK, UPDATE = (
    *("crm.item.add", "crm.timeline.comment.add", "tasks.task.add", "crm.item.update"),
)
FINDABLE = {DEAL, TASK}
LEASE = 180
TURNS = 40
RETRIES = {1, 3}  # the orders of a reaction that asks again what has failed


class Killed(BaseException):
    """The end of a process."""


class World:
    """What outlives a process: the table, the portal, the time."""

    def __init__(self):
        self.dynamo, self.now, self.numbers = Dynamo(), 1_000_000.0, itertools.count(1)
        self.made = {}

    def call(self, method, params):
        """Let the portal do what it is asked."""
        if method == "profile":
            return {"ID": "1", "ADMIN": True}
        fields = params["fields"]
        if method == UPDATE:
            return {"item": {"id": 5}}
        number = next(self.numbers)
        tag = fields.get("TITLE") or fields.get("title") or fields["COMMENT"]
        mark = fields.get("XML_ID") or fields.get("originId")
        self.made.setdefault((method, tag), []).append((number, mark, self.now))
        return self.answer(method, number, tag, mark)

    def answer(self, method, number, tag, mark):
        """Return what a create says of what it made."""
        if method == DEAL:
            return {"item": {"id": number, "originId": mark}}
        if method == TASK:
            made = {"id": str(number), "title": tag, "xmlId": mark}
            return {"task": made | {"createdDate": "1970-01-12T13:46:40+00:00"}}
        return number

    def find(self, method, params):
        """List what was made: deals by their origin, all tasks."""
        for (its, tag), made in self.made.items():
            for number, mark, _ in made:
                answer = self.answer(its, number, tag, mark)
                if its == TASK and method == "tasks.task.list":
                    yield answer["task"]
                if (
                    its == DEAL
                    and method == "crm.item.list"
                    and params["filter"]["=originId"] == mark
                ):
                    yield answer["item"]


class Delivery:
    """One process with one delivery of the record, that goes on when it is let."""

    def __init__(self, world, program, order):
        self.world, self.waiting, self.done, self.error = world, [], False, None
        self.results = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)
        row = Checkpoint.of(KEY, world.dynamo.rows.get(KEY), world.now)
        token = f"token {next(world.numbers)}"
        held = lease.Lease(row, token, world.now + LEASE, batch_of(world.dynamo))
        self.run = Run(held, lambda *_, **__: None)
        self.task = self.loop.create_task(self.react(program, order))
        self.turn()

    async def react(self, program, order):
        """Run the reaction, then store what it has done."""
        portal = OncePortal(self, self.run)
        try:
            for at, stage in enumerate(program):
                calls = [self.one(portal, *its, f"{at}.{n}", order) for n, its in enumerate(stage)]
                turned = order % len(calls)
                await asyncio.gather(*calls[turned:], *calls[:turned])
        except Exception as error:  # noqa: BLE001  as the reaction's rim does
            self.error = error
        await self.run.finish(failed=False)
        self.done = True

    async def one(self, portal, method, varies, tag, order):
        """Make one call of the reaction."""
        more = {"order": order} if varies else {}
        match method:
            case "crm.timeline.comment.add":
                fields = {"COMMENT": tag} | more
            case "tasks.task.add":
                fields = {"TITLE": tag, "RESPONSIBLE_ID": 1} | more
            case _:
                fields = {"title": tag} | more
        number = {"id": 5} if method == UPDATE else {}
        for again in (order in RETRIES, False):
            try:
                result = await portal.call(method, entityTypeId=2, fields=fields, **number)
                break
            except (TransientError, MayHaveRunError):  # as impatient reactions do
                if not again:
                    raise
        self.results.append((method, tag, result))

    # --- what the run calls ---

    def busy(self):
        """Hold nothing."""
        return nullcontext()

    async def io(self, kind, act):
        """Wait until the machine says what becomes of a request."""
        future = self.loop.create_future()
        self.waiting.append((kind, act, future))
        return await future

    async def call(self, method, **params):
        """Call the portal."""
        kind = "read" if method == "profile" else "call"
        return await self.io(kind, lambda: self.world.call(method, params))

    async def list(self, method, **params):
        """List the portal's items."""
        for item in await self.io("list", lambda: list(self.world.find(method, params))):
            yield item

    def turn(self):
        """Let the process run until it waits; time in which nothing happens passes at once."""
        while True:
            for _ in range(TURNS):
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            quiet = [its for its in self.waiting if its[0] == "pause"]
            if not quiet or len(quiet) < len(self.waiting):
                break
            self.waiting.remove(quiet[0])
            quiet[0][2].set_result(None)

    def kill(self):
        """End the process where it is."""
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # noqa: SLF001  that is what a kill is
        self.loop.close()


CALLS = st.tuples(st.sampled_from([DEAL, COMMENT, TASK, UPDATE]), st.booleans())


def tell_apart(stage):
    """Let a call vary only beside others of other methods: else nobody could tell them apart."""
    methods = [method for method, _ in stage]
    return [(method, varies and methods.count(method) == 1) for method, varies in stage]


# Two calls of one method at once, and one after another, are what is easily mistaken.
STAGES = st.lists(CALLS, min_size=1, max_size=3).map(tell_apart)
PROGRAMS = st.lists(STAGES, min_size=1, max_size=3)


class Machine(RuleBasedStateMachine):
    """One record and all that can happen to it."""

    @initialize(program=PROGRAMS)
    def begin(self, program):
        """Begin with nothing but a reaction."""
        self.world, self.program, self.alive = World(), program, []
        self.undecided = False
        clock = SimpleNamespace(
            time=lambda: self.world.now, strftime=time.strftime, gmtime=time.gmtime
        )
        once.time = lease.time = clock
        state_requests.time = SimpleNamespace(time=clock.time, sleep=lambda _: None)

    @property
    def creates(self):
        """Return the creates of the reaction."""
        return [
            (method, f"{at}.{n}")
            for at, stage in enumerate(self.program)
            for n, (method, _) in enumerate(stage)
            if method != UPDATE
        ]

    def deliver(self, order):
        """Begin a delivery in a process of its own."""
        global current  # noqa: PLW0603  whose thread a request runs in
        delivery = current = Delivery.__new__(Delivery)
        delivery.__init__(self.world, self.program, order)
        self.alive.append(delivery)
        if delivery.done:
            self.end(delivery)
            self.judge(delivery)
        return delivery

    def go_on(self, delivery, at, fate):
        """Let one request have its fate; returns whether the process lives."""
        global current  # noqa: PLW0603
        current = delivery
        kind, act, future = delivery.waiting.pop(at % len(delivery.waiting))
        if fate == "killed before":
            return self.end(delivery)
        if fate == "refused" and kind == "call":
            future.set_exception(TransientError("m", "QUERY_LIMIT_EXCEEDED"))
        else:
            result = error = None
            try:
                result = act()
            except Exception as raised:  # noqa: BLE001  it is the process's
                error = raised
            if fate == "killed after":
                return self.end(delivery)
            if fate == "lost" and kind == "call":
                error = MayHaveRunError("m", "TIMEOUT")
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)
        delivery.turn()
        if delivery.done:
            self.end(delivery)
            self.judge(delivery)
            return False
        return True

    def end(self, delivery):
        """Take a process away."""
        self.alive.remove(delivery)
        delivery.kill()
        return False

    def judge(self, delivery):
        """Check a delivery that has come to its end."""
        if delivery.error is None:
            for create in self.creates:
                assert len(self.world.made.get(create, [])) == 1, create
        elif isinstance(delivery.error, MayHaveRunError):
            assert delivery.error.method not in FINDABLE, "what can be looked for was not"
            self.undecided = True
        else:
            assert isinstance(delivery.error, TransientError), delivery.error
        for method, tag, result in delivery.results:
            if method != UPDATE:
                number = self.world.made[method, tag][0][0]
                kept = {DEAL: ("item", "id"), TASK: ("task", "id")}.get(method)
                got = int(result[kept[0]][kept[1]]) if kept else result
                assert got == number, "the result of another write"

    @precondition(lambda self: len(self.alive) < 2)
    @rule(order=st.integers(0, 3))
    def delivered(self, order):
        """Deliver the record, for the first time or again."""
        self.deliver(order)

    @precondition(lambda self: not self.alive)
    @rule(turns=st.lists(st.integers(0, 1), min_size=4, max_size=14))
    def both_at_once(self, turns):
        """Let two deliveries begin at once and go on in turns."""
        self.deliver(0)
        self.deliver(0)
        for which in turns:
            if self.alive:
                delivery = self.alive[which % len(self.alive)]
                if delivery.waiting:
                    self.go_on(delivery, 0, "answered")

    @precondition(lambda self: not self.alive)
    @rule(order=st.sampled_from(sorted(RETRIES)), at=st.integers(0, 12))
    def asked_again(self, order, at):
        """Let the answer to a call be lost, so that the reaction asks again."""
        delivery = self.deliver(order)
        for number in range(2 * at):
            if not delivery.waiting or not self.go_on(
                delivery, 0, "lost" if number == at else "answered"
            ):
                break

    @precondition(lambda self: self.alive)
    @rule(
        which=st.integers(0, 1),
        at=st.integers(0, 3),
        fates=st.lists(
            st.sampled_from(
                ["answered"] * 5 + ["lost", "refused", "killed before", "killed after"]
            ),
            min_size=1,
            max_size=6,
        ),
    )
    def requests(self, which, at, fates):
        """Let some requests of a process meet their fates."""
        delivery = self.alive[which % len(self.alive)]
        for fate in fates:
            if not self.go_on(delivery, at, fate):
                break

    @rule(seconds=st.sampled_from([1, 70]))
    def time_passes(self, seconds):
        """Let less than a lease pass: no process is slower than its function's time."""
        self.world.now += seconds
        for delivery in list(self.alive):
            if self.world.now > delivery.run.lease.until - checkpoint.CUT_OFF_SECONDS:
                self.end(delivery)

    @precondition(lambda self: not self.alive)
    @rule(days=st.sampled_from([0, 0, 31]))
    def much_time_passes(self, days):
        """Let all leases end, or even what was kept: then nothing is known of the record."""
        self.world.now += LEASE + 100 + days * 24 * 3600
        if days:
            self.world.made.clear()

    @invariant()
    def once_at_most(self):
        """Nothing is made twice, at any time."""
        if hasattr(self, "world"):
            for create, made in self.world.made.items():
                assert len(made) == 1, create

    def teardown(self):
        """In the end all is done, or a person was told what is not known."""
        if not hasattr(self, "world"):
            return
        for delivery in list(self.alive):
            self.end(delivery)
        for order in range(4):
            self.world.now += LEASE + 100
            delivery = self.deliver(order)
            while delivery.waiting and self.go_on(delivery, 0, "answered"):
                pass
            if delivery.error is None or isinstance(delivery.error, MayHaveRunError):
                break
        for left in list(self.alive):
            self.end(left)
        assert delivery.done
        assert delivery.error is None or isinstance(delivery.error, MayHaveRunError)


current = None


async def in_process(function, *arguments):
    """Run what would run in a thread when the machine lets it."""
    return await current.io("table", lambda: function(*arguments))


async def pause(_seconds):
    """Wait until nothing else happens."""
    await current.io("pause", lambda: None)


@pytest.fixture(autouse=True)
def controlled(monkeypatch):
    """Put every request and every moment into the machine's hand."""
    monkeypatch.setattr(state_batch, "_in_thread", in_process)
    monkeypatch.setattr(matching, "_pause", pause)
    monkeypatch.setattr(once, "time", time)
    monkeypatch.setattr(lease, "time", time)
    monkeypatch.setattr(state_requests, "time", time)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("asyncio").setLevel(logging.NOTSET)


def explore(examples, phases=tuple(Phase)):
    """Let the machine run."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            derandomize=True,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_each_create_happens_once():
    """Killed, doubled, refused, lost, reordered: one effect, or a person is told."""
    explore(150)


def no_intent(monkeypatch):
    """Store nothing before a create is sent."""
    monkeypatch.setattr(once, "is_harmless", lambda *_: True)


def no_lease(monkeypatch):
    """Let two deliveries work at once."""
    monkeypatch.setattr(lease.Lease, "check", lambda *_: None)


def no_method(monkeypatch):
    """Take records of any method."""

    def equal_digest(writes, _method, digest):
        return next((write for write in writes if write.digest == digest), None)

    monkeypatch.setattr(matching, "equal", equal_digest)
    monkeypatch.setattr(matching, "first", lambda writes, _method: writes[0])


def no_number(monkeypatch):
    """Take all creates of a method for one."""

    def add(self, method, digest, now):
        self.writes.append(Write(method, 0, digest, now))
        return self.writes[-1]

    monkeypatch.setattr(Checkpoint, "add", add)


def no_expiry(monkeypatch):
    """Leave it to DynamoDB to remove what has expired."""
    of = Checkpoint.of
    monkeypatch.setattr(Checkpoint, "of", lambda key, item, _now: of(key, item, 0))


def by_position(monkeypatch):
    """Take the next record of a method, whatever it was asked with."""

    def equal(writes, method, _digest):
        return next((write for write in writes if write.method == method), None)

    monkeypatch.setattr(matching, "equal", equal)


def no_giving_back(monkeypatch):
    """Take a call that is made again for another one."""
    monkeypatch.setattr(matching.Claims, "keep_for_retry", lambda *_: None)


@pytest.mark.parametrize(
    "mutant", [no_intent, no_lease, no_method, no_number, no_expiry, by_position, no_giving_back]
)
def test_the_machine_finds_each_mistake(monkeypatch, mutant):
    """What the machine is for: without any one part of the protocol it fails."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, KeyError, TypeError)):
        explore(400, phases=(Phase.generate,))

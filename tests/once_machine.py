"""A state machine: one record, or equal calls of a robot, and all that can happen to them."""

import logging
import time
from contextlib import contextmanager
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
from relay.reaction.equal_calls import EqualCalls
from tests.once_world import (
    COMMENT,
    DEAL,
    FINDABLE,
    LEASE,
    RETRIES,
    TASK,
    UPDATE,
    Delivery,
    World,
)
from tests.runs import KEY

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

    records = ((KEY, EqualCalls()),)  # of one effect: the key of the checkpoint, and equal calls'

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

    def deliver(self, order, which=0):
        """Begin a delivery in a process of its own."""
        global current  # noqa: PLW0603  whose thread a request runs in
        delivery = current = Delivery.__new__(Delivery)
        delivery.__init__(self.world, self.program, order, self.records[which % len(self.records)])
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
    @rule(order=st.integers(0, 3), which=st.integers(0, 1))
    def delivered(self, order, which):
        """Deliver a record, for the first time or again."""
        self.deliver(order, which)

    @precondition(lambda self: not self.alive)
    @rule(turns=st.lists(st.integers(0, 1), min_size=4, max_size=14))
    def both_at_once(self, turns):
        """Let two deliveries begin at once and go on in turns."""
        self.deliver(0)
        self.deliver(0, 1)
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
            delivery = self.deliver(order, order)
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


@contextmanager
def controlled():
    """Put every request and every moment into the machine's hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_batch, "_in_thread", in_process)
        patch.setattr(matching, "_pause", pause)
        for module in (once, lease, state_requests):
            patch.setattr(module, "time", time)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        yield
        logging.getLogger("asyncio").setLevel(logging.NOTSET)


def explore(examples, phases=tuple(Phase), machine=Machine):
    """Let the machine run."""
    limits = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with controlled():
        run_state_machine_as_test(machine, settings=limits)

"""The course of an ordeal: prepare, act and trouble, settle, sweep, audit, judge."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from local.aws import LocalAws
from local.changes import Changes
from local.demo import DemoPortal
from local.ordeal import judge, seen
from local.ordeal.acts import Acts, deals
from local.ordeal.troubles import EARLY, Troubles
from local.stack import Stack
from ops.baseline import fill
from relay.change import Change

QUEUE = "relay-ordeal"
TWICE = "messages delivered again"
SEEDED = 150
REFUSED_ALWAYS = ("TrackDeadLetters", "AnnounceDeadLetters")
AT_ONCE = 6  # won Changes that are given to the reaction again while it works on them
ANNOUNCED_AGAIN = 50
LATE = 0.6  # not from then on: such a copy waits for half a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it: so many acts, evenly over so many seconds, a trouble every `every`."""

    seed: int
    acts: int
    seconds: float
    every: float = 0.9
    hard: bool = False
    patience_seconds: float = 90


@dataclass(slots=True)
class Report:
    """What was done, and what does not hold."""

    told: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


class Course:
    """One ordeal of one stack and its portal."""

    def __init__(self, aws: LocalAws, portal: DemoPortal, stack: Stack, plan: Plan) -> None:
        self._aws, self._portal, self._stack, self._plan = aws, portal, stack, plan
        self._relay = seen.Relay(aws, stack)
        self._changes = Changes(aws, stack, QUEUE)
        self._announced: list[Change] = []
        self._begin: dict[str, judge.Known] = {}
        self._waits_for = "nothing"

    def run(self) -> Report:
        """Go through all of it."""
        report, dead = Report(), {name: self._relay.messages(name) for name in REFUSED_ALWAYS}
        try:
            with self._relay.released():
                acts = self._act(report.told)
        finally:
            self._changes.close()
        self._judge(acts, report)
        for name, number in dead.items():
            if self._relay.messages(name) != number:
                report.findings.append(f"{name} has {self._relay.messages(name) - number} more")
        return report

    def _act(self, told: Counter[str]) -> Acts:
        self._prepare()
        dice = random.Random(self._plan.seed)
        acts = Acts(self._portal, dice)
        self._trouble(acts, dice, told)
        self._await(self._settled)
        self._deliver_again(told)
        self._await(self._settled)
        self._relay.sweep()
        self._await(self._settled)
        self._relay.make_audit_due()
        self._await(lambda: self._relay.sweep() == "done")
        self._await(self._settled)
        told.update(acts.done)
        return acts

    def _prepare(self) -> None:
        """Fill the mirror, and remember it."""
        self._portal.admin("seed", deals=SEEDED, contacts=0, events=False)
        fill(self._aws.client, self._stack.resources, seen.PORTAL, lambda _: None, 60)
        self._await(lambda: not self._relay.at_work() and self._is_filled())
        self._begin = self._relay.mirror()

    def _is_filled(self) -> bool:
        return self._relay.mirror().keys() >= {str(deal["id"]) for deal in deals(self._portal)}

    def _trouble(self, acts: Acts, dice: random.Random, told: Counter[str]) -> None:
        plan, began, next_at = self._plan, time.monotonic(), self._plan.every
        troubles = Troubles(self._aws, self._portal, self._stack, dice, hard=plan.hard)
        with troubles:
            for number in range(plan.acts):
                share = number / plan.acts
                time.sleep(max(0, began + share * plan.seconds - time.monotonic()))
                acts.one(may_move=plan.hard or share > EARLY)
                if share * plan.seconds >= next_at:
                    troubles.one(share)
                    next_at += plan.every
                    self._deliver_at_once(share, troubles.done)
        told.update(troubles.done)

    def _deliver_at_once(self, share: float, told: Counter[str]) -> None:
        """Give the reaction some messages again while it works on them."""
        self._announced += self._changes.new()
        for change in self._won()[told[TWICE] : AT_ONCE if share < LATE else 0]:
            self._relay.deliver_again(change)
            told[TWICE] += 1

    def _deliver_again(self, told: Counter[str]) -> None:
        """Let the newest Changes be announced again, and give the reaction all it is done with."""
        self._relay.announce_again(ANNOUNCED_AGAIN)
        for change in self._won():
            self._relay.deliver_again(change)
            told[TWICE] += 1

    def _won(self) -> list[Change]:
        its = {c.change_id: c for c in self._announced if c.entity == "deal" and judge.is_won(c)}
        return list(its.values())

    def _settled(self) -> bool:
        """Say whether nothing is under way and everything in the mirror is announced."""
        if not self._is_idle():
            return False
        self._announced += self._changes.new()
        ends = self._ends([])
        mirror = self._relay.mirror()
        behind = [
            deal
            for deal, known in mirror.items()
            if judge.differs(known.form, ends.get(deal, judge.Known()).form)
        ]
        self._waits_for = f"{len(behind)} deals of the mirror to be announced: {behind[:5]}"
        return not behind and self._is_idle()

    def _is_idle(self) -> bool:
        outbox = self._portal.admin("state", "GET")["outbox"]
        return bool(outbox["idle"]) and not self._relay.at_work()

    def _ends(self, findings: list[str]) -> dict[str, judge.Known]:
        """Return where the Changes of each deal have led to."""
        by_deal = judge.distinct((c for c in self._announced if c.entity == "deal"), findings)
        return self._begin | {
            deal: judge.chain(self._begin.get(deal, judge.Known()), its, findings)
            for deal, its in by_deal.items()
        }

    def _judge(self, acts: Acts, report: Report) -> None:
        findings, told = report.findings, report.told
        ends, mirror = self._ends(findings), self._relay.mirror()
        shown = {str(item["id"]): item for item in deals(self._portal)}
        by_deal = judge.distinct((c for c in self._announced if c.entity == "deal"), [])
        for deal in sorted({*shown, *mirror, *ends}, key=int):
            known, item = mirror.get(deal, judge.Known()), shown.get(deal)
            findings += judge.end(deal, "the mirror", known.form, item)
            findings += judge.end(deal, "the last Change", ends.get(deal, known).form, item)
            later = [
                change
                for change in by_deal.get(deal, ())
                if change.version > self._begin.get(deal, judge.Known()).version
            ]
            findings += judge.order(acts.history.get(int(deal), ()), later, deal)
        won = self._won()
        letters = self._relay.letters(change.change_id for change in won)
        found = seen.effects(self._portal, (change.id for change in won))
        findings += judge.effects(won, found, letters)
        ids = Counter(change.change_id for change in self._announced)
        told["announced"] += len(ids)
        told["announced once more"] += sum(ids.values()) - len(ids)
        told["won"] += len(won)
        told["tasks"] += sum(map(len, found.tasks.values()))
        told["undecided"] += len({its.change_id for its in letters if its.undecided})

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._plan.patience_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {self._relay.at_work()}, and {self._waits_for}")
            time.sleep(0.3)

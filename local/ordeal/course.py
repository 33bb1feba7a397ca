"""The course of an ordeal: prepare, act and trouble, settle, sweep, audit, judge."""

import random
import time
from collections.abc import Callable

from local.aws import LocalAws
from local.changes import Changes
from local.demo import DemoPortal
from local.ordeal import authors, judge, seen
from local.ordeal.acts import FIELDS, Acts
from local.ordeal.guest import FIELD, LEAD, OURS
from local.ordeal.listing import deals, listed
from local.ordeal.plan import Plan, Report
from local.ordeal.told import Told
from local.ordeal.troubles import EARLY, Troubles, stale_answers
from local.stack import Stack
from ops.baseline import fill

QUEUE = "relay-ordeal"
TWICE = "messages delivered again"
SEEDED = 150
NOTHING_IN = ("TrackDeadLetters", "AnnounceDeadLetters")
AT_ONCE = 6  # won Changes that are given to the reaction again while it works on them
LATE = 0.5  # not from then on: such a copy waits for half a minute
ANNOUNCED_AGAIN = 50
RACES, RACE_EDITS, RACE_SECONDS = 3, 40, 1.0
POLL_SECONDS = 0.3


class Course:
    """One ordeal of one stack and its portal."""

    def __init__(self, aws: LocalAws, portal: DemoPortal, stack: Stack, plan: Plan) -> None:
        self._aws, self._portal, self._stack, self._plan = aws, portal, stack, plan
        self._relay = seen.Relay(aws, stack)
        self._changes = Changes(aws, stack, QUEUE)
        self._told = Told()
        self._report = Report()
        self._waits_for = "nothing"
        self._patience_ends = time.monotonic() + plan.patience_seconds

    def run(self) -> Report:
        """Go through all of it."""
        findings, dead = self._report.findings, self._dead_letters()
        try:
            with self._relay.released():
                self._judge(self._act())
        finally:
            self._changes.close()
        if self._dead_letters() != dead:
            findings.append(f"dead letters: {self._dead_letters()}, before {dead}")
        return self._report

    def _dead_letters(self) -> dict[str, int]:
        return {name: self._relay.messages(name) for name in NOTHING_IN}

    def _act(self) -> Acts:
        self._prepare()
        dice = random.Random(self._plan.seed)
        acts = Acts(self._portal, dice)
        self._trouble(acts, dice)
        self._patience_ends = time.monotonic() + self._plan.patience_seconds
        self._await(self._is_read)
        self._judge_events(acts)
        self._race(acts)
        self._await(self._settled)
        self._deliver_again()
        self._await(self._settled)
        self._relay.sweep()
        self._await(self._settled)
        self._relay.make_audit_due()
        self._await(lambda: self._relay.sweep() == "done")
        self._await(self._settled)
        return acts

    def _prepare(self) -> None:
        """Fill the mirror, and remember it."""
        self._portal.admin("seed", deals=SEEDED, contacts=0, events=False)
        fill(self._aws.client, self._stack.resources, seen.PORTAL, lambda _: None, 60)
        self._await(lambda: not self._relay.at_work() and self._is_filled())
        self._told.begin = self._relay.mirror()

    def _is_filled(self) -> bool:
        return self._relay.mirror().keys() >= {str(deal["id"]) for deal in deals(self._portal)}

    def _trouble(self, acts: Acts, dice: random.Random) -> None:
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
                    self._deliver_at_once(share)
        self._report.told.update(troubles.done)

    def _race(self, acts: Acts) -> None:
        """Edit a few deals so often that they are read by two at a time, with nothing to heal."""
        for _ in range(RACES):
            with stale_answers(self._portal):
                for _ in range(RACE_EDITS):
                    acts.rename_hot()
                    time.sleep(RACE_SECONDS / RACE_EDITS)
                self._await(self._is_read)
            self._judge_events(acts)

    def _deliver_at_once(self, share: float) -> None:
        """Give the reaction some messages again while it works on them."""
        self._told.take(self._changes.new())
        done = self._report.told[TWICE]
        for change in self._told.won()[done : AT_ONCE if share < LATE else 0]:
            self._relay.deliver_again(change)
            self._report.told[TWICE] += 1

    def _deliver_again(self) -> None:
        """Let the newest Changes be announced again, and give the reaction all it is done with."""
        self._relay.announce_again(ANNOUNCED_AGAIN)
        for change in self._told.won():
            self._relay.deliver_again(change)
            self._report.told[TWICE] += 1

    def _settled(self) -> bool:
        """Say whether nothing is under way and everything in the mirror is announced."""
        if not self._is_idle():
            return False
        self._told.take(self._changes.new(wait_seconds=1))
        behind = self._told.behind(self._relay.mirror())
        self._waits_for = f"{len(behind)} deals of the mirror to be announced: {behind[:5]}"
        return not behind and self._is_idle()

    def _is_idle(self) -> bool:
        return self._is_read() and not self._relay.at_work()

    def _is_read(self) -> bool:
        """Say whether track has nothing left to do; reactions may wait for longer."""
        outbox = self._portal.admin("state", "GET")["outbox"]
        return bool(outbox["idle"]) and not self._relay.messages("TrackQueue")

    def _await(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; that patience ends is a finding, and what follows is judged."""
        while not condition():
            if time.monotonic() > self._patience_ends:
                said = f"still {self._relay.at_work()}, and {self._waits_for}"
                self._report.findings.append(said)
                return
            time.sleep(POLL_SECONDS)

    def _judge_events(self, acts: Acts) -> None:
        """Where a deal's last event came through, no sweep is needed to know how the deal is."""
        # The guest may write at any time; its field is judged at the end.
        mirror, shown = self._relay.mirror(), self._shown()
        came = seen.last_event_came(self._portal) - {str(number) for number in acts.silent}
        for deal in came:
            form, item = mirror.get(deal, judge.Known()).form, shown.get(deal)
            if form and item:
                form[FIELD] = judge.UNKNOWN
            self._report.findings += judge.end(deal, "by events the mirror", form, item)
        self._report.told["known by events alone"] += len(came)

    def _judge(self, acts: Acts) -> None:
        findings, told = self._report.findings, self._report.told
        ends, mirror, shown = self._told.ends(findings), self._relay.mirror(), self._shown()
        for deal in sorted({*shown, *mirror, *ends}, key=int):
            known, item = mirror.get(deal, judge.Known()), shown.get(deal)
            findings += judge.end(deal, "the mirror", known.form, item)
            findings += judge.end(deal, "the last Change", ends.get(deal, known).form, item)
        for deal, changes in self._told.by_deal([]).items():
            findings += judge.order(acts.history.get(int(deal), ()), changes, deal)
        won = self._told.won()
        letters = self._relay.letters(change.change_id for change in won)
        found = seen.effects(self._portal, (change.id for change in won))
        findings += judge.effects(won, found, letters)
        findings += authors.origins(self._told.all())
        if "GuestFunction" in self._stack.resources:
            self._judge_guest(acts, shown)
        told.update(acts.done)
        told.update(self._told.counts())
        told["won"] += len(won)
        told["tasks"] += sum(map(len, found.tasks.values()))
        told["undecided"] += len({its.change_id for its in letters if its.undecided})

    def _judge_guest(self, acts: Acts, shown: dict[str, dict[str, object]]) -> None:
        changes = self._told.all()
        letters = self._relay.letters((its.change_id for its in changes), "Guest")
        titles = [str(lead["title"]) for lead in listed(self._portal, LEAD)]
        at = FIELDS.index("comments")
        said = {state[at] for states in acts.history.values() for state in states}
        texts = [str(its[FIELD]) for its in shown.values() if str(its[FIELD]).startswith(OURS)]
        ours = [title for title in titles if title.startswith(OURS)]
        self._report.findings += authors.guests(changes, ours, letters, (texts, said))
        self._report.told["leads made by a reaction"] += len(ours)

    def _shown(self) -> dict[str, dict[str, object]]:
        return {str(item["id"]): item for item in deals(self._portal)}

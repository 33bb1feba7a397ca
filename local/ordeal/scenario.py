"""The scenario of an ordeal: fill the mirror, edit with faults, settle, sweep, audit, judge."""

import random
import time
from collections.abc import Callable

from local.aws import LocalAws
from local.changes import Changes
from local.demo import DemoPortal
from local.ordeal import inspection, judge, origins
from local.ordeal.announcements import Announcements
from local.ordeal.edits import FIELDS, Editor
from local.ordeal.faults import FIRST_WIN, Faults, stale_answers
from local.ordeal.guest import FIELD, LEAD, OURS
from local.ordeal.listing import deals, listed
from local.ordeal.plan import Plan, Report
from local.stack import Stack
from ops.baseline import fill

QUEUE = "relay-ordeal"
TWICE = "messages delivered again"
SEEDED = 150
EMPTY_QUEUES = ("TrackDeadLetters", "AnnounceDeadLetters")
AT_ONCE = 6  # won Changes that are delivered again while the reaction works on them
AT_ONCE_UNTIL = 0.5  # of the time; such a second copy waits for half a minute
ANNOUNCED_AGAIN = 50
RACES, RACE_EDITS, RACE_SECONDS = 3, 40, 1.0
POLL_SECONDS = 0.3


class Scenario:
    """One ordeal of one stack and its portal."""

    def __init__(self, aws: LocalAws, portal: DemoPortal, stack: Stack, plan: Plan) -> None:
        self._aws, self._portal, self._stack, self._plan = aws, portal, stack, plan
        self._relay = inspection.RelayInspection(aws, stack)
        self._changes = Changes(aws, stack, QUEUE)
        self._announced = Announcements()
        self._report = Report()
        self._waits_for = "nothing"
        self._patience_ends = time.monotonic() + plan.patience_seconds

    def run(self) -> Report:
        """Run all steps; return the report."""
        findings, before = self._report.findings, self._dead_letters()
        try:
            with self._relay.brake_released():
                self._judge(self._edit_and_settle())
        finally:
            self._changes.close()
        if self._dead_letters() != before:
            findings.append(f"dead letters: {self._dead_letters()}, before {before}")
        return self._report

    def _dead_letters(self) -> dict[str, int]:
        return {name: self._relay.messages(name) for name in EMPTY_QUEUES}

    def _edit_and_settle(self) -> Editor:
        self._fill_mirror()
        dice = random.Random(self._plan.seed)
        editor = Editor(self._portal, dice)
        self._edit_with_faults(editor, dice)
        self._patience_ends = time.monotonic() + self._plan.patience_seconds
        self._await(self._is_read)
        self._judge_events(editor)
        self._race(editor)
        self._await(self._is_settled)
        self._deliver_again()
        self._await(self._is_settled)
        self._relay.sweep()
        self._await(self._is_settled)
        self._relay.make_audit_due()
        self._await(lambda: self._relay.sweep() == "done")
        self._await(self._is_settled)
        return editor

    def _fill_mirror(self) -> None:
        """Seed deals, fill the mirror, and keep its content as the begin of all chains."""
        self._portal.admin("seed", deals=SEEDED, contacts=0, events=False)
        fill(self._aws.client, self._stack.resources, inspection.PORTAL, lambda _: None, 60)
        self._await(lambda: not self._relay.busy_queues() and self._is_filled())
        self._announced.begin = self._relay.mirror()

    def _is_filled(self) -> bool:
        return self._relay.mirror().keys() >= {str(deal["id"]) for deal in deals(self._portal)}

    def _edit_with_faults(self, editor: Editor, dice: random.Random) -> None:
        plan, began, next_at = self._plan, time.monotonic(), self._plan.fault_every
        with Faults(self._aws, self._portal, self._stack, dice, hard=plan.hard) as faults:
            for number in range(plan.edits):
                share = number / plan.edits
                time.sleep(max(0, began + share * plan.seconds - time.monotonic()))
                editor.edit(may_win=plan.hard or share > FIRST_WIN)
                if share * plan.seconds >= next_at:
                    faults.next(share)
                    next_at += plan.fault_every
                    self._deliver_at_once(share)
        self._report.counts.update(faults.done)

    def _race(self, editor: Editor) -> None:
        """Edit a few deals so often that two functions read them at once, with no other fault."""
        for _ in range(RACES):
            with stale_answers(self._portal):
                for _ in range(RACE_EDITS):
                    editor.rename_hot()
                    time.sleep(RACE_SECONDS / RACE_EDITS)
                self._await(self._is_read)
            self._judge_events(editor)

    def _deliver_at_once(self, share: float) -> None:
        """Deliver some messages to the reaction again while it works on them."""
        self._announced.take(self._changes.new())
        done = self._report.counts[TWICE]
        for change in self._announced.won()[done : AT_ONCE if share < AT_ONCE_UNTIL else 0]:
            self._relay.deliver_again(change)
            self._report.counts[TWICE] += 1

    def _deliver_again(self) -> None:
        """Announce the newest records again, and deliver all finished Changes to the reaction."""
        self._relay.announce_again(ANNOUNCED_AGAIN)
        for change in self._announced.won():
            self._relay.deliver_again(change)
            self._report.counts[TWICE] += 1

    def _is_settled(self) -> bool:
        """Return whether no queue is busy and every row of the mirror is announced."""
        if not self._is_idle():
            return False
        self._announced.take(self._changes.new(wait_seconds=1))
        behind = self._announced.behind(self._relay.mirror())
        self._waits_for = f"{len(behind)} deals of the mirror to be announced: {behind[:5]}"
        return not behind and self._is_idle()

    def _is_idle(self) -> bool:
        return self._is_read() and not self._relay.busy_queues()

    def _is_read(self) -> bool:
        """Return whether track has handled all events; reactions may take longer."""
        outbox = self._portal.admin("state", "GET")["outbox"]
        return bool(outbox["idle"]) and not self._relay.messages("TrackQueue")

    def _await(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; the end of patience is a finding, and the run goes on."""
        while not condition():
            if time.monotonic() > self._patience_ends:
                busy = self._relay.busy_queues()
                self._report.findings.append(f"still busy: {busy}, and {self._waits_for}")
                return
            time.sleep(POLL_SECONDS)

    def _judge_events(self, editor: Editor) -> None:
        """Check the deals whose last event came through: the mirror must need no sweep for them."""
        # The guest may write at any time; its field is judged at the end.
        mirror, shown = self._relay.mirror(), self._shown()
        came = inspection.last_event_came(self._portal) - {str(deal) for deal in editor.silent}
        for deal in came:
            form, item = mirror.get(deal, judge.DealState()).form, shown.get(deal)
            if form and item:
                form[FIELD] = judge.UNKNOWN
            self._report.findings += judge.end(deal, "by events the mirror", form, item)
        self._report.counts["right by events alone"] += len(came)

    def _judge(self, editor: Editor) -> None:
        findings, counts = self._report.findings, self._report.counts
        ends, mirror, shown = self._announced.ends(findings), self._relay.mirror(), self._shown()
        for deal in sorted({*shown, *mirror, *ends}, key=int):
            state, item = mirror.get(deal, judge.DealState()), shown.get(deal)
            findings += judge.end(deal, "the mirror", state.form, item)
            findings += judge.end(deal, "the last Change", ends.get(deal, state).form, item)
        for deal, changes in self._announced.by_deal([]).items():
            findings += judge.order(editor.history.get(int(deal), ()), changes, deal)
        won = self._announced.won()
        letters = self._relay.dead_letters(change.change_id for change in won)
        effects = inspection.effects(self._portal, (change.id for change in won))
        findings += judge.effects(won, effects, letters)
        findings += origins.marked_as_ours(self._announced.all())
        if "GuestFunction" in self._stack.resources:
            self._judge_guest(editor, shown)
        counts.update(editor.done)
        counts.update(self._announced.counts())
        counts["won"] += len(won)
        counts["tasks"] += sum(map(len, effects.tasks.values()))
        counts["undecided"] += len({letter.change_id for letter in letters if letter.undecided})

    def _judge_guest(self, editor: Editor, shown: dict[str, dict[str, object]]) -> None:
        changes = self._announced.all()
        letters = self._relay.dead_letters((change.change_id for change in changes), "Guest")
        titles = [str(lead["title"]) for lead in listed(self._portal, LEAD)]
        at = FIELDS.index("comments")
        typed = {state[at] for states in editor.history.values() for state in states}
        texts = [text for item in shown.values() if (text := str(item[FIELD])).startswith(OURS)]
        ours = [title for title in titles if title.startswith(OURS)]
        self._report.findings += origins.lead_findings(changes, ours, letters)
        self._report.findings += origins.text_findings(texts, typed)
        self._report.counts["leads made by a reaction"] += len(ours)

    def _shown(self) -> dict[str, dict[str, object]]:
        """Return the portal's deals by id."""
        return {str(item["id"]): item for item in deals(self._portal)}

"""What happened to an item, step by step: log lines, the history and checkpoints put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ops.log_search import Line
from ops.mapping import logical_id
from ops.trace_lines import Step, is_about, mapping, record_of, step_of
from ops.trace_writes import Checkpoints, texts_of
from relay.history import PastChange

READ_SECONDS = 1.0  # a reading lies in the time that track logs, give or take clocks
ECHO_SECONDS = 900.0  # an echo is read within minutes of its write
ANNOUNCED_SECONDS = 120.0  # after a reading its change is in the history, if there is one
MAX_FIELDS = 6


@dataclass
class Trace:
    """The steps of one change, or of a reading that found nothing changed."""

    change: PastChange | None
    events: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Return the time from the first step to the last."""
        return self.steps[-1].at - self.steps[0].at if self.steps else 0.0


def assemble(
    subject: str,
    lines: Sequence[Line],
    changes: Sequence[PastChange],
    checkpoints: Checkpoints,
    now: float,
) -> list[Trace]:
    """Return the traces of an item (`deal/662`), the oldest first."""
    traces = [Trace(change) for change in changes]
    lines = [line for line in lines if is_about(line, subject)]
    for line in lines:
        if line.get("message") == "read" and subject in mapping(line, "hinted"):
            trace = _of_reading(line, traces)
            if trace is None:
                trace = Trace(None)
                traces.append(trace)
            trace.events |= {str(one) for one in mapping(line, "hinted")[subject]}
            trace.steps.append(_reading(line, trace, now))
    for trace in traces:
        if trace.change:
            _add_lost_reading(trace, traces, lines)
            trace.steps.append(_changed(trace.change))
            trace.steps += _echoes(trace.change, changes)
    _add_lines(subject, lines, traces)
    for trace in traces:
        trace.steps.sort(key=lambda step: step.at)
        _add_writes(trace, checkpoints, now)
    return sorted((one for one in traces if one.steps), key=lambda one: one.steps[0].at)


def _add_lost_reading(trace: Trace, traces: Iterable[Trace], lines: Iterable[Line]) -> None:
    """Add the events of a change whose reading has no log line, as its run was killed."""
    change = trace.change
    if not change or change.via != "event" or trace.steps:
        return
    others = [one for one in traces if one.change and one is not trace]
    former = max(
        (one.change.at for one in others if one.change and one.change.at < change.at), default=0.0
    )
    read = {event for one in others for event in one.events}
    trace.events = {
        line.get("event_id")
        for line in lines
        if line.get("message") == "published"
        and former < line.at <= change.at
        and line.get("event_id") not in read
    }
    if trace.events:
        trace.steps.append(Step(change.at, "track", "read; no log line of it is left"))


def _add_lines(subject: str, lines: Sequence[Line], traces: list[Trace]) -> None:
    """Add the steps that lines tell of; each record that was not read yet has its own trace."""
    waiting: dict[str, Trace] = {}
    for line in lines:
        if step := step_of(line, subject):
            owners = [one for one in traces if _belongs(line, one, subject)]
            if not owners:
                record = record_of(line) or str(*mapping(line, "changes").get(subject, ())[:1])
                owners = [waiting.setdefault(record, Trace(None, {record}))]
            # A line may announce two changes of an item, and an event may be read twice.
            for owner in owners:
                owner.steps.append(step)
    logged = {record_of(line) for line in lines if line.get("message") == "published"}
    for trace in traces:
        began = min((step.at for step in trace.steps), default=0.0)
        trace.steps += [
            Step(began, "ingress", f"{event}: no log line of this event was found")
            for event in sorted(trace.events - logged)
        ]
    traces += waiting.values()


def _add_writes(trace: Trace, checkpoints: Checkpoints, now: float) -> None:
    """Add what reactions wrote to the last step of each; a run that was killed has left none."""
    records = trace.events | ({trace.change.change_id} if trace.change else set())
    for (reaction, record), checkpoint in checkpoints.items():
        if record not in records or not checkpoint.writes:
            continue
        writes = tuple(texts_of(checkpoint, now))
        names = {reaction, logical_id(reaction)}
        at = max((at for at, step in enumerate(trace.steps) if step.who in names), default=None)
        if at is None:
            last = max(write.at for write in checkpoint.writes)
            text = "wrote; no log line of its end is there yet"
            trace.steps.append(Step(last, reaction, text, writes))
            trace.steps.sort(key=lambda step: step.at)
        else:
            trace.steps[at] = trace.steps[at]._replace(more=writes)


def _of_reading(line: Line, traces: Iterable[Trace]) -> Trace | None:
    """Return the trace of the change that a reading found: the next one in time.

    Runs of an item overlap: of several changes in a run's time the first without a reading is its.
    """
    began = float(line.fields["began"])
    ended = began + float(line.fields["seconds"])
    found = [
        (max(began - trace.change.at, 0.0), bool(trace.steps), at, trace)
        for at, trace in enumerate(traces)
        if trace.change and began - READ_SECONDS <= trace.change.at <= ended
    ]
    return min(found)[3] if found else None


def _reading(line: Line, trace: Trace, now: float) -> Step:
    others = int(line.fields["items"]) - 1
    requests, seconds = int(line.fields["requests"]), float(line.fields["seconds"])
    together = f" with {others} others" if others > 1 else " with another" if others else ""
    plural = "" if requests == 1 else "s"
    text = f"read{together} in {requests} request{plural}, {seconds:.1f} s"
    if not trace.change:
        is_recent = now - line.at < ANNOUNCED_SECONDS
        text += "; no change is announced yet" if is_recent else "; nothing differed"
    return Step(line.at, "track", text)


def _changed(change: PastChange) -> Step:
    names = list(change.before or {})
    more = f" and {len(names) - MAX_FIELDS} more" if len(names) > MAX_FIELDS else ""
    text = f"{change.action} {', '.join(names[:MAX_FIELDS])}{more}".rstrip()
    if change.origin == "relay":
        text += f"; an echo of {change.reaction or 'a reaction'}, which no reaction gets"
    return Step(change.at, "mirror", text)


def _echoes(change: PastChange, changes: Iterable[PastChange]) -> list[Step]:
    return [
        Step(one.at, "echo", f"recognised: {one.change_id}, written by {one.reaction}")
        for one in changes
        if one.origin == "relay"
        and one.reaction
        and 0 < one.at - change.at <= ECHO_SECONDS
        and one.version == change.version + 1
    ]


def _belongs(line: Line, trace: Trace, subject: str) -> bool:
    """Say whether a line is about a trace's change, or about an event that was read for it."""
    record = record_of(line)
    if trace.change and record == trace.change.change_id:
        return True
    if trace.change and trace.change.change_id in mapping(line, "changes").get(subject, ()):
        return True
    return bool(record) and record in trace.events

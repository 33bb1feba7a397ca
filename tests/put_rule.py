"""The put rule as an exhaustive model of one item: every interleaving, crash and lost answer.

A reader is one handling of one hint: begin (read the row), look (the portal's content at one true
instant), put. It may stop for ever at any point, and the answer of a put may be lost. Readers are
of three kinds: `first` (the first filling, and any hint before its end), `later` (any hint after
it), and `add` (an ADD event). Checked in every reachable state:
  order      the mirror's contents are a subsequence of the portal's, in order
  caught up  once a reader that began after the last write is done, mirror = portal, and stays so
  bounded    no reader looks more than twice; only an ADD's hint may have to come back
  added      an ADD reader that saw the item is not done before the item was announced as added, or
             put as deleted; nothing is announced as added twice without a deletion in between
"""

from collections import deque
from typing import NamedTuple

ABSENT = "absent"
CONTENTS = ("a", "b", ABSENT)


class Row(NamedTuple):
    """What the mirror holds; `open`: put quietly, and no ADD event has announced it."""

    content: str
    seq: int
    open: bool


class Reader(NamedTuple):
    """One handling of one hint; `newest`: it began after the last write."""

    kind: str
    phase: str = "waiting"  # waiting, begun, looked, done
    first_base: int = 0
    base: int = 0
    content: str = ""
    looks: int = 0
    newest: bool = False


class State(NamedTuple):
    """One state; `history`: the portal's contents from the last that the mirror matched on."""

    history: tuple[str, ...]
    row: Row | None
    readers: tuple[Reader, ...]
    writes: int
    settled: bool = False
    alive: bool = False  # announced as added, and not as deleted since
    ever: bool = False


def right(row, reader):
    """Return what a reader does next: `put`, `done` or `look again`."""
    if (row.seq if row else 0) == reader.base:
        return "put"
    if reader.kind == "add" and reader.content != ABSENT and row.open:
        return "look again"
    if row.seq >= reader.first_base + 2 or row.content == reader.content:
        return "done"
    return "look again"


def left_to_others(row, reader):
    """Break the rule: an ADD's reading counts as any other once others have put."""
    return right(row, reader._replace(kind="later"))


def carried(row, reader):
    """Return whether the row stays open under a reader's put."""
    return bool(row and row.open and reader.content != ABSENT and reader.kind != "add")


def put(state, reader, carry):
    """Return the row after a put, what is announced since, and the history that is left."""
    row, history, alive, ever = state.row, state.history, state.alive, state.ever
    before = row.content if row else ABSENT
    first = row is None
    quiet = first and reader.kind == "first"
    opened = quiet and reader.content != ABSENT
    added = reader.kind == "add" and reader.content != ABSENT and bool(row and row.open)
    if added or (not quiet and before == ABSENT != reader.content):
        assert not alive, "added: announced twice"
        alive = ever = True
    elif reader.content == ABSENT:
        alive, ever = False, True  # the first life is over; what follows a tombstone is added
    if reader.content != before:
        assert reader.content in history[1:], f"order: {before} -> {reader.content}, {history}"
        history = history[1 + history[1:].index(reader.content) :]
    fresh = Row(reader.content, (row.seq if row else 0) + 1, opened or carry(row, reader))
    return fresh, history, alive, ever


def steps(state, rule, carry, stale):
    """Yield every next state; raises AssertionError with the promise that breaks."""
    if state.writes:
        for content in CONTENTS:
            if content != state.history[-1]:
                older = tuple(one._replace(newest=False) for one in state.readers)
                yield state._replace(
                    history=(*state.history, content),
                    readers=older,
                    writes=state.writes - 1,
                    settled=False,
                )
    for at, reader in enumerate(state.readers):

        def after(changed, at=at, **changes):
            readers = (*state.readers[:at], changed, *state.readers[at + 1 :])
            return state._replace(readers=tuple(sorted(readers)), **changes)

        if reader.phase == "waiting":
            seq = state.row.seq if state.row else 0
            for base in {seq, max(seq - 1, 0)} if stale else {seq}:
                yield after(Reader(reader.kind, "begun", base, base, newest=True))
        elif reader.phase == "begun":
            saw = state.history[-1]
            yield after(reader._replace(phase="looked", content=saw, looks=reader.looks + 1))
        elif reader.phase == "looked":
            yield from _judge(state, reader, rule, carry, after)


def _judge(state, reader, rule, carry, after):
    verdict = rule(state.row, reader)
    ever, changes = state.ever, {}
    if verdict == "put":
        row, history, alive, ever = put(state, reader, carry)
        changes = {"row": row, "history": history, "alive": alive, "ever": ever}
        yield after(reader, **changes)  # the answer is lost
    if verdict == "look again":
        if reader.looks < 2:
            yield after(reader._replace(phase="begun", base=state.row.seq))
        else:
            assert reader.kind == "add", "bounded: a third look"
            yield after(Reader(reader.kind))
        return
    assert reader.kind != "add" or reader.content == ABSENT or ever, "added: never announced"
    yield after(Reader(reader.kind, "done"), **changes, settled=state.settled or reader.newest)


def explore(kinds, writes, rule=right, carry=carried, *, stale=False):
    """Go through all interleavings; returns the promise that breaks ("" if none) and the states."""
    start = State((ABSENT,), None, tuple(sorted(map(Reader, kinds))), writes)
    reached, queue = {start}, deque([start])
    while queue:
        state = queue.popleft()
        mirrored = state.row.content if state.row else ABSENT
        if state.settled and mirrored != state.history[-1]:
            return "caught up: the mirror stays behind", len(reached)
        try:
            for following in steps(state, rule, carry, stale):
                if following not in reached:
                    reached.add(following)
                    queue.append(following)
        except AssertionError as broken:
            return str(broken), len(reached)
    return "", len(reached)

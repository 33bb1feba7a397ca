"""ops.trace, ops.traced, ops.log_search: every step of an item's way, and no other's."""

import json
import time
from itertools import pairwise

import pytest

from ops import trace
from ops.deployed import Deployed
from ops.log_search import Line, Span, search
from ops.trace import command
from ops.traced import assemble
from relay.history import PastChange
from relay.reaction.checkpoint import Checkpoint, Write

CHANGE = "main.deal.66.b.7"
AT = 1_796_000_000.0


def line(after, service, message, **fields):
    """Return a line of a function, so many seconds after AT."""
    return Line(AT + after, {"service": service, "message": message, **fields})


def past(version=7, seconds=2.0, **more):
    """Return a change as the history has it."""
    fields = {"origin": "portal", "via": "event", "before": {"stageId": "NEW", "movedTime": None}}
    return PastChange(
        change_id=f"main.deal.66.b.{version}", at=AT + seconds, action="updated", **fields | more
    )


def published(seconds=0.0, event="e1", subject="deal/66"):
    """Return ingress's line about an event."""
    about = {"event_id": event, "event_name": "ONCRMDEALUPDATE", "subject": subject}
    return line(seconds, "ingress", "published", portal="main", **about)


def read(seconds=2.5, hinted=None, items=1, requests=1):
    """Return track's line about a reading that took a second."""
    about = {"items": items, "requests": requests, "began": AT + seconds - 1, "seconds": 1.0}
    return line(
        seconds, "track", "read", portal="main", hinted=hinted or {"deal/66": ["e1"]}, **about
    )


def handled(seconds=4.0, service="FollowUp", **about):
    """Return a reaction's line about a record."""
    return line(seconds, service, "handled", subject="deal/66", **about or {"change_id": CHANGE})


ANNOUNCED = line(3.0, "announce", "announced", changes={"deal/66": [CHANGE], "deal/7": ["x"]})
WRITES = [
    Write("tasks.task.add", 0, "d", AT, done=True, result='{"task": {"id": "3"}}'),
    Write("crm.timeline.comment.add", 0, "d", AT),
]
UNTIL = time.strftime("%H:%M:%S", time.gmtime(AT + 65))
CHECKPOINTS = {("follow_up", CHANGE): Checkpoint("k", until=AT + 65, writes=WRITES)}


def texts(traces):
    """Return the texts of each trace's steps, with what belongs to them."""
    return [[text for step in one.steps for text in (step.text, *step.more)] for one in traces]


def test_a_change_is_told_from_its_event_to_its_effects():
    """Event, reading with others, difference, publication, each reaction with its writes."""
    lines = [published(), read(items=42, requests=2), ANNOUNCED, handled()]
    lines.append(handled(1.0, "journal", event_id="e1"))
    (one,) = assemble("deal/66", lines, [past()], CHECKPOINTS, AT + 10)
    assert texts([one])[0] == [
        "ONCRMDEALUPDATE verified, published",
        "handled",
        "updated stageId, movedTime",
        "read with 41 others in 2 requests, 1.0 s",
        "published",
        "handled",
        'tasks.task.add: done {"task": {"id": "3"}}',
        f"crm.timeline.comment.add: under way until {UNTIL} at most",
    ]
    assert one.seconds == 4.0


def test_a_change_whose_reading_left_no_line_has_its_events():
    """A run of track that is killed after its put leaves no line: the events before it were read.

    Events of the change before, and those that came after the reading, are not among them.
    """
    former = past(6, -20.0)
    lines = [published(-22.0, "e0"), read(-19.5, {"deal/66": ["e0"]})]
    lines += [published(), published(1.0, "e2"), published(30.0, "e3")]
    lines.append(read(31.0, {"deal/66": ["e1", "e2", "e3"]}))
    traces = assemble("deal/66", lines, [former, past()], {}, AT + 200)
    assert texts(traces[:2]) == [
        [
            "ONCRMDEALUPDATE verified, published",
            "updated stageId, movedTime",
            "read in 1 request, 1.0 s",
        ],
        [
            "ONCRMDEALUPDATE verified, published",
            "ONCRMDEALUPDATE verified, published",
            "read; no log line of it is left",
            "updated stageId, movedTime",
        ],
    ]
    assert [one.events for one in traces] == [{"e0"}, {"e1", "e2"}, {"e1", "e2", "e3"}]


def test_runs_that_overlap_have_a_change_each():
    """Both changes lie in the time of both runs; a run that found nothing takes none away."""
    lines = [published(-3.0, "e0"), published(-2.0, "e1")]
    lines += [read(at, {"deal/66": [event]}) for at, event in ((3.0, "e0"), (3.4, "e1"))]
    traces = assemble("deal/66", lines, [past(6, 2.5), past(7, 2.9)], {}, AT + 200)
    assert [one.events for one in traces] == [{"e0"}, {"e1"}]
    (one,) = assemble("deal/66", lines, [past(7, 2.9)], {}, AT + 200)
    assert one.events == {"e0", "e1"}


def test_an_event_that_was_read_twice_is_told_with_both_readings():
    """Its message came back after the first one."""
    lines = [published(), read(2.0), read(9.0)]
    traces = assemble("deal/66", lines, [past(6, 1.5), past(7, 8.4)], {}, AT + 200)
    assert [[step.who for step in one.steps] for one in traces] == [
        ["ingress", "mirror", "track"]
    ] * 2


def test_an_event_that_left_no_line_is_named_by_its_reading():
    """Ingress was killed after it had published: the reading has the event's id."""
    lines = [published(), read(2.5, {"deal/66": ["e1", "e9"]})]
    (one,) = assemble("deal/66", lines, [past()], {}, AT + 200)
    assert [step.text for step in one.steps if step.who == "ingress"] == [
        "ONCRMDEALUPDATE verified, published",
        "e9: no log line of this event was found",
    ]


def test_two_changes_of_an_item_in_one_line_and_a_second_apart_are_told_apart():
    """Each was announced by that line, and each reading belongs to the change that it found."""
    both = line(4.0, "announce", "announced", changes={"deal/66": ["main.deal.66.b.6", CHANGE]})
    lines = [read(2.0, {"deal/66": ["e0"]}), read(3.0, {"deal/66": ["e1"]}), both]
    lines += [published(0.0, "e0"), published(0.5, "e1")]
    traces = assemble("deal/66", lines, [past(6, 1.5), past(7, 2.4)], {}, AT + 200)
    assert [[step.who for step in one.steps] for one in traces] == [
        ["ingress", "mirror", "track", "announce"]
    ] * 2
    assert [one.events for one in traces] == [{"e0"}, {"e1"}]


def test_a_reaction_that_was_killed_before_its_line_is_told_by_its_writes():
    """The checkpoint says what it wrote; a line of another reaction says nothing of that."""
    lines = [read(), ANNOUNCED, handled(service="Journal")]
    (one,) = assemble("deal/66", lines, [past()], CHECKPOINTS, AT + 10)
    (wrote,) = [step for step in one.steps if step.who == "follow_up"]
    assert wrote.at == AT
    assert [wrote.text, *wrote.more] == [
        "wrote; no log line of its end is there yet",
        'tasks.task.add: done {"task": {"id": "3"}}',
        f"crm.timeline.comment.add: under way until {UNTIL} at most",
    ]


def test_a_write_whose_answer_was_lost_is_said():
    """After the lease nothing is under way; the last line of the reaction has its writes."""
    about = {"subject": "deal/66", "change_id": CHANGE}
    back = line(30.0, "FollowUp", "comes back", seconds=30, reason="ANSWER_LOST", **about)
    gone = line(90.0, "FollowUp", "dead-lettered", reason="look in the portal", **about)
    (one,) = assemble("deal/66", [back, gone], [past()], CHECKPOINTS, AT + 100)
    assert [len(step.more) for step in one.steps] == [0, 0, 2]
    assert one.steps[-1].text == "given up: look in the portal"
    assert one.steps[-1].more[1] == "crm.timeline.comment.add: sent, its answer is not known"


def test_a_reading_that_finds_nothing_is_told():
    """An event that changed nothing has a trace of its own, and so has one not read yet."""
    lines = [published(), read(), published(60, "e2")]
    assert texts(assemble("deal/66", lines, [], {}, AT + 190)) == [
        [
            "ONCRMDEALUPDATE verified, published",
            "read in 1 request, 1.0 s; nothing differed",
        ],
        ["ONCRMDEALUPDATE verified, published"],
    ]


def test_a_change_that_is_not_announced_yet_is_no_missing_one():
    """Announce is a moment behind the reading, and nobody guesses meanwhile."""
    ((_, text),) = texts(assemble("deal/66", [published(), read()], [], {}, AT + 5))
    assert text.endswith("; no change is announced yet")


def test_lines_of_another_item_are_left_out():
    """The log's search for deal/66 finds deal/662 as well."""
    other = "deal/662"
    lines = [
        published(subject=other),
        read(hinted={other: ["e1"]}),
        line(3, "announce", "announced", changes={other: ["main.deal.662.b.7"]}),
        line(4, "FollowUp", "handled", subject=other, change_id="main.deal.662.b.7"),
        line(5, "track", "not read", item=f"main/{other}", reason="R"),
    ]
    assert texts(assemble("deal/66", lines, [past()], {}, AT)) == [["updated stageId, movedTime"]]


def test_an_echo_is_told_on_both_sides():
    """The cause names its echo, and the echo the reaction that wrote it."""
    echo = past(8, 5.0, origin="relay", reaction="tidy_phone", before={"fm": None})
    first, second = assemble("deal/66", [], [past(), echo], {}, AT + 10)
    assert texts([first])[0][1] == "recognised: main.deal.66.b.8, written by tidy_phone"
    assert texts([second]) == [["updated fm; an echo of tidy_phone, which no reaction gets"]]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            line(4, "FollowUp", "comes back", subject="deal/66", change_id=CHANGE, seconds=47,
                 reason="QUERY_LIMIT_EXCEEDED"),
            "comes back in 47 s: QUERY_LIMIT_EXCEEDED",
        ),
        (
            line(4, "FollowUp", "dead-lettered", subject="deal/66", change_id=CHANGE, reason="R"),
            "given up: R",
        ),
        (
            line(4, "operator", "dropped", subject="deal/66", record_id=CHANGE, by="ada", why="W"),
            "dropped by ada: W",
        ),
        (line(4, "FollowUp", "looked up", subject="deal/66", change_id=CHANGE), "looked up"),
    ],
)  # fmt: skip
def test_what_waits_and_what_was_given_up_is_told(found, text):
    """A record that comes back says when and why; so does what an operator did with it."""
    (one,) = assemble("deal/66", [found], [past()], {}, AT)
    assert texts([one])[0][-1] == text


def test_a_bug_is_told_with_its_class_and_place():
    """`'title'` alone would say nothing; an error of the relay's own is its reason."""
    about = {"subject": "deal/66", "change_id": CHANGE, "seconds": 5}
    bug = {"error": "KeyError", "reason": "'title'", "at": "relay/reactions/x.py:17"}
    lines = [line(4, "X", "comes back", **about, **bug)]
    lines.append(line(5, "X", "comes back", **about, error="TransientError", reason="m: 503"))
    (one,) = assemble("deal/66", lines, [past()], {}, AT)
    assert texts([one])[0][1:] == [
        "comes back in 5 s: KeyError: 'title' (relay/reactions/x.py:17)",
        "comes back in 5 s: m: 503",
    ]


def test_each_record_without_a_reading_has_a_trace_of_its_own():
    """Lines of two events, of a Change without a row, and of an unread item are not mixed."""
    lines = [published(), published(1.0, "e2"), handled(2.0, event_id="e2"), ANNOUNCED]
    lines.append(line(5.0, "track", "not read", item="main/deal/66", reason="R"))
    assert texts(assemble("deal/66", lines, [], {}, AT)) == [
        ["ONCRMDEALUPDATE verified, published"],
        ["ONCRMDEALUPDATE verified, published", "handled"],
        ["published"],
        ["not read: R"],
    ]


class Aws:
    """A log, a history of one item, and no checkpoints."""

    def __init__(self, lines, rows=()):
        self.lines, self.rows, self.asked = lines, rows, []

    def __call__(self, _service):
        """Return the client of any service."""
        return self

    def get_paginator(self, _operation):
        """Return a paginator: this object."""
        return self

    def paginate(self, **asked):
        """Yield an empty page, and one with the lines in the span that contain the pattern."""
        self.asked.append(asked)
        yield {"events": []}
        text = asked["filterPattern"].strip('"')
        yield {
            "events": [
                {"timestamp": int(one.at * 1000), "message": json.dumps(one.fields)}
                for one in self.lines
                if text in json.dumps(one.fields)
                and asked["startTime"] <= one.at * 1000 <= asked["endTime"]
            ]
        }

    def query(self, **_):
        """Return the history, the newest first."""
        return {"Items": [one.to_item(0) for one in self.rows[::-1]]}

    def batch_get_item(self, *, RequestItems):  # noqa: N803
        """Return the checkpoint of the change."""
        (name, asked), *_ = RequestItems.items()
        row = Checkpoint(f"done#follow_up#{CHANGE}", "o", AT, 0, WRITES[:1]).to_item(AT)
        wanted = [key["pk"]["S"] for key in asked["Keys"]]
        return {"Responses": {name: [row] if row["pk"]["S"] in wanted else []}}


STACK = Deployed(
    "relay",
    {"LogGroup": "log"},
    {},
    {"History": "History", "StateTable": "State", "FollowUpFunctionQueue": "uuid"},
)
ALL = [published(), read(), ANNOUNCED, handled()]


@pytest.fixture
def aws(aws_clients, times):
    """Return the function that sets what the commands find, a minute later."""

    def use(lines, rows=()):
        aws_clients.every = fake = Aws(lines, rows)
        aws_clients.deploy(STACK)["logs"] = fake
        times.stand(AT + 60)
        return fake

    return use


@pytest.mark.parametrize(
    "asked",
    [{"item": "deal/66"}, {"change": CHANGE}, {"request": "e1"}],
    ids=lambda one: next(iter(one)),
)
def test_an_item_a_change_and_a_request_lead_to_the_same(aws, asked, capsys):
    """Each is traced to its end, the writes of the reaction among it."""
    aws(ALL, [past()])
    (one,) = command(**asked).document["traces"]
    assert one["change"] == CHANGE
    assert one["steps"][-1]["writes"] == ['tasks.task.add: done {"task": {"id": "3"}}']
    out = capsys.readouterr().out
    assert f"deal/66  {CHANGE}  4.0 s, 2026-11-30 UTC" in out
    assert "+4.000  FollowUp      handled" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_reaction_whose_filter_kept_the_change_away_is_named(aws, monkeypatch, capsys):
    """Who asks why nothing ran finds the condition; one that has a step is not named."""
    aws(ALL, [past()])
    kept = {CHANGE: {"mark_won": "data.passed: WON", "follow_up": "data.origin: portal"}}
    monkeypatch.setattr(trace, "kept_away", lambda *_: kept)
    (one,) = command(change=CHANGE).document["traces"]
    assert one["kept_from"] == {"mark_won": "data.passed: WON"}
    text = "  mark_won did not get it: its filter asks for data.passed: WON"
    assert text in capsys.readouterr().out.splitlines()


FORMER = "main.deal.66.b.6"
EARLIER = [
    published(-20, "e0"),
    read(-17, {"deal/66": ["e0"]}),
    line(-16, "announce", "announced", changes={"deal/66": [FORMER]}),
    handled(-15, change_id=FORMER),
]


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        ({"item": "deal/66"}, [CHANGE, None]),
        ({"item": "deal/66", "since": "2026-11-30"}, [FORMER, CHANGE, None]),
        ({"change": CHANGE}, [CHANGE]),
        ({"change": FORMER}, [FORMER]),
        ({"request": "e0"}, [FORMER]),
    ],
)
def test_lines_of_an_earlier_change_are_no_change_that_was_missed(aws, asked, changes):
    """A reading minutes before the last change, which found one, is not told as without any."""
    aws([*EARLIER, *ALL, published(50, "e3")], [past(6, -18.0), past()])
    traces = command(**asked).document["traces"]
    assert [one["change"] for one in traces] == changes
    assert all("differed" not in step["what"] for one in traces for step in one["steps"])


def test_the_oldest_of_many_changes_is_found_by_its_request(aws):
    """More changes than a trace shows have come since; its own is among the first of them."""
    later = [past(8 + number, 10.0 + number) for number in range(trace.MAX_CHANGES)]
    aws(ALL, [past(), *later])
    (one,) = command(request="e1").document["traces"]
    assert one["change"] == CHANGE


def test_only_the_hours_around_a_change_are_searched(aws):
    """A log of months is not read whole for one old change."""
    fake = aws(ALL, [past(seconds=-90 * 86400)])
    command(change=CHANGE)
    begin, end = _searched(fake)
    assert end - begin == (900 + 3600) * 1000


def _searched(fake):
    """Return the ends of the span of which all parts were asked for."""
    asked = sorted((one["startTime"], one["endTime"]) for one in fake.asked)
    assert all(end == begin for (_, end), (begin, _) in pairwise(asked))
    return asked[0][0], asked[-1][1]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "trace needs one of ITEM"),
        ({"item": "deal/66", "change": CHANGE}, "trace needs one of ITEM"),
        ({"item": "deal"}, "is no item"),
        ({"change": "deal/66"}, "is no change's id"),
        ({"change": "main.deal.66.b.9"}, "is not in the history: it is older, or never was"),
        ({"request": "no such"}, "is no id of a request"),
        ({"request": "e9"}, "no line of ingress names e9"),
    ],
)
def test_what_can_not_be_traced_is_said(aws, asked, text):
    """A wrong id, one that never was, and one that is too old are told apart."""
    aws(ALL, [past()])
    with pytest.raises(SystemExit, match=text):
        command(**asked)


def test_a_request_that_was_refused_ends_there(aws, capsys):
    """Its line says why, and there is no item to trace."""
    aws([line(0, "ingress", "refused", request_id="r1", code="not_verified", reason="no token")])
    assert command(request="r1").document["traces"] == []
    assert "r1: refused: no token" in capsys.readouterr().out


def test_an_item_that_never_was_is_said(aws, capsys):
    """No line and no change is a sentence."""
    aws([])
    assert command(item="deal/5").document["traces"] == []
    assert "deal/5 of portal main: no change, and no line" in capsys.readouterr().out


def test_spans_that_overlap_are_read_once():
    """Each part is read once, each line found once, those of others' formats left out."""
    fake = Aws([published(), Line(AT + 1, {"a": "deal/66"}), published(7.5, "e2")])
    spans = [Span(AT + 5, AT + 15), Span(AT - 5, AT + 5), Span(AT, AT + 10)]
    found = search(fake, "log", "deal/66", spans)
    assert [line.get("event_id") for line in found] == ["e1", "e2"]
    assert _searched(fake) == (int(AT - 5) * 1000, int(AT + 15) * 1000)
    assert len(fake.asked) == 4
    fake.asked.clear()
    search(fake, "log", "deal/66", [Span(AT, AT + 8), Span(AT + 20, AT + 28)])
    assert len(fake.asked) == 4


def test_a_line_is_as_old_as_it_says():
    """The log has a line a moment later than the function wrote it."""
    fields = {"message": "m", "timestamp": "2026-11-30 20:33:38,975+0000", "x": "deal/66"}
    (found,) = search(Aws([Line(AT, fields)]), "log", "deal/66", [Span(0, AT + 1)])
    assert found.at == pytest.approx(1_796_070_818.975)

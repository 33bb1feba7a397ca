"""ops.dead, ops.letter, ops.drop: what was given up is shown, and dropped with a reason."""

import base64
import json
import time
import zlib

import pytest

from ops import letter
from ops.audit import open_audit
from ops.dead import Survey, document_of, preview, show, survey
from ops.dead_letters import DeadLetters, queues_of
from ops.drop import command, drop
from ops.letter import UNEXPLAINED, Chosen, Record, content_of, group_of, record_of
from ops.stopping import Stop
from tests.dead_letter_aws import RECORD, RESOURCES, DeadLetterAws

HOUR = 3600


@pytest.fixture
def aws():
    """Return empty queues."""
    return DeadLetterAws()


def change(number, letters=""):
    """Return a deal's Change as a message."""
    about = {"specversion": "1.0", "id": f"main.deal.{number}.1.2", "subject": f"deal/{number}"}
    return json.dumps(about | {"data": letters})


def surveyed(aws, name="", **chosen):
    """Return a survey of the queues; no letter stays hidden."""
    found = survey(aws, queues_of(RESOURCES, name), Chosen(**chosen))
    for url, letters in aws.queues.items():
        assert len(aws.bodies(url)) == len(letters)
    return found


def test_letters_are_grouped_by_their_reason(aws, capsys):
    """Numbers and quoted texts make no other reason; each letter has its item, age and change."""
    now = int(time.time())
    for number, hours in ((7, 5), (8, 3), (9, 30)):
        aws.put(
            "journal-dead", change(number), f"deal {number}: no 'x{number}'", now - hours * HOUR
        )
    aws.put("announce-dead", json.dumps(RECORD | {"dynamodb": {"Keys": KEYS}}))
    show(surveyed(aws), most=2)
    lines = capsys.readouterr().out.splitlines()
    code = group_of("Journal", letter_of("deal 1: no ''"))
    assert lines[0].startswith("Announce  1 x  ")
    assert lines[1] == f"  {UNEXPLAINED}"
    assert lines[2].split() == ["00000003", "deal/5", *lines[2].split()[2:]]
    assert lines[-6] == f"Journal  3 x  3 h to 30 h old  [{code}]"
    assert lines[-4] == "  00000002  deal/9              30 h  main.deal.9.1.2"
    assert lines[-2] == f"  … and 1 more: `make dead REASON={code}`"
    assert f"`make redrive REASON={code}`; or `make drop REASON={code} WHY=…`" in lines[-1]


KEYS = {"pk": {"S": "main/deal"}, "id": {"N": "5"}}


def letter_of(reason=None, body="{}", code=None):
    """Return a letter."""
    texts = {"reason": reason, "code": code}
    attributes = {name: {"StringValue": text} for name, text in texts.items() if text}
    return {"MessageId": "m", "Body": body, "MessageAttributes": attributes}


@pytest.mark.parametrize(
    ("owner", "attributes", "text"),
    [
        ("journal-dead", {"reason": "R", "code": "UNDECIDED"}, "if not, `make redrive ONE=<id>`"),
        ("journal-dead", {}, "`make logs` says what killed Journal"),
        ("journal-dead", {"reason": "R"}, "mend it, then `make redrive REASON="),
        ("spill-dead", {"reason": "R"}, "`make connect` that portal"),
    ],
)
def test_each_kind_of_letter_has_its_next_command(aws, owner, attributes, text):
    """A question, a killed function, a refusal and a foreign portal need different things."""
    aws.queues["spill-dead"] = {}
    aws.put(owner, change(1), **attributes)
    queues = {"Journal": "journal-dead", "Spill": "spill-dead"}
    (group,) = survey(aws, queues, Chosen()).groups
    assert text in group.next_steps()


def test_a_letter_that_sqs_deletes_soon_is_told(aws, capsys):
    """SQS keeps a letter 14 days; the last three of them are announced."""
    aws.put("journal-dead", change(1), "R", int(time.time()) - 12 * 24 * HOUR)
    show(surveyed(aws), most=5)
    assert "SQS deletes the oldest in 48 h" in capsys.readouterr().out


def test_one_reaction_one_item_and_one_reason_are_found(aws):
    """NAME chooses a queue, ONE an item, REASON a part of the reason or a group's code."""
    for number in range(12):
        aws.put("journal-dead", change(number), "left" if number % 2 else "RIGHT: x")
    aws.put("orphan-dead", change(3), "left")
    assert count(surveyed(aws, "journal")) == 12
    assert count(surveyed(aws, one="deal/3")) == 2
    assert count(surveyed(aws, reason="right")) == 6
    assert count(surveyed(aws, reason=group_of("Orphan", letter_of("left")))) == 1
    with pytest.raises(SystemExit, match="NAME is one of announce, journal, orphan"):
        surveyed(aws, "follow_up")


def count(found):
    """Return how many letters a survey has."""
    return sum(len(group.letters) for group in found.groups)


def test_the_first_letters_of_very_many_are_read(aws, monkeypatch):
    """Only the first are read; of the others SQS's estimate is told."""
    monkeypatch.setattr("ops.dead.MAX_READ", 50)
    for number in range(80):
        aws.put("journal-dead", change(number), "R")
    found = surveyed(aws)
    assert count(found) == 50
    assert found.unread == {"Journal": 30}


def test_a_program_gets_every_letter(aws):
    """The document has each group with all its letters, their ages in seconds."""
    aws.put("journal-dead", change(7), "R", int(time.time()) - HOUR)
    (group,) = json.loads(json.dumps(document_of(surveyed(aws))))["groups"]
    (one,) = group["letters"]
    assert (group["owner"], group["count"], group["reason"]) == ("Journal", 1, "R")
    assert (one["subject"], one["record"]) == ("deal/7", "main.deal.7.1.2")
    assert one["age_seconds"] in range(HOUR, HOUR + 9)


def test_an_empty_queue_is_said(capsys):
    """Nothing given up is a sentence, not an empty screen."""
    show(Survey([], {}), most=5)
    assert capsys.readouterr().out == "no dead letters\n"


def packed(text):
    """Return a letter with a compressed body, as announce sends large records."""
    return letter_of(body=base64.b64encode(zlib.compress(text)).decode())


def test_a_compressed_record_is_unpacked_to_a_limit(monkeypatch):
    """A few kilobytes that unpack to gigabytes stay packed."""
    assert content_of(packed(b'{"a": 1}')) == {"a": 1}
    monkeypatch.setattr(letter, "MAX_CONTENT_BYTES", 1000)
    large = packed(b'{"a": "' + b"x" * 1990 + b'"}')
    assert content_of(packed(b'{"a": "' + b"x" * 980 + b'"}')) == {"a": "x" * 980}
    assert content_of(large) == large["Body"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (change(7), Record("main.deal.7.1.2", "deal/7")),
        (json.dumps({"dynamodb": {"Keys": KEYS}}), Record("", "deal/5")),
        (json.dumps({"entity": "deal", "id": 9, "portal": "main"}), Record("", "deal/9")),
        ("no JSON", Record("", "")),
        ("[]", Record("", "")),
        (json.dumps({"specversion": "1.0", "id": "e", "subject": None}), Record("e", "")),
    ],
)
def test_what_a_letter_is_about(body, expected):
    """A change, a row of the mirror and a hint name their item; anything else names nothing."""
    assert record_of(letter_of(body=body)) == expected


def dropped(aws, **chosen):
    """Drop of the journal's letters; return their number."""
    letters = DeadLetters(aws, "journal-dead")
    try:
        return drop("Journal", letters, Chosen(**chosen), "a test", open_audit(aws, "log"), Stop())
    finally:
        letters.release()


def test_what_is_dropped_is_gone_and_why_is_kept(aws):
    """The log has a line for each letter: which, its reason, why it was dropped, and by whom."""
    for number in range(25):
        aws.put("journal-dead", change(number), "R" if number % 2 else "other")
    assert dropped(aws, reason="R") == 25
    for number in range(25):
        aws.put("journal-dead", change(number), "left" if number % 2 else "kept")
    aws.noted.clear()
    assert dropped(aws, reason="left") == 12
    assert len(aws.bodies("journal-dead")) == 13
    assert [line["subject"] for line in aws.noted] == [f"deal/{n}" for n in range(1, 25, 2)]
    assert {(line["why"], line["reason"], line["by"]) for line in aws.noted} == {
        ("a test", "left", "arn:aws:iam::1:user/ada")
    }


@pytest.mark.parametrize("after", range(1, 12))
def test_nothing_is_dropped_whose_reason_is_not_kept(aws, after):
    """Wherever the command is killed, each letter is there or has its line."""
    for number in range(25):
        aws.put("journal-dead", change(number), "R")
    aws.ends_after = after
    try:
        dropped(aws)
    except KeyboardInterrupt:
        aws.ends_after = None
    left = {record_of(one).subject for one, _ in aws.queues["journal-dead"].values()}
    assert left | {line["subject"] for line in aws.noted} == {f"deal/{n}" for n in range(25)}


def test_what_comes_meanwhile_is_not_dropped(aws):
    """A letter that nobody has seen stays, whatever its reason."""
    for number in range(15):
        aws.put("journal-dead", change(number), "R")
    letters = DeadLetters(aws, "journal-dead")
    aws.put("journal-dead", change(99), "R")
    assert drop("Journal", letters, Chosen(), "w", open_audit(aws, "log"), Stop()) == 15
    letters.release()
    assert aws.bodies("journal-dead") == [change(99)]


def test_a_dry_run_says_that_nothing_was_done(aws, capsys):
    """Where no letter is chosen, nothing would be done either."""
    aws.put("journal-dead", change(1), "R")
    assert len(preview(aws, queues_of(RESOURCES, ""), Chosen(), "sent").document["groups"]) == 1
    assert capsys.readouterr().out.endswith("nothing was sent; without DRY=1 it is\n")
    preview(aws, queues_of(RESOURCES, ""), Chosen(one="none"), "sent")
    assert "without DRY=1" not in capsys.readouterr().out
    assert aws.bodies("journal-dead") == [change(1)]


def test_drop_needs_a_choice():
    """Nobody drops everything by leaving a word out."""
    with pytest.raises(SystemExit, match="drop needs ONE=, REASON= or NAME="):
        command(why="because")

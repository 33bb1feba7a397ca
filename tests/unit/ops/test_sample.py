"""ops.sample, ops.masking: a real change as a sample, without personal data."""

import json
from dataclasses import replace

import pytest

from ops import sample
from ops.masking import Mask
from ops.sample import command, masked
from ops.timeline import Step
from relay.change import Change
from relay.history import PastChange
from tests.pasts import STACK

FIELDS = {
    "id": 662,
    "title": "Ремонт для Иванова, кв. 7",
    "stageId": "C3:WON",
    "opportunity": 1500.5,
    "assignedById": 7,
    "opened": "Y",
    "movedTime": "2026-03-01T09:00:00Z",
    "birthdate": "1980-02-03T00:00:00Z",
    "comments": "Anna Smith, passport 4509 123456",
    "ufCrm_1": ["тайна", "тайна"],
    "fm": {"9": {"typeId": "PHONE", "value": "+7 999 123-45-67", "valueType": "WORK"}},
    "email": "anna@firm.ru",
}
PERSONAL = ("Иванов", "Anna", "4509", "123", "тайна", "anna", "firm", "1980-02-03", "Ремонт")


@pytest.mark.parametrize("name", ["id", "stageId", "opportunity", "assignedById", "opened"])
def test_codes_ids_and_numbers_stay(name):
    """A filter and a reaction's own conditions still fit a sample."""
    assert Mask().fields(FIELDS)[name] == FIELDS[name]


def test_no_text_of_people_is_left():
    """Names, phones, addresses, comments and user fields are gone, a birthday too."""
    masked_fields = Mask(b"salt").fields(FIELDS)  # with another one a digit may come again
    text = json.dumps(masked_fields, ensure_ascii=False)
    assert [one for one in PERSONAL if one in text] == []
    assert "2026-03-01T09:00:00Z" in text


def test_texts_keep_their_shape_and_their_equality():
    """A phone is still one; equal texts stay equal, different ones different, in one sample."""
    mask = Mask(b"salt")
    phone = mask.text("+7 (999) 123-45-67")
    assert [char for char in phone if not char.isdigit()] == list("+ () --")
    assert mask.text("a@b.ru").endswith("@example.com")
    assert mask.text("Anna") == mask.text("Anna") != mask.text("Olga")
    assert Mask(b"other").text("Anna Smith") != Mask(b"salt").text("Anna Smith")


@pytest.mark.parametrize("text", ["", "Я", "x" * 5000, "\ud800", "٣", "日本"])
def test_any_text_is_masked_to_its_length(text):
    """Empty, long and foreign texts, and half characters, break nothing."""
    assert len(Mask().text(text)) == len(text)


def past(action="updated", before=None):
    """Return a change as the history has it."""
    return PastChange(
        change_id="main.deal.662.b.7", at=1.0, action=action, origin="portal", via="event",
        before=before,
    )  # fmt: skip


def test_a_change_is_as_it_was_announced():
    """What changed, before and after, is there under the same names; only texts differ."""
    step = Step(past(), FIELDS | {"stageId": "NEW", "title": "other"}, FIELDS)
    change = masked(step, "main", "deal", "662")
    assert change.changed == ("stageId", "title")
    assert change.before["stageId"] == "NEW"
    assert change.before["title"] != change.after["title"]
    assert set(change.after) == set(FIELDS)
    added = masked(Step(past("added"), None, FIELDS), "main", "deal", "662")
    assert (dict(added.before), set(added.changed) <= set(FIELDS)) == ({}, True)
    deleted = masked(Step(past("deleted"), FIELDS, None), "main", "deal", "662")
    assert (dict(deleted.after), deleted.changed) == ({}, ())
    assert set(deleted.before) == set(FIELDS)


def test_moves_between_stages_stay():
    """A reaction with `passed` in its filter gets the sample: stages are codes."""
    steps = ({"stageId": "C3:WON", "categoryId": 3, "at": "2026-03-01T09:00:00Z"},)
    step = Step(replace(past(), steps=steps), FIELDS, FIELDS)
    change = masked(step, "main", "deal", "662")
    assert (change.steps, change.passed) == (steps, ("C3:WON",))


class Pasts:
    """A history with one change."""

    def __init__(self, *_):
        pass

    def change(self, _change_id):
        """Return the item and the version of a change."""
        return type("Key", (), {"portal": "main", "entity": "deal", "id": 662}), 7

    def timeline(self, _key):
        """Return a timeline: this object."""
        return self

    def steps(self):
        """Yield the change."""
        yield Step(past(), FIELDS | {"title": "other"}, FIELDS)


@pytest.fixture
def events(tmp_path, monkeypatch, aws_clients):
    """Return an empty folder of samples."""
    monkeypatch.setattr(sample, "EVENTS", tmp_path)
    monkeypatch.setattr(sample, "ROOT", tmp_path)
    monkeypatch.setattr(sample, "Past", Pasts)
    aws_clients.every = object()
    aws_clients.deploy(STACK)
    return tmp_path


def test_the_file_is_a_batch_that_a_reaction_takes(events):
    """One record as Lambda gets it, with the change in its body."""
    assert command("main.deal.662.b.7", "big_deal").document["file"] == "sqs_big_deal.json"
    batch = json.loads((events / "sqs_big_deal.json").read_text("utf-8"))
    change = Change.from_cloudevent(json.loads(batch["Records"][0]["body"]))
    assert (change.change_id, change.changed) == ("main.deal.662.b.7", ("title",))


@pytest.mark.parametrize(
    ("name", "text"), [("../x", "a sample is called like"), ("big_deal", "already; choose another")]
)
def test_nothing_is_overwritten(events, name, text):
    """A wrong name and one that is taken are refused."""
    (events / "sqs_big_deal.json").touch()
    with pytest.raises(SystemExit, match=text):
        command("main.deal.662.b.7", name)

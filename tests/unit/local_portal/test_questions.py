"""Each word of `data/parameters.toml` refuses what it says, and lets the rest pass."""

import tomllib
from fnmatch import filter as matching

import pytest

from local.portal import parameters
from local.portal.call import METHODS, Call
from local.portal.errors import RestError
from local.portal.schema import DATA

QUESTIONS = tomllib.loads((DATA / "parameters.toml").read_text(encoding="utf-8"))


def test_every_question_is_of_a_method_and_has_a_known_word():
    """A misspelt name or word would ask nothing."""
    names = [one for text in QUESTIONS for one in text.split()]
    assert [one for one in names if not matching(METHODS, one.lower())] == []
    lines = [line for text in QUESTIONS.values() for line in text.strip().splitlines()]
    lines = [line for line in lines if not line.startswith("need ")]
    assert {
        word for line in lines for word in line.split()[0].split("+")
    } <= parameters.WORDS.keys()
    assert all(" : " in line and "|" in line for line in lines)


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("given A", [0, ""], [None]),
        ("filled A/B", ["x", "0", [1]], [None, " ", [], 0]),
        ("number A", [1, "2"], [None, 0, "x", -1, [1]]),
        ("digits A", [None, 0, "2"], ["x", -1, "1.5"]),
        ("array A", [None, [], {}], ["x", 1]),
        ("object A", [None, {"a": 1}], ["x", [1]]),
        ("plain A", [None, "x"], [[1], {"a": 1}]),
        ("among A x,y", [None, "x", "Y"], ["z", ""]),
        ("long A 3", ["abc"], [None, "ab ", ""]),
        ("short A 3", [None, "abc"], ["abcd"]),
        ("person A", [1], [None, 99]),
        ("given+digits A", ["2"], [None, "x"]),
        ("like A [ab]+ ?", ["ab", "a ", None], ["c"]),
        ("row A department", [1, None], [99, "x"]),
        ("row A crm.currency", ["EUR", None], [99, "XYZ"]),
        ("item A A", [2], [None, 1, 99]),
    ],
)
def test_a_word_refuses_what_it_says(desk, monkeypatch, line, good, bad):
    """With the line's code, text and status."""
    asked = {"some.method": list(parameters.read(f"{line} : CODE|Wrong {{value}}|403"))}
    monkeypatch.setattr(parameters, "QUESTIONS", asked)
    for value in good:
        parameters.check_parameters(Call(desk.portal, desk.webhook, {"a": value}), "some.method")
    for value in bad:
        call = Call(desk.portal, desk.webhook, {"A": value})
        with pytest.raises(RestError) as caught:
            parameters.check_parameters(call, "some.method")
        refusal = caught.value
        text = "Wrong {value}" if value is None else f"Wrong {value}"
        assert (refusal.code, refusal.text, refusal.status) == ("CODE", text, 403)

"""Batches: order, references, refusals, and PHP's arrays in the answer."""

import asyncio

import pytest

from local.portal.batch import CutOffError, FatalError, run_batch
from local.portal.errors import RestError
from local.portal.references import put_in


@pytest.fixture
def batch(desk):
    """Run a batch and answer with its sections."""

    def run(cmd, **more):
        return asyncio.run(run_batch(desk.portal, desk.webhook, {"cmd": cmd, **more}))["result"]

    return run


def test_a_batch_succeeds_even_if_all_commands_fail(batch):
    """[batch.md] Errors stand beside the results, without a status; empty sections are `[]`."""
    answer = batch({"a": "nonsense", "b": "crm.deal.get?id=999"})
    assert answer["result"] == []
    assert answer["result_time"] == []
    assert answer["result_error"]["a"]["error"] == "ERROR_METHOD_NOT_FOUND"
    assert answer["result_error"]["b"] == {"error": "", "error_description": "Not found"}


def test_sections_keyed_from_zero_are_lists(batch):
    """[REC] Failures keyed 0 and 1 give a list beside an object."""
    answer = batch({"0": "nonsense", "1": "nonsense", "35943": "server.time"})
    assert isinstance(answer["result_error"], list)
    assert list(answer["result"]) == ["35943"]
    assert isinstance(batch(["server.time", "profile"])["result"], list)


def test_references_are_put_in_after_decoding(batch):
    """[WIRE] Clients send `%24result%5B…`; a part is text and swallows what follows it."""
    answer = batch(
        {
            "one": "crm.item.list?entityTypeId=2&order[id]=DESC&start=-1",
            "two": "crm.item.list?entityTypeId=2"
            "&filter[%3Cid]=%24result%5Bone%5D%5Bitems%5D%5B0%5D%5Bid%5D",
            "three": "crm.timeline.comment.add?fields[ENTITY_TYPE]=deal&fields[ENTITY_ID]=1"
            "&fields[COMMENT]=Deal%20$result[one][items][0][id]!",
            "four": "crm.timeline.comment.get?id=$result[three]",
        }
    )
    assert len(answer["result"]["two"]["items"]) == 11
    assert answer["result"]["four"]["COMMENT"] == "Deal 12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$result[a]", {"list": [1, "two", None, True, 1.5], "0": "x"}),
        ("$result[a][list][1][2]", "o"),
        ("$result[a][list][2]", [1, "two", None, True, 1.5]),
        ("$result[a][list][9]", [1, "two", None, True, 1.5]),
        ("$result[no]", {"a": {"list": [1, "two", None, True, 1.5], "0": "x"}}),
        ("$result.of[a]now[list][0]", 1),
        ("<$result[a][list][0]>", "<1"),
        ("$result[a][list][3], $result[a][list][4]", "1 1.5"),
        ("$RESULT[a]", None),
        ("hello $Result[a][list], you", "hello  you"),
        ("$total[a]", 7),
        ("($next[a])", TypeError),
        ("costs $result[1]", TypeError),
        ("$result", "$result"),
        ("$results are [b]", "$results are [b]"),
        ("$result\u00a0[a][0]", "x"),
        ("$sum[a]", "$sum[a]"),
        (["$error[b][error]"], ["NO"]),
        (5, 5),
    ],
)
def test_references_are_replaced_as_the_core_does(text, expected):
    """[CORE processBatchElement] Every case of its pattern, of `isset` and of `str_replace`."""
    sections = {
        "result": {"a": {"list": [1, "two", None, True, 1.5], "0": "x"}},
        "next": {},
        "total": {"a": 7},
        "error": {"b": {"error": "NO"}},
    }
    if expected is TypeError:
        with pytest.raises(TypeError):
            put_in(text, sections)
    else:
        assert put_in(text, sections) == expected


def test_a_reference_that_breaks_php_ends_the_whole_batch(desk, batch):
    """[CORE] A part of a text that leads to an array is a TypeError; what ran stays done."""
    comments = len(desk.portal.comments)
    with pytest.raises(FatalError):
        batch(
            {
                "one": "crm.timeline.comment.add?fields[ENTITY_TYPE]=deal&fields[ENTITY_ID]=1"
                "&fields[COMMENT]=x",
                "two": "crm.deal.list?filter[TITLE]=costs%20$result[x]",
            }
        )
    assert len(desk.portal.comments) == comments + 1


def test_unresolved_reference_gives_what_there_is(batch):
    """[CORE] It doesn't fail by itself: here no result is there yet."""
    answer = batch({"a": "crm.deal.list?filter[TITLE]=$result[nothing][0]"})
    assert answer["result"] == {"a": []}
    assert answer["result_total"] == {"a": 0}


def test_halt_ends_after_the_first_error(batch):
    """[batch.md] Later commands are in none of the sections."""
    commands = {"a": "server.time", "b": "nonsense", "c": "server.time"}
    answer = batch(commands, halt=1)
    assert list(answer["result"]) == ["a"]
    assert list(answer["result_error"]) == ["b"]
    assert "c" in batch(commands, halt=False)["result"]


def test_batch_in_batch_is_refused(batch):
    """Since rest 24.0.0."""
    answer = batch({"a": "batch?cmd[x]=profile"})
    assert answer["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_surplus_commands_fail_one_by_one_or_altogether(desk, batch):
    """Per command [batch.md], or status 400 for all [system-errors.md]: a switch."""
    answer = batch(["server.time"] * 52)
    assert len(answer["result"]) == 50
    codes = {row["error"] for row in answer["result_error"].values()}
    assert codes == {"ERROR_BATCH_LENGTH_EXCEEDED"}
    desk.portal.settings.batch_overflow = "request"
    with pytest.raises(RestError, match="ERROR_BATCH_LENGTH_EXCEEDED"):
        batch(["server.time"] * 51)


@pytest.mark.parametrize(
    "given", [{}, {"cmd": None}, {"cmd": "x"}, {"cmd": [None, 5, {}, []]}, {"cmd": {"a": ""}}, []]
)
def test_broken_batches_are_answered(desk, given):
    """Whatever `cmd` is, there is an answer of the usual shape."""
    answer = asyncio.run(run_batch(desk.portal, desk.webhook, given))["result"]
    assert set(answer) == {
        *("result", "result_error", "result_total", "result_next", "result_time"),
    }


def test_a_request_is_cut_off_and_what_ran_stays_done(desk, batch):
    """[limits.md] 60 s in the cloud; the commands before have been executed."""
    desk.portal.settings.change({"command_seconds": 0.02, "cutoff_seconds": 0.07})
    add = "crm.timeline.comment.add?fields[ENTITY_TYPE]=deal&fields[ENTITY_ID]=1&fields[COMMENT]=x"
    with pytest.raises(CutOffError):
        batch([add] * 10)
    assert 1 <= len(desk.portal.comments) <= 3

"""relay.portal.ids: the ids in a write's result."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import NotKeptError
from relay.portal.ids import MAX_IDS, Kept, ids_of

FILE_URL = "https://acme.bitrix24.com/rest/1/s3cr3tsecret/crm.controller.item.getFile/?id=9"


ITEM = {
    "id": 9,
    "title": "Anna Lee",
    "xmlId": "79991234567",
    "companyId": 4,
    "ufPhoto": {"id": 12, "url": FILE_URL, "urlMachine": FILE_URL},
    "fm": [{"id": 3, "value": "+79991234567"}],
}


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (42, 42),
        (True, True),
        (None, None),
        (0.5, 0.5),
        ("65e5a449e8f135.21284909", "65e5a449e8f135.21284909"),
        ("externalCall.716b1d4a0ab1c9cb9a7f8f5a35b7e9a2.1534325310",) * 2,
        ("{11111111-2222-3333-4444-555555555555}",) * 2,
        ("", None),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("Anna Lee", None),
        ("a@b.example", None),
        (FILE_URL, None),
        ([], []),
        ({}, {}),
        ([1, 2], [1, 2]),
        (["Anna Lee"], []),
        ({"item": ITEM}, {"item": {"id": 9}}),
        ({"task": {"ID": "5", "creator": {"id": 1}}}, {"task": {"ID": "5"}}),
        ({"id": None, "taskId": 5}, {"taskId": 5}),
        ({"id": True, "ok": True}, {"id": True, "ok": True}),
        ({"id": {"id": 5}}, {"id": {"id": 5}}),
        ({"chatId": 5, "TASK_ID": "7", "ids": [1, 2], "userIDs": [3]},) * 2,
        ({"paid": "Y", "PAID": "Y", "valid": 1, "Idle": 2}, {}),
        ({"xmlId": "1", "originId": "2", "ORIGINATOR_ID": "3", "callId": "4"}, {"callId": "4"}),
        (
            {"productRows": [{"id": 1, "price": 9}, {"id": 2}]},
            {"productRows": [{"id": 1}, {"id": 2}]},
        ),
        ({"rows": [{"id": 1}, {"name": "x"}, "y"]}, {"rows": [{"id": 1}, {}, None]}),
        ({"observers": [1, 2]}, {}),
        ({"task": True, "name": "x"}, {"task": True}),
        ({"task": True, "chatId": 1}, {"chatId": 1}),
        ({"a": {"task": True}}, {}),
        ({"chatId": 2**63}, {}),
        ({"chatId": -(2**63)}, {}),
        ({"chatId": 2**63 - 1},) * 2,
        ({"chatId": 5.5}, {}),
        ({"x" * 64: {"id": 1}},) * 2,
        ({"x" * 65: {"id": 1}}, {}),
        ({"x" * 64: True},) * 2,
        ({"x" * 65: True}, {}),
    ],
)
def test_ids_and_the_path_to_them_are_kept(result, kept):
    """No names, telephone numbers or addresses of files are left in a reduced result."""
    assert ids_of(result) == kept
    assert type(ids_of(result)) is (Kept if isinstance(kept, dict) else type(kept))


def test_a_reduced_result_is_bounded():
    """Lists of more than 100 ids are dropped whole, and levels below the sixth."""
    most = {"rows": [{"id": number} for number in range(MAX_IDS)]}
    assert ids_of(most) == most
    assert ids_of(most | {"chatId": 5}) == most
    assert ids_of({"rows": [{"id": 1}] * (MAX_IDS + 1), "chatId": 5}) == {"chatId": 5}
    half = [{"id": 1}] * 60
    assert ids_of({"first": half, "second": half}) == {"first": half}
    assert ids_of({"a": {"b": {"c": {"d": {"e": {"id": 1}}}}}})["a"]["b"]["c"]["d"]["e"]["id"] == 1
    assert ids_of({"a": {"b": {"c": {"d": {"e": {"f": {"id": 1}}}}}}}) == {}
    assert ids_of([[[[[[1]]]]]]) == [[[[[[1]]]]]]
    assert ids_of([[[[[[[1]]]]]]]) == []
    flags = {f"f{number}": True for number in range(MAX_IDS + 1)}
    assert len(ids_of(flags)) == MAX_IDS


def test_reading_more_than_ids_raises():
    """The error names the members that are present; `get` and `in` work as of any dict."""
    kept = ids_of({"item": ITEM})
    with pytest.raises(NotKeptError, match=r"^'title' is not in the result: .*only \(here: id\)"):
        _ = kept["item"]["title"]
    with pytest.raises(KeyError, match=r"here: none\); read the item"):
        _ = ids_of({})["item"]
    assert kept["item"].get("title") is None
    assert "title" not in kept["item"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("a b"),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "ID", "chatId", "ids", "x", "y"]), below)
    ),
    max_leaves=12,
)


@settings(max_examples=20, database=None)
@given(JSON)
def test_a_reduced_result_stays_the_same(result):
    """A retry, which reduces the stored result again, gets the first run's result."""
    kept = ids_of(result)
    assert ids_of(json.loads(json.dumps(kept))) == kept
    assert "a b" not in json.dumps(kept)

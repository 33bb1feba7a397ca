"""Filters, orders and pages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.portal.items import Actor, add_item
from local.portal.patterns import like


def titles(desk, **params):
    """Titles of the leads that match."""
    params = {"order": {"id": "ASC"}} | params
    return [i["title"] for i in desk.call("crm.item.list", entityTypeId=1, **params)["items"]]


@pytest.fixture
def leads(desk):
    """Three leads: alpha 100 from the web, Beta 200, gamma 300 without a source."""
    for title, amount, source in (
        ("alpha", 100, "WEB"),
        ("Beta", 200, "CALL"),
        ("gamma", 300, None),
    ):
        values = {"title": title, "opportunity": amount, "sourceId": source}
        add_item(desk.portal, desk.portal.types[1], values, Actor())
    return desk


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"title": "ALPHA"}, ["alpha"]),
        ({"=title": ["alpha", "beta"]}, ["alpha", "Beta"]),
        ({"!title": "alpha"}, ["Beta", "gamma"]),
        ({"!=title": "alpha"}, ["Beta", "gamma"]),
        ({"%title": "ET"}, ["Beta"]),
        ({"!%title": "et"}, ["alpha", "gamma"]),
        ({"=%title": "%a"}, ["alpha", "Beta", "gamma"]),
        ({"=%title": "a%"}, ["alpha"]),
        ({"%=title": "g_mma"}, ["gamma"]),
        ({"!=%title": "a%"}, ["Beta", "gamma"]),
        ({"!%=title": "%et%"}, ["alpha", "gamma"]),
        ({">opportunity": 100}, ["Beta", "gamma"]),
        ({">=opportunity": "100", "<opportunity": 300}, ["alpha", "Beta"]),
        ({"<=opportunity": 100}, ["alpha"]),
        ({"@sourceId": ["WEB", "CALL"]}, ["alpha", "Beta"]),
        ({"!@sourceId": ["WEB"]}, ["Beta", "gamma"]),
        ({"sourceId": ""}, ["gamma"]),
        ({"!=sourceId": ""}, ["alpha", "Beta"]),
        ({"opened": "Y", "title": "alpha"}, ["alpha"]),
        (
            {"0": {"logic": "OR", "0": {"title": "alpha"}, "1": {"title": "gamma"}}},
            ["alpha", "gamma"],
        ),
        (
            {
                "0": {"logic": "OR", "0": {"title": "alpha"}, "1": {">opportunity": 250}},
                "opened": "Y",
            },
            ["alpha", "gamma"],
        ),
        ([{"title": "alpha"}], ["alpha"]),
        ({"@id": [3, "1", 77]}, ["alpha", "gamma"]),
        ({">id": 1, "<id": 3}, ["Beta"]),
        ({">ID": 2}, ["gamma"]),
    ],
)
def test_item_filters(leads, given, expected):
    """[crm-item-list.md] All prefixes, arrays as values, nested OR; letters' case never counts."""
    assert titles(leads, filter=given) == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"filter": {"nonsense": 1}}, "Invalid filter: field 'nonsense' is not allowed in filter"),
        (
            {"filter": {">opportunity": "x"}},
            "Invalid filter: field 'opportunity' has invalid value",
        ),
        (
            {"filter": {">createdTime": "soon"}},
            "Invalid filter: field 'createdTime' has invalid value",
        ),
        ({"order": {"nonsense": "ASC"}}, "Invalid order: field 'nonsense' is not allowed in order"),
        (
            {"order": {"title": "UP"}},
            "Invalid order: allowed sort directions are ASC, DESC. But got 'UP' for field 'title'",
        ),
    ],
)
def test_item_lists_refuse_by_name(leads, given, text):
    """[crm-item-list.md] The texts name field and value."""
    error = leads.refusal("crm.item.list", entityTypeId=1, **given)
    assert (error.code, error.text) == ("INVALID_ARG_VALUE", text)


def test_classic_lists_ignore_what_they_do_not_know(leads):
    """Unknown fields in filter, order and select change nothing; both cases of names work."""
    found = leads.call(
        "crm.lead.list",
        FILTER={"NONSENSE": 1, "%title": "et"},
        order={"NOTHING": "x"},
        select=["ID"],
    )
    assert found == [{"ID": "2"}]
    nested = {"0": {"logic": "OR", "0": {"TITLE": "nobody"}}, "%TITLE": "et"}
    assert leads.call("crm.lead.list", filter=nested, select=["ID"]) == [{"ID": "2"}]


def test_nested_or_has_a_bottom(leads):
    """Hostile nesting is refused, not followed."""
    given = {"title": "x"}
    for _ in range(100):
        given = {"0": given, "logic": "OR"}
    assert leads.refusal("crm.item.list", entityTypeId=1, filter=given).code == "INVALID_ARG_VALUE"


def test_pages_have_fifty_with_next_and_total(desk):
    """[list-methods-pecularities.md] `next` only while there is more."""
    for _ in range(100):
        add_item(desk.portal, desk.portal.types[1], {}, Actor())
    first = desk.answer("crm.item.list", entityTypeId=1)
    assert (len(first["result"]["items"]), first["next"], first["total"]) == (50, 50, 100)
    last = desk.answer("crm.item.list", entityTypeId=1, start=50)
    assert (len(last["result"]["items"]), last["total"]) == (50, 100)
    assert "next" not in last
    beyond = desk.answer("crm.lead.list", start="1000")
    assert (beyond["result"], beyond["total"]) == ([], 100)


def test_start_minus_one_does_not_count(desk):
    """[huge-data.md] `total` is 0 and there is no `next`; paging goes by `>id`."""
    for _ in range(60):
        add_item(desk.portal, desk.portal.types[1], {}, Actor())
    answer = desk.answer("crm.item.list", entityTypeId=1, start=-1, order={"id": "ASC"})
    assert (len(answer["result"]["items"]), answer["total"]) == (50, 0)
    assert "next" not in answer
    last = answer["result"]["items"][-1]["id"]
    rest = desk.answer("crm.item.list", entityTypeId=1, start=-1, filter={">id": last})
    assert len(rest["result"]["items"]) == 10


def test_orders_by_any_field_and_by_id_in_capitals(leads):
    """[FB] A client sorts `crm.item.list` by `ID`, whose field is `id`."""
    assert titles(leads, order={"opportunity": "DESC"}) == ["gamma", "Beta", "alpha"]
    assert titles(leads, order={"ID": "DESC"}) == ["gamma", "Beta", "alpha"]
    assert titles(leads, order={"sourceId": "ASC", "id": "DESC"}) == ["gamma", "Beta", "alpha"]


def test_select_gives_what_is_named_and_the_id(leads):
    """Unknown names are passed over."""
    items = leads.call("crm.item.list", entityTypeId=1, select=["title", "nonsense"])["items"]
    assert items[0] == {"id": 1, "title": "alpha"}


def test_time_filters_can_be_shifted(leads):
    """[P] The threshold is read in the zone of the webhook's owner, whatever offset is sent."""
    portal = leads.portal
    now = portal.clock.stamp(portal.clock.now() - 60)
    assert len(titles(leads, filter={">=updatedTime": now})) == 3
    portal.settings.filter_shift_hours = 3.0
    assert titles(leads, filter={">=updatedTime": now}) == []
    earlier = portal.clock.stamp(portal.clock.now() - 3 * 3600 - 60)
    assert len(titles(leads, filter={">=updatedTime": earlier})) == 3
    leads.call("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 1})
    assert leads.call("tasks.task.list", filter={">=CHANGED_DATE": now})["tasks"] == []


def test_boolean_user_fields_are_filtered_by_one_and_zero(desk):
    """[crm-item-list.md] Though their values read `Y` and `N`."""
    desk.portal.types[2].add_user_field("UF_CRM_1", "boolean", multiple=False)
    desk.call("crm.item.update", entityTypeId=2, id=3, fields={"ufCrm_1": "1"})
    found = desk.call("crm.item.list", entityTypeId=2, filter={"ufCrm_1": 1})["items"]
    assert [(row["id"], row["ufCrm_1"]) for row in found] == [(3, "Y")]


def test_task_lists_take_plain_ids_and_change_dates(desk):
    """[P] `ID: […]`, `>=CHANGED_DATE`; operators are few, a title is a pattern."""
    for title in ("one", "two", "three"):
        desk.call("tasks.task.add", fields={"TITLE": title, "RESPONSIBLE_ID": 2})
    rows = desk.call("tasks.task.list", filter={"ID": [3, 5]}, order={"ID": "desc"})["tasks"]
    assert [row["title"] for row in rows] == ["three", "one"]
    assert len(desk.call("tasks.task.list", filter={"TITLE": "t%"})["tasks"]) == 2
    ids = desk.call("tasks.task.list", filter={">ID": "3"}, select=["ID"])["tasks"]
    assert [row["id"] for row in ids] == ["5", "4"]  # [tasks-task-list.md] the newest first


def test_users_are_filtered_at_top_level_and_sorted_by_words(desk):
    """[user-get.md] `SORT` and `ORDER` are no maps here; a filter may stand at top level."""
    rows = desk.call("user.get", SORT="ID", ORDER="desc")
    assert [row["ID"] for row in rows] == ["4", "3", "2", "1"]
    assert [row["NAME"] for row in desk.call("user.get", ID=2)] == ["Maria"]
    found = desk.call("user.get", FILTER={"@ID": [1, 3], "NAME": "Ann"})
    assert [row["ID"] for row in found] == ["1"]
    assert found[0]["TIMESTAMP_X"] == {}


@given(
    pattern=st.text(alphabet="ab%_", max_size=8),
    text=st.text(alphabet="abA", max_size=8),
    wrapped=st.booleans(),
)
def test_patterns_match_as_the_database_would(pattern, text, wrapped):
    """`%` any text, `_` one character, letters' case apart."""
    whole = f"%{pattern}%" if wrapped else pattern
    expected = re.fullmatch(whole.replace("%", ".*").replace("_", "."), text, re.IGNORECASE)
    assert like(pattern, wrapped=wrapped)(text) is bool(expected)


def test_hostile_patterns_take_no_time(leads):
    """Many wildcards against a long text: as one regular expression this would take for ever."""
    leads.call("crm.item.update", entityTypeId=1, id=1, fields={"title": "a" * 5000})
    assert titles(leads, filter={"=%title": "%a" * 40 + "b"}) == []


def test_users_are_found_by_the_time_of_their_change(desk):
    """[user-get.md] An unreadable date matches nobody, without an error."""
    assert len(desk.call("user.get", FILTER={">=TIMESTAMP_X": "2001-01-01"})) == 4
    assert desk.call("user.get", FILTER={">=TIMESTAMP_X": "2101-01-01"}) == []
    assert desk.call("user.get", FILTER={">=TIMESTAMP_X": "soon"}) == []

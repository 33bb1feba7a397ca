"""Families of methods do what their descriptions say, and answer in the documented shapes."""

import json
from pathlib import Path

import pytest

from local.portal.family import FAMILIES
from tests.unit.local_portal.family_requests import (
    ADDED,
    BESIDE,
    LISTED,
    SHAPES,
    UNCOMPARED,
    call_of,
    fields_for,
    key_of,
    listed,
    misfits,
    request_of,
    send,
    value_of,
)

EVENTS = {
    one["event"]: one
    for one in json.loads(
        (Path(__file__).parents[2] / "data" / "events.json").read_text(encoding="utf-8")
    )
}
WRITES = ("add", "update", "delete")


@pytest.mark.parametrize("name", ADDED)
def test_a_row_is_added_read_listed_changed_and_deleted(full, name):
    """A family's methods work on one row, in the shapes of the pages; afterwards it is gone."""
    family = FAMILIES[name]
    fields = fields_for(name)
    answer = send(full, name, "add", request_of(name, fields))
    key = key_of(name, answer, fields)
    for operation in ("get", "list"):
        if operation not in family.operations:
            continue
        method = call_of(name, operation)
        params = key if operation == "get" else BESIDE.get(name, {}) | listed(name)
        found = send(full, name, operation, params)
        if "wrap" in family.data and isinstance(found, dict):
            found = next(iter(found.values()))
        rows = list(found.values() if isinstance(found, dict) else found)
        row = found if operation == "get" else rows[-1]
        assert misfits(SHAPES.get(method, {}), row) == []
        shown = {n: v for n, v in fields.items() if n in row and isinstance(v, int | str)}
        wrong = {n: (v, row[n]) for n, v in shown.items() if not same(v, row[n])}
        assert wrong == {}
    if "update" in family.operations:
        send(full, name, "update", request_of(name, fields) | key)
    if "delete" in family.operations:
        send(full, name, "delete", key)
        if "get" in family.operations:
            assert full.refusal(call_of(name, "get"), **key).text


def same(given, shown):
    """Compare a value with how it is shown: numbers as texts, dates with their time."""
    return str(shown).startswith(str(given)) or shown in (given, True, str(given).upper())


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if "fields" in f.operations])
def test_fields_have_the_documented_names_and_types(full, name):
    """A description of fields holds what its page lists."""
    described = full.call(call_of(name, "fields"), entityTypeId=2, filter={"iblockId": 1})
    if len(described) == 1:  # wrapped
        described = next(iter(described.values()))
    documented = SHAPES.get(call_of(name, "fields"), {})
    assert [one for one in documented if one not in described] == []


@pytest.mark.parametrize("name", ADDED)
def test_what_is_required_is_asked_for(full, name):
    """Without a required field nothing is made, and the error is the family's own."""
    fields = fields_for(name)
    needed = [f.name for f in FAMILIES[name].fields.values() if "R" in f.flags and f.name in fields]
    for gone in needed[:1]:
        rest = {key: value for key, value in fields.items() if key != gone}
        assert full.refusal(call_of(name, "add"), **request_of(name, rest)).text


ALWAYS = [(n, f.name) for n in ADDED for f in FAMILIES[n].fields.values() if "V" in f.flags]


@pytest.mark.parametrize(("name", "field"), ALWAYS)
def test_what_every_change_names_is_asked_for(full, name, field):
    """A change without a field that its page requires is refused, and named in the error."""
    fields = fields_for(name)
    answer = send(full, name, "add", request_of(name, fields))
    rest = {key: value for key, value in fields.items() if key != field}
    params = request_of(name, rest) | key_of(name, answer, fields)
    refused = full.refusal(call_of(name, "update"), **params)
    assert field.lower() in refused.text.lower() or "parameters" in refused.text.lower()


@pytest.mark.parametrize("name", [n for n in ADDED if FAMILIES[n].data.get("rights") == "admin"])
def test_only_administrators_write_where_a_page_says_so(full, name):
    """Rights are the family's."""
    full.portal.users[1]["admin"] = False
    assert full.refusal(call_of(name, "add"), **request_of(name, fields_for(name))).text


def names_in(data):
    """Return the names that an event's data hold."""
    return sorted(data.get("FIELDS", data))


RAISING = [n for n in ADDED if {"event", "events"} & FAMILIES[n].data.keys()]
RAISING += [n for n in ADDED if FAMILIES[n].table == "user_fields" and n.startswith("crm.")]


@pytest.mark.parametrize("name", RAISING)
def test_writes_raise_the_documented_events(full, name):
    """[EVENTS] One event for each write, and it tells what its page says."""
    fields, waiting = fields_for(name), full.portal.outbox.waiting
    key = key_of(name, send(full, name, "add", request_of(name, fields)), fields)
    send(full, name, "update", request_of(name, fields) | key)
    send(full, name, "delete", key)
    for row in waiting:
        documented = EVENTS[row.event]["sample_data"]
        assert names_in(row.fields()["data"]) == names_in(documented)
    assert len(waiting) == len(WRITES)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if "list" in f.operations])
def test_a_list_takes_every_operator_on_each_field(full, name):
    """No documented operator on no field breaks a list, or lets a row pass that it should not."""
    family = FAMILIES[name]
    beside = BESIDE.get(name, {}) | LISTED.get(name, {})
    conditions = dict(beside.pop("filter", {}))
    fields = [f for f in family.classic.values() if f"={f.name}" not in conditions]
    order = family.data.get("positional", {}).get("list", "FILTER")
    for field in fields if "FILTER" in order else ():
        for operator in ("", "=", "!", "@", "!@", ">", ">=", "<", "<=", "%", "=%", "!%"):
            value = value_of(field)
            value = value[0] if isinstance(value, list) else value
            value = [value] if "@" in operator else value
            if value is None or field.type in UNCOMPARED:
                continue
            given = conditions | {f"{operator}{field.name}": value}
            send(full, name, "list", beside | {"order": {}, "filter": given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"CURRENCY": "USD"}, ["USD"]),
        ({"!CURRENCY": "USD"}, ["EUR", "GBP"]),
        ({"@CURRENCY": ["USD", "GBP"]}, ["USD", "GBP"]),
        ({">=SORT": 200, "<SORT": 300}, ["USD"]),
        ({"%FULL_NAME": "dollar"}, ["USD"]),
        ({"=%FULL_NAME": "E%"}, ["EUR"]),
        ({"BASE": "Y"}, ["EUR"]),
    ],
)
def test_lists_of_families_filter_as_items_do(desk, given, expected):
    """One filter serves items and families alike."""
    rows = desk.call("crm.currency.list", filter=given, order={"SORT": "ASC"})
    assert [row["CURRENCY"] for row in rows] == expected


def test_a_list_of_a_family_has_pages_select_and_order(full):
    """[list-methods-pecularities.md] Fifty rows, `next`, `total`, and what was selected."""
    for number in range(60):
        full.call("crm.product.add", fields={"NAME": f"Product {number:02}", "PRICE": number})
    first = full.answer("crm.product.list", order={"NAME": "DESC"}, select=["NAME"])
    assert (len(first["result"]), first["next"], first["total"]) == (50, 50, 60)
    assert first["result"][0] == {"ID": "60", "NAME": "Product 59"}
    rest = full.call("crm.product.list", start=-1, filter={">ID": 55}, order={"ID": "ASC"})
    assert [row["ID"] for row in rest] == ["56", "57", "58", "59", "60"]
    native = full.refusal("crm.automatedsolution.list", filter={"nonsense": 1})
    assert (native.code, "nonsense" in native.text) == ("INVALID_ARG_VALUE", True)
    other = full.refusal("catalog.measure.list", filter={"nonsense": 1})
    assert (other.code, "nonsense" in other.text) == ("0", True)

"""relay.echo.same_value: what was written is what was read, or in doubt it is not."""

import pytest

from relay.echo.same_value import is_same, moment, short


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("title", "New", "New"),
        ("comments", "", None),
        ("comments", None, None),
        ("uf1", False, None),
        ("opportunity", "100.00", 100),
        ("opportunity", 33.333333, 33.33),
        ("opportunity", "33.335", 33.34),
        ("opportunity", 1e30, 1e30),
        ("uf1", 100.5, 100.5),
        ("uf1", "-0.5", -0.5),
        ("status", 5, "5"),
        ("status", 5.0, "5"),
        ("uf1", 0.5, "0.5"),
        ("assignedbyid", "7", 7),
        ("companyid", 0, None),
        ("companyid", "0", None),
        ("parentid128", 0, None),
        ("opened", "Y", "Y"),
        ("opened", 1, "Y"),
        ("opened", "true", "Y"),
        ("opened", True, "Y"),
        ("opened", 0, "N"),
        ("opened", "n", "N"),
        ("opened", False, "N"),
        ("opened", "N", None),
        ("ismanualopportunity", "1", "Y"),
        ("uf1", True, "Y"),
        ("uf1", True, 1),
        ("uf1", "Y", True),
        ("uf1", 1, True),
        ("uf1", False, "N"),
        ("uf1", False, 0),
        ("uf1", "100.50|EUR", "100.5|EUR"),
        ("uf1", ["100.50|EUR"], ["100.5|EUR"]),
        ("uf1", ["b", "a"], ["a", "b"]),
        ("uf1", ["2", 1], [1, 2]),
        ("uf1", {"0": 1, "1": 2}, [1, 2]),
        ("uf1", ["", None], None),
        ("uf1", ["", "x" * 99], ["x" * 99]),
        ("uf1", [], None),
        ("uf1", "2026-03-05T10:00:00+03:00", "2026-03-05T07:00:00Z"),
        ("uf1", "2026-03-05 10:00:00.5+0300", "2026-03-05T07:00:00Z"),
        ("uf1", "2026-03-05T07:00Z", "2026-03-05T07:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-04T21:00:00Z"),
        ("begindate", "2026-03-05 18:00", "2026-03-04T21:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-05T09:45:00Z"),
        ("begindate", "2026-03-05", "2026-03-04T10:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-05T00:00:00Z"),
        ("closedate", "2026-03-05T23:00:00Z", "2026-03-05T21:00:00Z"),
        ("closedate", "2026-03-06T22:00:00+03:00", "2026-03-05T21:00:00Z"),
    ],
)
def test_a_written_value_is_the_read_one_in_every_spelling(name, written, read):
    """Every spelling that a portal understands is the same value, by the type of the read one."""
    assert is_same(name, short(written), read)


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("title", "New", "new"),
        ("title", "New", None),
        ("title", "", "New"),
        ("title", None, "None"),
        ("title", "1e3", "1000"),
        ("title", "1000", "1000.0"),
        ("title", "1_000", "1000"),
        ("title", "nan", "NaN"),
        ("title", "007", "7"),
        ("uf1", "007", 7),
        ("uf1", "1e3", 1000),
        ("uf1", "1_000", 1000),
        ("uf1", "nan", 0),
        ("uf1", float("nan"), 0),
        ("uf1", "٣", 3),
        ("uf1", 100.555, 100.56),
        ("uf1", 1, 1.5),
        ("uf1", None, 0),
        ("uf1", "", 0),
        ("uf1", 0, None),
        ("companyid", 5, None),
        ("uf1", "x" * 99, None),
        ("uf1", "500100732259", "500100732250"),
        ("uf1", "500100732259", 500100732250),
        ("uf1", "79991234567", 79991234569),
        ("title", "2026-03-01 09:00", "2026-03-01 18:00"),
        ("title", "2026-03-01", "2026-03-01 18:00"),
        ("uf1", "2026-03-01 09:00", "2026-03-01T15:00:00Z"),
        ("uf1", "2026-03-01 09:00", "2026-03-01T06:00:00Z"),
        ("uf1", "2026-03-01", "2026-02-28T21:00:00Z"),
        ("uf1", "2026-03-01T09:00:00Z", "2026-03-01T09:00:01Z"),
        ("uf1", "2026-13-01T09:00:00Z", "2026-03-01T09:00:00Z"),
        ("uf1", "0001-01-01T00:00:00+14:00", "2026-03-01T09:00:00Z"),
        ("uf1", "20260305", "2026-03-05T00:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-05T21:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-05T10:00:00Z"),
        ("begindate", "2026-03-05", "2026-03-04T21:07:00Z"),
        ("begindate", "2026-03-05", "2026-03-04"),
        ("begindate", "2026-03-99", "2026-03-04T21:00:00Z"),
        ("begindate", "tomorrow", "2026-03-04T21:00:00Z"),
        ("closedate", "2026-03-05T20:59:59Z", "2026-03-05T21:00:00Z"),
        ("uf1", "N", None),
        ("uf1", "0", None),
        ("uf1", "0", "N"),
        ("uf1", "1", "Y"),
        ("uf1", "n", "N"),
        ("uf1", True, "N"),
        ("uf1", True, None),
        ("uf1", True, "1"),
        ("uf1", False, "0"),
        ("uf1", "N", True),
        ("opened", "Y", "N"),
        ("opened", "N", "Y"),
        ("opened", "Y", None),
        ("opened", "perhaps", "Y"),
        ("title", "1|EUR", "1.0|EUR"),
        ("uf1", "1|EUR", "1|USD"),
        ("uf1", "1|EUR", "2|EUR"),
        ("uf1", "1|EUR", "1"),
        ("uf1", "1", "1|EUR"),
        ("uf1", ["a"], "a"),
        ("uf1", "a", ["a"]),
        ("uf1", ["a", "a"], ["a", "b"]),
        ("uf1", ["a", "b"], ["a"]),
        ("uf1", ["a"], None),
        ("uf1", ["2026-03-01"], ["2026-02-28T21:00:00Z"]),
        ("uf1", "5", {"id": 5}),
        ("uf1", ["a.txt", "aGk="], 17),
    ],
)
def test_in_doubt_two_values_are_different(name, written, read):
    """Values that only look the same are different."""
    assert not is_same(name, short(written), read)


def test_a_day_in_a_user_field_is_a_midnight_of_the_portal():
    """In a user field a day is the same as a time only if that is a midnight of the portal."""
    midnights = {"21:00:00Z"}
    assert is_same("uf1", "2026-03-01", "2026-02-28T21:00:00Z", midnights)
    assert not is_same("uf1", "2026-03-01", "2026-03-01T06:00:00Z", midnights)
    assert not is_same("uf1", "2026-03-01", "2026-03-01T21:00:00Z", midnights)
    assert not is_same("uf1", "2026-03-01 00:00", "2026-02-28T21:00:00Z", midnights)


@pytest.mark.parametrize(
    "value", ["x" * 65, ["a" * 40, "b" * 40], list(range(40)), {"0": "y" * 99}]
)
def test_a_long_value_is_compared_by_its_digest(value):
    """A value of more than 64 characters is noted and compared as a digest."""
    noted = short(value)
    assert noted.keys() == {"$sha256"}
    assert len(noted["$sha256"]) == 32
    read = list(value.values()) if isinstance(value, dict) else value
    assert is_same("uf1", noted, read[::-1] if isinstance(read, list) else read)
    assert not is_same("uf1", noted, read[:-1])
    assert not is_same("uf1", noted, None)


def test_a_short_value_is_noted_as_it_is():
    """The limit of a value that is noted as it is counts characters of JSON."""
    assert short("x" * 62) == "x" * 62
    assert short("x" * 63) != "x" * 63
    assert short(["a", None, 5]) == ["a", None, 5]


@pytest.mark.parametrize(
    "value", [None, 5, "2026-03-01", "2026-13-01T00:00:00Z", "2026-03-01T00:00:00"]
)
def test_only_a_time_as_the_projection_spells_it_is_one(value):
    """Only a time in UTC, spelled to the second, is taken for a time."""
    assert moment(value) is None

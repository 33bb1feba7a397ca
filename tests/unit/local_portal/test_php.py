"""PHP's shapes, in and out."""

import pytest

from local.portal.php import build_query, parse_query, php_array, to_xml


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&a=2", {"a": "2"}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        ("a[1]=x", {"a": {"1": "x"}}),
        ("filter[%3EID]=5&filter[0][logic]=OR", {"filter": {">ID": "5", "0": {"logic": "OR"}}}),
        ("select[]=", {"select": [""]}),
        ("a[%20]=x&a[%0A]=y&a[+ ]=z", {"a": {"0": "x", "1": "y", "  ": "z"}}),
        ("x=a+b%20c", {"x": "a b c"}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("[x]=1&=2&&", {}),
        ("a" + "[x]" * 100 + "=1", {}),
    ],
)
def test_query_is_decoded_as_php_does(query, expected):
    """Bracketed names nest, `[]` counts, the last value wins, what is too deep is dropped."""
    assert parse_query(query) == expected


def test_what_is_beyond_the_limit_of_variables_is_dropped():
    """`max_input_vars`; and counting entries takes no time that grows with their square."""
    assert len(parse_query("a[]=1&" * 30_000)["a"]) == 10_000
    assert parse_query("a[5]=x&a[]=y")["a"] == {"5": "x", "6": "y"}


def test_php_array_is_a_list_only_when_keyed_from_zero():
    """[REC] An empty section is `[]`, keys 0..n-1 give a list, anything else an object."""
    assert php_array({}) == []
    assert php_array({"0": "a", "1": "b"}) == ["a", "b"]
    assert php_array({"1": "a"}) == {"1": "a"}
    assert php_array({"x": "a"}) == {"x": "a"}


def test_query_is_built_as_http_build_query_does():
    """Brackets, spaces and tildes are escaped, empty arrays and nulls vanish, booleans are 1, 0."""
    fields = {"data": {"FIELDS": {"ID": 5}, "E": [], "N": None}, "t": True, "f": False, "s": "a ~b"}
    assert build_query(fields) == "data%5BFIELDS%5D%5BID%5D=5&t=1&f=0&s=a+%7Eb"


def test_xml_has_one_element_a_key():
    """`.xml` answers wrap the same values in elements [general-principles.md]."""
    xml = to_xml({"result": {"ID": "1", "TITLE": "a<b"}})
    assert xml.endswith(
        "<response><result><ID>1</ID><TITLE>a&lt;b</TITLE></result></response>",
    )

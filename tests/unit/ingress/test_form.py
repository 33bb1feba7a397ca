"""relay.ingress.form: what PHP sent is what comes out, and nothing else gets in."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qs_codec import decode

from relay.errors import MalformedRequestError, RequestTooLargeError, UnsupportedMediaTypeError
from relay.ingress.form import (
    LAST_FIELDS,
    MAX_BODY_BYTES,
    MAX_DEPTH,
    MAX_FIELDS,
    parse_form,
    read_form,
)
from tests.conftest import DATA, flat


@pytest.mark.parametrize("sample", sorted(DATA.glob("wire/*.txt")), ids=lambda path: path.stem)
def test_a_wire_sample_decodes_to_its_documented_data(sample, catalogue):
    """Each of the 20 recorded bodies becomes the data that the documentation shows."""
    form = parse_form(sample.read_bytes())
    (documented,) = [event for event in catalogue if event["event"] == sample.stem]
    if sample.stem == "ONEXTERNALCALLBACKSTART":  # its wire sample has a Russian text
        assert form["data"]["TEXT"].startswith("Заказан обратный звонок")
        form["data"]["TEXT"] = documented["sample_data"]["TEXT"]
    assert form["data"] == documented["sample_data"]
    assert form["event"] == sample.stem


keys = st.text(st.characters(exclude_characters="[]&=%+\0", codec="utf-8"), min_size=1, max_size=6)
values = st.recursive(
    st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.dictionaries(keys, inner, min_size=1, max_size=4)
        | st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def as_php_reads(value):
    """Return a value with a container of the keys 0..n-1 as a list, as PHP writes it in JSON."""
    if isinstance(value, dict):
        inner = {key: as_php_reads(item) for key, item in value.items()}
        if [*inner] == [str(position) for position in range(len(inner))]:
            return [*inner.values()]
        return inner
    return [as_php_reads(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_what_php_writes_is_read_back(data):
    """Any nested value that http_build_query writes is read back equal."""
    from_quote = "&".join(
        f"{quote(name)}={quote(text)}"
        for key, item in data.items()
        for name, text in flat(item, key)
    )
    assert parse_form(from_quote.encode()) == {key: as_php_reads(data[key]) for key in data}


def quote(text):
    """Percent-encode everything but letters and digits."""
    return "".join(
        char if char.isascii() and char.isalnum() else "".join(f"%{b:02X}" for b in char.encode())
        for char in text
    )


NAMES = ["a", "b[]", "c[x]", "c[y]", "d[0]", "e[k][]", "f[k][z]", "g[p][q][]"]


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_an_independent_decoder_agrees(names):
    """qs-codec reads the same names to the same nesting, where JavaScript's rules are PHP's."""
    body = "&".join(f"{name}={position}" for position, name in enumerate(names))
    assert parse_form(body.encode()) == decode(body)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[3]=1&a[]=2", {"a": {"3": "1", "4": "2"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a[b]=1&a=2&a[]=3", {"a": ["3"]}),
        ("a=1&a=2", {"a": "2"}),
        ("a[b=1", {"a[b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("a[b]c[d]=1", {"a": {"b": "1"}}),
        ("a[b[c]]=1", {"a": {"b[c": "1"}}),
        ("a[b[c][d]=1", {"a": {"b[c": {"d": "1"}}}),
        ("a[b][c=1", {"a": {"b": "1"}}),
        ("a]b=1", {"a]b": "1"}),
        ("a[1٣]=1&a[]=2", {"a": {"1٣": "1", "0": "2"}}),
        ("[a]=1", {"[a]": "1"}),
        ("=1&&b", {"b": ""}),
        ("a=%", {"a": "%"}),
        ("a=%zz%41", {"a": "%zzA"}),
        ("a=1+2%2B3", {"a": "1 2+3"}),
    ],
)
def test_odd_forms_are_read_as_php_reads_them(body, form):
    """Appending, overwriting, unbalanced brackets and bad percent-encodings have one meaning."""
    assert parse_form(body.encode()) == form


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"a=\xff%FF", "��"),
        (b"a=%D0%9F\xd0\x9f", "ПП"),
        (b"a=%ED%A0%80", "���"),
        (b"a=%00", "\0"),
    ],
    ids=["invalid UTF-8", "raw UTF-8", "a lone surrogate", "NUL"],
)
def test_broken_text_is_kept_as_well_as_it_can_be(body, text):
    """A broken byte becomes U+FFFD, and the rest of the form is kept."""
    assert parse_form(body) == {"a": text}


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(body):
    """Any bytes give a form or MalformedRequestError."""
    with contextlib.suppress(MalformedRequestError):
        assert isinstance(parse_form(body), dict)


def test_of_too_many_fields_the_first_and_the_last_count():
    """A form of too many fields keeps its code, its first fields and its token."""
    fields = [f"k{number}=" for number in range(MAX_FIELDS + 1)]
    assert len(parse_form("&".join(fields[1:]).encode())) == MAX_FIELDS
    form = parse_form("&".join([*fields, "auth[application_token]=t"]).encode())
    first = [f"k{number}" for number in range(MAX_FIELDS - LAST_FIELDS)]
    last = [f"k{number}" for number in range(MAX_FIELDS + 2 - LAST_FIELDS, MAX_FIELDS + 1)]
    assert [*form] == [*first, *last, "auth"]


def test_what_is_nested_too_deep_is_left_out():
    """A field of PHP's own depth is read, one that is deeper is left out, the others stay."""
    deep = "a" + "[b]" * (MAX_DEPTH - 1) + "=1"
    assert parse_form(deep.encode())
    for depth in (MAX_DEPTH, 10_000):
        assert parse_form(("a" + "[b]" * depth + "=1&c=2").encode()) == {"c": "2"}


def test_a_base64_body_is_decoded(request_of):
    """A body in base64 is decoded."""
    body = base64.b64encode(b"event=X").decode()
    assert read_form(request_of(body, isBase64Encoded=True)) == {"event": "X"}
    with pytest.raises(MalformedRequestError, match="base64"):
        read_form(request_of("%%%", isBase64Encoded=True))


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_over_the_limit_is_refused(request_of, encoded):
    """A body of 240 KiB is read, one of 241 KiB refused."""
    for size, fits in ((MAX_BODY_BYTES, True), (MAX_BODY_BYTES + 1, False)):
        body = "a=" + "x" * (size - 2)
        text = base64.b64encode(body.encode()).decode() if encoded else body
        if fits:
            assert read_form(request_of(text, isBase64Encoded=encoded))
        else:
            with pytest.raises(RequestTooLargeError, match="245760"):
                read_form(request_of(text, isBase64Encoded=encoded))


def test_an_absent_body_is_an_empty_form(request_of):
    """A missing body is read as an empty one."""
    assert read_form(request_of(None)) == {}


@pytest.mark.parametrize(
    "content_type", ["application/json", "", "multipart/form-data; boundary=x"]
)
def test_another_media_type_is_refused(request_of, content_type):
    """Any other media type is refused."""
    with pytest.raises(UnsupportedMediaTypeError):
        read_form(request_of("event=X", content_type))


def test_a_media_type_with_parameters_is_read(request_of):
    """The media type's case and a charset beside it do not matter."""
    content_type = "Application/X-WWW-Form-Urlencoded; charset=UTF-8"
    assert read_form(request_of("event=X", content_type)) == {"event": "X"}


def test_another_method_is_refused(request_of):
    """Any other method than POST is refused."""
    request = request_of("event=X")
    request["requestContext"]["http"]["method"] = "PUT"
    with pytest.raises(MalformedRequestError, match="only POST"):
        read_form(request)

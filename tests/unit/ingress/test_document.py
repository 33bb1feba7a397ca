"""relay.ingress.document: which item a robot's request is about."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import MalformedRequestError
from relay.event import Document
from relay.ingress.document import entity_type_id, read_document
from tests.robots import DOCUMENTS, form_of

DYNAMIC = r"Bitrix\Crm\Integration\BizProc\Document\Dynamic"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_each_recorded_body_names_its_document(name):
    """Each of the 20 recorded requests is about the item that its portal meant."""
    assert read_document(form_of(name)["document_id"]) == DOCUMENTS[name]


@pytest.mark.parametrize(
    ("document_id", "document"),
    [
        (["crm", "CCrmDocumentLead", "LEAD_777"], ("lead", "777")),
        (["crm", "CCrmDocumentContact", "CONTACT_1"], ("contact", "1")),
        (["crm", "CCrmDocumentCompany", "COMPANY_1"], ("company", "1")),
        (["crm", r"Bitrix\Crm\Integration\BizProc\Document\Quote", "QUOTE_1"], ("quote", "1")),
        (["crm", "SmartInvoice", "SMART_INVOICE_3"], ("invoice", "3")),
        (["crm", DYNAMIC, "DYNAMIC_31_3"], ("invoice", "3")),
        (["crm", DYNAMIC, "DYNAMIC_128_7"], ("dynamic_128", "7")),
        (["crm", "Order", "ORDER_1"], ("order", "1")),
        (["tasks", "Task", "9"], ("task", "9")),
        (["lists", "BizprocDocument", "777"], ("list_element", "777")),
        (["disk", "BizProcDocument", "777"], ("file", "777")),
        (["crm", "Later", "LATER_KIND_7"], ("crm", "LATER_KIND_7")),
        (["crm", "Deal", "DEAL_0"], ("crm", "DEAL_0")),
        (["rpa", "Item", "12:34"], ("rpa", "12:34")),
        ({"2": "DEAL_42", "0": "crm", "1": "x"}, ("deal", "42")),
        ({"0": "crm", "2": "DEAL_42"}, ("deal", "42")),
        ("DEAL_42", ("deal", "42")),
        ("DYNAMIC_128_7", ("dynamic_128", "7")),
    ],
)
def test_a_document_has_the_kind_of_changes_or_its_module(document_id, document):
    """Kinds are named as in Changes; a kind of its own module's otherwise."""
    assert read_document(document_id) == Document(*document)


@pytest.mark.parametrize(
    "document_id",
    [
        *(None, "", "42", "deal_42", "DEAL_", "DEAL_42 ", [], ["crm"], ["crm", "x"], {}, 5),
        *(["", "", ""], ["crm", "x", ""], ["crm", "x", ["DEAL_1"]], [["crm"], "x", "DEAL_1"]),
        *(["tasks", "x", "a b"], ["CRM", "x", "DEAL_1"], ["crm", "x", "D" * 51], ["x/y", "", "1"]),
    ],
)
def test_what_names_no_document_is_refused(document_id):
    """A missing, a listed, a nested and an unreadable document raise one error."""
    with pytest.raises(MalformedRequestError, match="names no document"):
        read_document(document_id)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=12),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "1", "2"]), inner)
        ),
        max_leaves=6,
    )
)
def test_anything_is_a_document_or_refused(value):
    """Nothing else than a Document or MalformedRequestError comes of any value."""
    with contextlib.suppress(MalformedRequestError):
        assert all(read_document(value))


@pytest.mark.parametrize(
    ("kind", "number"), [("deal", 2), ("invoice", 31), ("dynamic_128", 128), ("task", None)]
)
def test_a_kind_has_its_number(kind, number):
    """Kinds with items of CRM have the entityTypeId of `crm.item.*`, others none."""
    assert entity_type_id(kind) == number
    assert entity_type_id("list_element") is None

"""Events of requisites and bank details: their company or contact is read."""

import pytest

from relay.errors import OperatorError, PermanentError, TransientError
from tests.tracking_aws import OLD, changes, event_message
from tests.tracking_queues import URL

REQUISITES, DETAILS = "crm.requisite.list", "crm.requisite.bankdetail.list"


@pytest.fixture
def asked(whole, monkeypatch):
    """Return the handlers with two companies and a contact; the companies' requisites are read."""
    monkeypatch.setenv("PARTS", "company.requisites")
    for kind, number, requisite in ((4, 1, 5), (4, 2, 6), (3, 1, 7), (8, 1, 8)):
        if kind in whole.portal.items:
            whole.portal.put(kind, number, title="a", updatedTime=OLD)
        row = {"ID": str(requisite), "ENTITY_TYPE_ID": str(kind), "ENTITY_ID": str(number)}
        whole.portal.requisites.append(row | {"RQ_INN": "1"})
    whole.portal.bank_details.append({"ID": "9", "ENTITY_ID": "6", "RQ_ACC_NUM": "1"})
    whole.baseline()
    whole.portal.calls.clear()
    return whole


def event(relay, name, number, action="update"):
    """Let an event of a requisite or a bank detail arrive."""
    entity = "bank_detail" if name == "BANKDETAIL" else "requisite"
    message = event_message(
        f"ONCRM{name}{action.upper()}", number, action, entity=entity, type_id=None
    )
    relay.send(message)


def test_an_event_of_a_requisite_is_a_hint_of_its_company(asked):
    """Two requisites and a bank detail of two companies are told, in four requests together."""
    asked.portal.requisites[0]["RQ_INN"] = "7707"
    asked.portal.bank_details[0]["RQ_ACC_NUM"] = "40702"
    before = asked.portal.requests
    event(asked, "REQUISITE", 5)
    event(asked, "REQUISITE", 5, "add")
    event(asked, "BANKDETAIL", 9)
    found = changes(asked.settle())
    assert {(one.subject, one.changed, one.via) for one in found} == {
        ("company/1", ("requisites",), "event"),
        ("company/2", ("requisites",), "event"),
    }
    assert [method for method, _ in asked.portal.calls[:2]] == [DETAILS, REQUISITES]
    # The owners of bank details, those of requisites, the items with theirs, their bank details.
    assert asked.portal.requests - before == 4
    assert "seen#main" not in asked.dynamo.state  # no event of a company came


@pytest.mark.parametrize(
    ("name", "number", "action"),
    [
        ("REQUISITE", 5, "delete"),  # it is gone: nothing names its owner
        ("REQUISITE", 99, "update"),  # gone meanwhile
        ("BANKDETAIL", 99, "update"),
        ("REQUISITE", 7, "update"),  # a contact's, whose requisites are not asked for
        ("REQUISITE", 8, "update"),  # no company's and no contact's
    ],
)
def test_an_event_without_an_owner_to_read_is_acknowledged(asked, name, number, action):
    """Nothing is read for it, and its message does not come back."""
    event(asked, name, number, action)
    assert changes(asked.settle()) == []
    assert not {"crm.item.list"} & {method for method, _ in asked.portal.calls}
    assert not asked.queues.messages[URL + "track"]


def test_what_is_not_asked_for_costs_no_request(asked, monkeypatch):
    """Without requisites in Parts their events are acknowledged unread."""
    monkeypatch.setenv("PARTS", "steps,products,deal.contacts")
    event(asked, "REQUISITE", 5)
    event(asked, "BANKDETAIL", 9)
    assert asked.settle() == []
    assert not asked.portal.calls
    assert not asked.queues.messages[URL + "track"]


def test_an_owner_that_can_not_be_asked_for_now_holds_its_own_event(asked):
    """The event of a requisite waits while the portal is busy; other items of its batch do not."""
    asked.portal.put(4, 1, title="b")
    asked.portal.requisites[1]["RQ_INN"] = "7707"
    company = event_message("ONCRMCOMPANYUPDATE", 1, "update", entity="company", type_id=4)
    answer = asked.portal.answer

    def busy(method, params):
        if method == REQUISITES and "@ID" in params["filter"]:
            raise TransientError(method, "QUERY_LIMIT_EXCEEDED")
        return answer(method, params)

    asked.portal.answer = busy
    asked.send(company)
    event(asked, "REQUISITE", 6)
    assert [one.subject for one in changes(asked.settle())] == ["company/1"]
    assert len(asked.queues.messages[URL + "track"]) == 1
    asked.portal.answer = answer
    assert [one.subject for one in changes(asked.settle())] == ["company/2"]


@pytest.mark.parametrize(
    "error",
    [
        PermanentError(REQUISITES, "ACCESS_DENIED"),
        OperatorError(REQUISITES, "insufficient_scope"),
    ],
)
def test_a_webhook_without_the_right_to_requisites_drops_their_events(asked, error):
    """What the webhook may not read is no reason for its message to come back."""
    asked.portal.refusals[REQUISITES] = error
    event(asked, "REQUISITE", 5)
    assert asked.settle() == []
    assert not asked.queues.messages[URL + "track"]

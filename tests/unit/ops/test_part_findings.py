"""ops.part_findings: which parts a portal does not give, and what to do about it."""

import asyncio

import pytest

from ops import part_findings
from ops.deployed import Deployed
from ops.findings import LOOK, OK
from ops.part_findings import findings_of_portal
from relay.portal.fake import FakePortal
from relay.tracking.parts import PartsSetting
from relay.tracking.sweep_state import KindProgress, SweepDocument, SweepState
from tests.tracking_dynamo import FakeDynamo

HISTORY, ROWS = "crm.stagehistory.list", "crm.item.productrow.list"
URL = {"webhook-urls/read": "https://portal.example/rest/1/secret/"}


@pytest.fixture
def portal():
    """Return a portal that gives everything."""
    return FakePortal({HISTORY: {"items": []}, ROWS: {"productRows": []}})


def findings(portal, text="steps,products"):
    """Return the findings about deals, contacts, and a kind that is refused as a whole."""
    kinds = {name: KindProgress() for name in ("deal", "contact")}
    document = SweepDocument(kinds | {"lead": KindProgress(refused=True)})
    found = part_findings.part_findings(portal, document, PartsSetting.parse(text))
    return asyncio.run(found)


def test_parts_that_can_be_read_are_named(portal):
    """Each part is asked for of each kind that has it."""
    assert findings(portal) == [(OK, "products and steps can be read")]
    assert [method for method, _ in portal.calls] == [ROWS, HISTORY]
    assert findings(portal, "none") == []
    assert findings(portal, "contacts") == []  # they are not tried


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        (ROWS, "ACCESS_DENIED", "deal: product rows can't be asked for several items at once"),
        (ROWS, "ENTITY_TYPE_NOT_SUPPORTED", "deal: products are left unread"),
        (HISTORY, "ENTITY_TYPE_NOT_SUPPORTED", "deal: steps are left unread"),
    ],
)
def test_a_part_that_is_refused_is_told_with_its_remedy(portal, method, code, text):
    """A refusal names kind and part, and ends in what to do."""
    portal.fail(method, code)
    ((level, announced),) = findings(portal)
    assert level == LOOK
    assert announced.startswith(text)
    assert "leave them out of Parts" in announced


def test_a_portal_that_is_away_is_no_refusal(monkeypatch, portal):
    """If the portal does not answer, that is said in place of the findings."""
    monkeypatch.setattr(part_findings, "Portal", lambda _webhook: portal)
    portal.fail(HISTORY, "QUERY_LIMIT_EXCEEDED")
    dynamo = FakeDynamo()
    state = SweepState(dynamo, "State")
    state.acquire("main", "test", 1, 1)
    state.save("main", "test", SweepDocument({"deal": KindProgress()}))
    parameters = {"AllowHttp": "false", "Parts": "steps"}
    stack = Deployed("relay", {}, parameters, {"StateTable": "State"})
    (found,) = findings_of_portal("main", URL, dynamo, stack)
    assert found.level == LOOK
    assert "QUERY_LIMIT_EXCEEDED" in found.text
    assert list(findings_of_portal("main", {}, dynamo, stack)) == []

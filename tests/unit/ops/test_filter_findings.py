"""ops.filter_findings: a filter that lets nothing through is told."""

import json

import pytest

from ops.filter_findings import filter_findings, spelling_findings
from ops.findings import BAD

CHANGE, EVENT = "com.bitrix24.deal.updated", "com.bitrix24.event.oncrmdealupdate"
SCHEMA = {"deal": {"stageId": ("", ""), "UF_CRM_1": ("", "")}, "lead": {"comments": ("", "")}}


@pytest.fixture
def root(tmp_path):
    """Return the function that makes a project with one reaction, call_ada."""

    def make(topic, policy):
        text = policy if isinstance(policy, str) else json.dumps(policy)
        entry = {"Handler": "relay.reactions.call_ada.handler", "Topic": topic, "Filter": text}
        template = {"Mappings": {"Reaction": {"CallAda": entry}}}
        (tmp_path / "template.yaml").write_text(json.dumps(template), "utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("topic", "policy", "text"),
    [
        ("ChangesTopic", {"type": ["com.bitrix24.deal.update"]}, f"did you mean {CHANGE}?"),
        ("ChangesTopic", {"type": ["com.bitrix24.deals.updated"]}, f"did you mean {CHANGE}?"),
        ("ChangesTopic", {"type": [EVENT]}, "which ChangesTopic never has"),
        ("ChangesTopic", {"data": {"origins": ["portal"]}}, "did you mean origin?"),
        ("ChangesTopic", {"changed": ["stageId"]}, "'changed', which no message has"),
        ("ChangesTopic", "{'type': []}", "is refused by SNS: Expecting property name"),
        ("ChangesTopic", {"data": {"id": ["1"] * 99}}, "is refused by SNS: SNS takes filters"),
        ("EventsTopic", {"type": [CHANGE]}, "which EventsTopic never has"),
        ("EventsTopic", {"type": [EVENT.upper()]}, f"did you mean {EVENT}?"),
        ("EventsTopic", {"type": [EVENT + "d"]}, f"did you mean {EVENT}?"),
        ("EventsTopic", {"data": {"origin": ["portal"]}}, "'origin', which no message has"),
    ],
)
def test_a_filter_that_no_message_meets_is_bad(root, topic, policy, text):
    """SNS takes most of these, and the reaction would never run."""
    (found,) = filter_findings(root(topic, policy))
    assert found.level == BAD
    assert found.text.startswith("call_ada never runs: its Filter in template.yaml ")
    assert text in found.text
    assert list(spelling_findings(root(topic, policy), ["call_ada"], SCHEMA)) == []


@pytest.mark.parametrize(
    ("topic", "policy"),
    [
        ("ChangesTopic", {"type": [CHANGE, "com.bitrix24.dynamic_1036.added"]}),
        ("ChangesTopic", {"type": ["com.bitrix24.activity.added", {"prefix": "com."}]}),
        ("ChangesTopic", {"source": ["urn:bitrix24:main"], "data": {"truncated": ["title"]}}),
        ("EventsTopic", {"type": [EVENT, "com.bitrix24.robot.call", "com.bitrix24.event.new"]}),
        ("EventsTopic", {"type": ["com.bitrix24.event.oncrmdynamicitemupdate_1036"]}),
        ("EventsTopic", {"type": ["com.bitrix24.schema.changed"], "data": {"payload": {"a": [1]}}}),
    ],
)
def test_a_filter_that_can_be_met_is_left_alone(root, topic, policy):
    """Smart processes, robots and events that no document names are among the messages."""
    assert list(filter_findings(root(topic, policy))) == []


def test_only_the_reactions_that_are_asked_for_are_judged(root):
    """Doctor asks for those that are deployed, some of which may not be in this folder."""
    project = root("ChangesTopic", {"type": [EVENT]})
    assert list(filter_findings(project, ["another"])) == []
    assert list(filter_findings(project, [])) == []


@pytest.mark.parametrize(
    ("types", "data", "spelling"),
    [
        (["deal.added", "deal.updated"], {"changed": ["STAGE_ID"]}, "stageId"),
        (["deal.updated"], {"changed": ["stageID"], "origin": ["portal"]}, "stageId"),
        (["deal.updated"], {"after": {"ufCrm_1": [{"exists": True}]}}, "UF_CRM_1"),
        (["lead.updated", "deal.updated"], {"changed": ["coments", "stageId"]}, "comments"),
    ],
)
def test_a_filter_that_misspells_a_field_is_bad(root, types, data, spelling):
    """The portal has the field in another spelling."""
    policy = {"type": [f"com.bitrix24.{one}" for one in types], "data": data}
    (found,) = spelling_findings(root("ChangesTopic", policy), ["call_ada"], SCHEMA)
    assert found.level == BAD
    assert found.text.startswith("call_ada waits for ")
    assert f"did you mean {spelling}?" in found.text


@pytest.mark.parametrize(
    "policy",
    [
        {"type": [CHANGE], "data": {"changed": ["stageId", "productRows"]}},
        {"type": [CHANGE], "data": {"changed": [{"prefix": "stage"}]}},
        {"type": ["com.bitrix24.contact.updated"], "data": {"changed": ["stageID"]}},
        {"type": [{"prefix": "com.bitrix24."}], "data": {"changed": ["stageID"]}},
        {},
    ],
)
def test_fields_that_may_be_there_are_left_alone(root, policy):
    """The portal lists no parts of items, and no fields of kinds that it does not have."""
    assert list(spelling_findings(root("ChangesTopic", policy), ["call_ada"], SCHEMA)) == []

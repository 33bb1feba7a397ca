"""ops.filter_findings: a filter that lets nothing through is told."""

import json

import pytest

from ops.filter_findings import filter_findings, spelling_findings, unmirrored_findings
from ops.findings import BAD, LOOK

CHANGE, EVENT = "com.bitrix24.deal.updated", "com.bitrix24.event.oncrmdealupdate"
STAGES = ("DEAL_STAGE/WON", "DEAL_STAGE/LOSE", "DEAL_STAGE_3/C3:WON", "SOURCE/UC_1X2Y3W")
SCHEMA = {
    "deal": {"stageId": ("", ""), "UF_CRM_1": ("", "")},
    "lead": {"comments": ("", "")},
    "statuses": dict.fromkeys(STAGES, ("", "")),
}


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
        ("ChangesTopic", {"data": {"changed": ["updatedTime"]}}, "a change of updatedTime, which"),
        ("EventsTopic", {"type": [CHANGE]}, "which EventsTopic never has"),
        (
            "EventsTopic",
            {"type": ["com.bitrix24.event.oncrmdynamicitemadd_{entity_type_id}"]},
            "which EventsTopic never has",
        ),
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


@pytest.mark.parametrize(
    ("topic", "argument", "found"),
    [
        ("ChangesTopic", "event: Event", "takes an Event, but ChangesTopic sends it Changes"),
        ("EventsTopic", "change: Change", "takes a Change, but EventsTopic sends it Events"),
        ("ChangesTopic", "change: Change", None),
        ("EventsTopic", "event: Event", None),
    ],
)
def test_a_reaction_that_takes_what_its_topic_never_sends_is_bad(root, topic, argument, found):
    """Each of its records would be a dead letter."""
    project = root(topic, {"type": [CHANGE if topic == "ChangesTopic" else EVENT]})
    file = project / "src/relay/reactions/call_ada.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"@reaction\nasync def call(\n    {argument}, portal: PortalApi\n)", "utf-8")
    findings = [one.text for one in filter_findings(project)]
    expected = f"call_ada can't run: it {found}; change its Topic in template.yaml, or its argument"
    assert findings == ([expected] if found else [])


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
    ("data", "spelling"),
    [
        ({"after": {"stageId": ["Won", "LOSE"]}}, "Won, which no funnel has; did you mean WON?"),
        ({"passed": ["LOST"]}, "LOST, which no funnel has; did you mean LOSE?"),
        ({"passed": ["C3:WNO"]}, "C3:WNO, which no funnel has; did you mean C3:WON?"),
        ({"passed": ["c3:won"]}, "c3:won, which no funnel has; did you mean C3:WON?"),
    ],
)
def test_a_filter_that_misspells_a_stage_is_bad(root, data, spelling):
    """The portal has the stage in another spelling, in that funnel."""
    policy = {"type": [CHANGE], "data": data}
    (found,) = spelling_findings(root("ChangesTopic", policy), ["call_ada"], SCHEMA)
    assert found.level == BAD
    assert found.text.startswith(f"call_ada waits for the stage {spelling}")


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        ({"passed": ["WON", "C3:WON"], "after": {"stageId": ["LOSE"]}}, SCHEMA),
        ({"passed": ["C4:WON", "UC_1X2Y3Z", {"prefix": "Won"}, 5]}, SCHEMA),
        ({"after": {"stageId": [{"exists": True}], "title": ["Won"]}}, SCHEMA),
        ({"passed": ["Won"]}, {"deal": SCHEMA["deal"]}),
    ],
)
def test_stages_that_may_be_there_are_left_alone(root, data, schema):
    """A stage or a funnel may be younger than the daily reading of the stages."""
    project = root("ChangesTopic", {"type": [CHANGE], "data": data})
    assert list(spelling_findings(project, ["call_ada"], schema)) == []


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (["activity"], "activity, which the mirror does not hold: Parts must name `activities`"),
        (["dynamic_999"], "dynamic_999, which the mirror does not hold: does the portal have it"),
        (["lead"], "lead, which the mirror does not hold: does the portal have it"),
    ],
)
def test_a_reaction_to_a_kind_that_is_not_mirrored_is_told(root, kinds, text):
    """No Change of that kind is ever announced, and nothing else would say so."""
    policy = {"type": [f"com.bitrix24.{kind}.updated" for kind in kinds]}
    project = root("ChangesTopic", policy)
    (found,) = unmirrored_findings(project, ["call_ada"], {"deal"})
    assert (found.level, found.text.startswith(f"call_ada waits for {text}")) == (LOOK, True)
    assert list(unmirrored_findings(project, ["call_ada"], {"deal", *kinds})) == []


@pytest.mark.parametrize(
    ("topic", "policy"),
    [
        ("ChangesTopic", {"type": [CHANGE, "com.bitrix24.lead.added"]}),
        ("ChangesTopic", {"type": [{"prefix": "com.bitrix24.lead"}]}),
        ("ChangesTopic", {}),
        ("EventsTopic", {"type": ["com.bitrix24.event.oncrmleadadd"]}),
    ],
)
def test_a_reaction_that_gets_something_is_left_alone(root, topic, policy):
    """One mirrored kind is enough, and events need no mirror."""
    assert list(unmirrored_findings(root(topic, policy), ["call_ada"], {"deal"})) == []


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

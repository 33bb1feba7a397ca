"""ops.subscription: topic, filter and sample of what a reaction subscribes to."""

import json

import pytest

from ops.subscription import check_limits, subscription
from relay.ingress.recognise import CATALOGUE
from tests.samples import passes


def test_a_filter_of_six_keys_is_refused():
    """A filter with more keys than SNS takes is refused."""
    with pytest.raises(ValueError, match="has 6 and 1"):
        check_limits({str(number): ["x"] for number in range(6)})


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("opportunity", 2, 3),
        ("companyId", 2, 3),
        ("assignedById", 2, 1),
        ("stageId", "sample 2", "sample 3"),
        ("UF_CRM_1", "sample 2", "sample 3"),
    ],
)
def test_a_samples_values_are_of_their_fields_kind(field, before, after):
    """Numbers of a sample are numbers, so that a reaction can calculate with them."""
    sample = subscription("deal.updated", field).sample
    assert (sample.before, sample.after[field]) == ({field: before}, after)
    assert sample.after["assignedById"] == 1


def test_every_documented_event_can_be_subscribed_to():
    """Each sample passes its filter, with an id where the catalogue has its place."""
    for code, entry in CATALOGUE.items():
        name = code.replace("{ENTITY_TYPE_ID}", "128")
        found = subscription(name)
        assert passes(found.policy, json.loads(found.sample.to_json())), name
        if entry["idPath"] and (entry["entity"] != "dynamic_item" or name != code):
            assert found.sample.id == "1", name


@pytest.mark.parametrize(
    ("to", "passed", "stage"),
    [
        ("WON,LOSE", ["WON", "LOSE"], "WON"),
        ("", [{"exists": True}], "WON"),
        ("C3:NEW", ["C3:NEW"], "C3:NEW"),
    ],
)
def test_moves_to_stages_are_subscribed_to(to, passed, stage):
    """FIELD=passed filters by the stages that an item moved to, by any move without TO."""
    found = subscription("deal", "passed", to)
    assert found.policy["data"] == {"origin": ["portal"], "passed": passed}
    assert (found.sample.passed, found.sample.steps[0]["stageId"]) == ((stage,), stage)
    assert passes(found.policy, json.loads(found.sample.to_json()))


@pytest.mark.parametrize(
    ("field", "spelling"),
    [("STAGE_ID", "stageId"), ("title,OPPORTUNITY", "opportunity"), ("stage_id", "stageId")],
)
def test_names_of_older_methods_are_refused(field, spelling):
    """A filter of such a name would let nothing through."""
    with pytest.raises(ValueError, match=f"crm.item.get: {spelling}, not "):
        subscription("deal", field)


@pytest.mark.parametrize(("field", "value"), [("status", "5"), ("createdBy", 5)])
def test_a_number_of_a_task_is_met_as_text_and_as_number(field, value):
    """The portal answers some of them as text, and SNS takes 5 and "5" for two values."""
    policy = subscription("task.updated", field, "5").policy
    data = {"origin": "portal", "changed": [field], "after": {field: value}}
    assert passes(policy, {"type": "com.bitrix24.task.updated", "data": data})


@pytest.mark.parametrize("field", ["UF_CRM_1", "ufCrm_1", "parentId149", "PARENT_ID_149"])
def test_user_fields_and_links_keep_their_spelling(field):
    """They have more than one, by portal and method."""
    assert subscription("deal", field).policy["data"]["changed"] == [field]


@pytest.mark.parametrize(
    ("on", "message"), [("contact", "contact has no stages"), ("deal.deleted", "FIELD")]
)
def test_moves_need_a_kind_with_a_history(on, message):
    """Kinds without a stage history, and deletions, have no moves to filter by."""
    with pytest.raises(ValueError, match=message):
        subscription(on, "passed", "WON")


def test_what_became_of_fields_and_stages_can_be_subscribed_to():
    """`schema.changed` is an event of the relay's own, with its changes in the payload."""
    found = subscription("schema.changed")
    assert found.topic == "EventsTopic"
    assert passes(found.policy, json.loads(found.sample.to_json()))
    (change,) = found.sample.payload["changes"]
    assert (change["part"], change["id"], change["what"]) == ("DEAL_STAGE_3", "C3:5", "removed")

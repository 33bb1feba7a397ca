"""relay.tracking.schema_watch: what became of fields and stages is told once."""

import asyncio
import json

import pytest

from relay.event import SCHEMA_TYPE, Event
from relay.portal.fake import FakePortal
from relay.tracking import schema_watch
from relay.tracking.schema_watch import DAY_SECONDS, SchemaStore, differences, watch
from tests.tracking_dynamo import FakeDynamo

NOW = 1_796_000_000.0
FIELDS = {
    "stageId": {"title": "Стадия", "type": "crm_status"},
    "UF_CRM_1": {"title": "Source", "type": "string"},
}
STATUSES = [
    {"ENTITY_ID": "DEAL_STAGE_3", "STATUS_ID": "C3:NEW", "NAME": "New"},
    {"ENTITY_ID": "DEAL_STAGE_3", "STATUS_ID": "C3:5", "NAME": "Contract"},
]


def named(fields, asked):
    """Return the fields as a portal spells them."""
    if asked.get("useOriginalUfNames") == "Y":
        return fields
    return {name.replace("UF_CRM", "ufCrm"): about for name, about in fields.items()}


class Watcher:
    """A portal that is watched, and the events that were published."""

    def __init__(self):
        self.dynamo = FakeDynamo()
        self.portal = FakePortal()
        self.published = []
        self.becomes(FIELDS, STATUSES)

    def becomes(self, fields, statuses):
        """Let the portal answer so."""
        self.portal.answers = {
            "crm.item.fields": lambda **asked: {"fields": named(fields, asked)},
            "tasks.task.getFields": {"fields": {"DEADLINE": {"title": "Due", "type": "datetime"}}},
            "crm.status.list": statuses,
        }

    def look(self):
        """Watch once."""
        store = SchemaStore(self.dynamo, "State")
        kinds = ["deal", "task"]
        return asyncio.run(watch("main", self.portal, kinds, store, self.published.append))

    def changes(self):
        """Return the changes of the one event that was published, without its sizes."""
        (event,) = self.published
        assert Event.from_cloudevent(json.loads(event.to_json())) == event
        assert json.loads(event.to_json())["type"] == SCHEMA_TYPE
        return [tuple(one.values()) for one in event.payload["changes"]]


@pytest.fixture
def watcher(times):
    """Return a portal that was looked at a day ago."""
    made = Watcher()
    times.stand(NOW)
    assert made.look() == 0
    times.stand(NOW + DAY_SECONDS)
    made.portal.calls.clear()
    return made


def without(name):
    """Return the fields without one."""
    return {field: about for field, about in FIELDS.items() if field != name}


@pytest.mark.parametrize(
    ("fields", "statuses", "expected"),
    [
        (FIELDS, STATUSES[:1], ("DEAL_STAGE_3", "C3:5", "removed", "Contract", "")),
        (
            FIELDS,
            [STATUSES[0], STATUSES[1] | {"NAME": "Signed"}],
            ("DEAL_STAGE_3", "C3:5", "renamed", "Contract", "Signed"),
        ),
        (without("UF_CRM_1"), STATUSES, ("deal", "UF_CRM_1", "removed", "Source", "")),
        (
            FIELDS | {"UF_CRM_1": {"title": "Source", "type": "enumeration"}},
            STATUSES,
            ("deal", "UF_CRM_1", "retyped", "string", "enumeration"),
        ),
    ],
)
def test_what_was_renamed_retyped_or_removed_is_one_event(watcher, fields, statuses, expected):
    """Each has its kind or directory, its id, and what it was before and is now."""
    watcher.becomes(fields, statuses)
    assert watcher.look() == 1
    assert watcher.changes() == [expected]
    assert watcher.look() == 0  # the day has begun anew
    assert len(watcher.published) == 1


def test_fields_are_spelt_as_in_changes(watcher):
    """Doctor looks for these names in the code of reactions."""
    schema = SchemaStore(watcher.dynamo, "State").read("main").schema
    assert schema["deal"].keys() == {"stageId", "UF_CRM_1"}
    assert schema["task"].keys() == {"deadline"}


def test_a_field_that_is_spelt_anew_is_the_same(watcher):
    """An update of the portal spells user fields as its administrator does."""
    watcher.becomes(without("UF_CRM_1") | {"ufCrm_1": FIELDS["UF_CRM_1"]}, STATUSES)
    assert watcher.look() == 0
    before = {"deal": {"UF_CRM_1_2": ("", "string")}}
    assert differences(before, {"deal": {"ufCrm1_2": ("", "string")}}) == []
    assert len(differences(before, {"deal": {"UF_CRM_3": ("", "string")}})) == 1


def test_a_first_look_and_an_equal_one_tell_nothing(watcher):
    """What was there before is no news, and neither is a new field."""
    watcher.becomes(FIELDS | {"UF_CRM_2": {"title": "N", "type": "string"}}, STATUSES)
    assert watcher.look() == 0
    assert watcher.published == []


def test_it_costs_its_calls_once_a_day(watcher, times):
    """Between two looks nothing is asked."""
    times.stand(NOW + DAY_SECONDS - 1)
    assert watcher.look() == 0
    assert watcher.portal.calls == []


@pytest.mark.parametrize("method", ["crm.item.fields", "crm.status.list"])
def test_what_can_not_be_read_is_not_removed(watcher, method):
    """An error of one call leaves its part as it was known; the others are compared."""
    watcher.becomes(without("UF_CRM_1"), STATUSES[:1])
    watcher.portal.fail(method, "ACCESS_DENIED")
    assert watcher.look() == 1
    ((_, name, *_),) = watcher.changes()
    assert name == ("C3:5" if method == "crm.item.fields" else "UF_CRM_1")


def test_a_portal_that_does_not_answer_is_looked_at_an_hour_later(watcher, times):
    """Sweeps do not ask it every five minutes, and the removal is told all the same."""
    watcher.becomes(FIELDS, STATUSES[:1])
    answers = dict(watcher.portal.answers)
    for method in answers:
        watcher.portal.fail(method, "QUERY_LIMIT_EXCEEDED")
    assert watcher.look() == 0
    watcher.portal.answers = answers
    assert watcher.look() == 0
    times.stand(NOW + DAY_SECONDS + 3600)
    assert watcher.look() == 1


def test_what_is_gone_is_remembered_until_it_is_back(watcher, times):
    """Doctor holds the reactions against it."""
    store = SchemaStore(watcher.dynamo, "State")
    watcher.becomes(FIELDS, STATUSES[:1])
    watcher.look()
    assert store.read("main").gone == {"C3:5": NOW + DAY_SECONDS}
    watcher.becomes(FIELDS, STATUSES)
    times.stand(NOW + 2 * DAY_SECONDS)
    watcher.look()
    assert store.read("main").gone == {}


def test_an_event_of_many_changes_is_cut():
    """SNS takes 256 KB: the first 500 are in it, with the number of the others."""
    before = {"deal": {f"ufCrm_{n}": ("T" * 100, "string") for n in range(600)}}
    found = differences(before, {})
    event = schema_watch.event_of("main", found, NOW)
    assert (len(event.payload["changes"]), event.payload["more"]) == (500, 100)
    assert len(event.to_json().encode()) < 256 * 1024
    assert schema_watch.event_of("main", found, NOW + 9).event_id == event.event_id


def test_a_field_without_a_title_has_an_empty_one():
    """A title that the portal does not know is empty, and a kind that it refuses has no fields."""
    portal = FakePortal({"crm.item.fields": {"fields": {"uf": {"title": None, "type": "string"}}}})
    read = schema_watch._fields
    assert asyncio.run(read(portal, "deal")) == {"uf": ("", "string")}
    assert asyncio.run(read(FakePortal({"crm.item.fields": []}), "deal")) is None

"""Small methods of tasks, the catalogue and templates that no family has."""

import pytest

from tests.unit.local_portal.family_requests import SHAPES

RESULT = "tasks.task.result"


@pytest.fixture
def commented(full):
    """Make a task with two comments."""
    full.call("tasks.task.add", fields={"TITLE": "One", "RESPONSIBLE_ID": 1})
    for text in ("First", "Second"):
        full.call("task.commentitem.add", TASKID=1, FIELDS={"POST_MESSAGE": text})
    return full


def test_comments_become_results_and_leave_them(commented):
    """The newest result stands first; a comment is a result once."""
    made = [commented.call(f"{RESULT}.addFromComment", commentId=number) for number in (1, 2)]
    assert [(one["taskId"], one["commentId"], one["text"]) for one in made] == [
        (1, 1, "First"),
        (1, 2, "Second"),
    ]
    assert [one["id"] for one in commented.call(f"{RESULT}.list", taskId=1)] == [2, 1]
    refused = commented.refusal(f"{RESULT}.addFromComment", commentId=1)
    assert (refused.code, refused.text) == ("0", "Result already exists.")
    assert commented.call(f"{RESULT}.deleteFromComment", commentId=1) is None
    assert [one["commentId"] for one in commented.call(f"{RESULT}.list", taskId=1)] == [2]


@pytest.mark.parametrize(
    ("method", "params", "code", "text"),
    [
        ("addFromComment", {"commentId": 9}, "0", "Comment not found."),
        ("deleteFromComment", {"commentId": 9}, "0", "Comment not found."),
        ("list", {"taskId": 9}, "0", "Access denied."),
        ("list", {"taskId": "x"}, "100", "Invalid value {x} to match with parameter {taskId}."),
        ("list", {}, "100", "Could not find value for parameter {taskId}"),
    ],
)
def test_results_are_refused_as_their_pages_say(commented, method, params, code, text):
    """Absent comments and tasks, and what is no number."""
    refused = commented.refusal(f"{RESULT}.{method}", **params)
    assert refused.code == code
    assert refused.text.startswith(text)


def test_a_pinned_task_says_so(commented):
    """Pinned and unpinned again."""
    for method, pinned in (("pin", "Y"), ("unpin", "N")):
        commented.call(f"tasks.task.{method}", taskId=1)
        task = commented.call("tasks.task.get", taskId=1, select=["ID", "IS_PINNED"])["task"]
        assert task["isPinned"] == pinned


def test_products_have_fields_of_a_named_catalogue(full):
    """Without its number there is nothing to describe."""
    refused = full.refusal("catalog.product.getFieldsByFilter", filter={"productType": 1})
    assert (refused.code, refused.text) == ("0", "Required filter fields: iblockId")
    filter_ = {"iblockId": 1, "productType": 1}
    answer = full.call("catalog.product.getFieldsByFilter", filter=filter_)
    assert answer["product"]["name"]["isRequired"] is True


def test_what_a_template_has_is_not_offered_again(full):
    """A field that was added to it leaves the list."""
    method = "crm.requisite.preset.field"
    free = full.call(f"{method}.availabletoadd", preset={"ID": 1})
    full.call(
        f"{method}.add", preset={"ID": 1}, fields={"FIELD_NAME": free[0], "IN_SHORT_LIST": "N"}
    )
    assert full.call(f"{method}.availabletoadd", preset={"ID": 1}) == free[1:]
    name = {"FIELD_NAME": "UF_CRM_TRADE", "USER_TYPE_ID": "string"}
    full.call("crm.requisite.userfield.add", fields=name)
    offered = full.call(f"{method}.availabletoadd", preset={"ID": 1})
    assert offered == [*free[1:], "UF_CRM_TRADE"]
    fields = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "One"}
    number = full.call("crm.requisite.add", fields=fields | {"UF_CRM_TRADE": 7, "UF_CRM_NONE": 8})
    rows = full.call("crm.requisite.list", filter={"ID": number}, select=["UF_*", "UF_CRM_TRADE"])
    assert rows == [{"UF_CRM_TRADE": "7"}]


def test_a_catalogue_of_variations_says_so(full):
    """One of products does not; one that is absent is refused."""
    assert [full.call("catalog.catalog.isOffers", id=n) for n in (1, 24)] == [False, True]
    assert full.refusal("catalog.catalog.isOffers", id=99).status == 400


@pytest.mark.parametrize(
    "method",
    ["catalog.enum.getRoundTypes", "catalog.enum.getStoreDocumentTypes", "tasks.task.getFields"],
)
def test_lists_that_no_call_changes(full, method):
    """What the pages name is there."""
    answer = full.call(method)
    assert [key for key in SHAPES.get(method, {}) if key not in answer] == []


def test_an_event_recurs_and_is_a_meeting_as_its_page_says(full):
    """Days become a map, an end has three forms, and a meeting's switches are in capitals."""
    rule = {"FREQ": "WEEKLY", "BYDAY": ["MO", "WE"], "INTERVAL": 1, "UNTIL": "2026-12-24"}
    times = {"from_ts": 1_733_932_740, "to_ts": 1_733_936_340, "meeting": {"notify": True}}
    beside = {"type": "user", "ownerId": 1, "name": "One", "crm_fields": ["L_5"]}
    number = full.call("calendar.event.add", **beside, **times, rrule=rule)
    event = full.call("calendar.event.getbyid", id=number)
    assert event["RRULE"] == rule | {
        "BYDAY": {"MO": "MO", "WE": "WE"},
        "UNTIL": "12/24/2026",
        "~UNTIL": "12/24/2026",
        "UNTIL_TS": event["RRULE"]["UNTIL_TS"],
    }
    assert (event["DT_LENGTH"], event["DATE_FROM_TS_UTC"]) == (3600, "1733932740")
    assert (event["MEETING"]["NOTIFY"], "HOST_NAME" in event["MEETING"]) == (True, True)
    full.portal.users[1]["external"] = True
    assert full.refusal("calendar.event.getbyid", id=number).text == "Access denied"


def test_a_calendar_without_an_owner_is_the_callers(full):
    """[calendar-section-add.md] Where it is a user's."""
    number = full.call("calendar.section.add", type="user", name="One")
    rows = full.call("calendar.section.get", type="user", ownerId=1)
    assert [row["ID"] for row in rows] == ["1", str(number)]

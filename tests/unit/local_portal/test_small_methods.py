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
    assert [row["ID"] for row in rows] == [str(number)]


def test_a_comment_on_two_deals_goes_from_one_by_name(full):
    """Without a name it is refused; the last deal's comment is deleted."""
    method = "crm.timeline.comment.delete"
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    number = full.call("crm.timeline.comment.add", fields=fields)
    second = {"OWNER_ID": number, "ENTITY_ID": 2, "ENTITY_TYPE": "deal"}
    full.call("crm.timeline.bindings.bind", fields=second)
    assert full.refusal(method, id=number).code == "MULTIPLE_BINDINGS"
    named = {"id": number, "ownerTypeId": 2}
    assert full.refusal(method, **named, ownerId=999).code == "OWNER_NOT_FOUND"
    assert full.refusal(method, **named, ownerId=3).code == "NOT_FOUND"
    full.call(method, **named, ownerId=1)
    bound = full.call("crm.timeline.bindings.list", filter={"OWNER_ID": number})
    assert [row["ENTITY_ID"] for row in bound] == ["2"]
    full.call(method, id=number)
    assert full.refusal("crm.timeline.comment.get", id=number).text == "Not found."


def test_settings_of_a_type_of_field(full):
    """Those that a request may give, with their types."""
    answer = full.call("crm.userfield.settings.fields", type="double")
    assert {name: one["type"] for name, one in answer.items()} == {
        "PRECISION": "int",
        "DEFAULT_VALUE": "double",
    }


def test_a_row_that_names_an_unknown_field_is_not_updated(full):
    """The page says so of product rows alone."""
    row = {"ownerType": "D", "ownerId": 1, "productName": "Chair", "price": 5}
    number = full.call("crm.item.productrow.add", fields=row)["productRow"]["id"]
    refused = full.refusal("crm.item.productrow.update", id=number, fields={"colour": "red"})
    assert refused.code == "INVALID_ARG_VALUE"


def test_who_paid_is_kept_with_the_payment(full):
    """Paying and taking it back change all three fields; an absent item has no payment."""
    for method, paid in (("pay", "Y"), ("unpay", "N")):
        assert full.call(f"crm.item.payment.{method}", id=1) is True
        row = full.call("crm.item.payment.get", id=1)
        assert [row["paid"], bool(row["datePaid"]), row["empPaidId"]] == [
            paid,
            paid == "Y",
            1 if paid == "Y" else None,
        ]
    assert row["accountNumber"] == "1/1"
    refused = full.refusal("crm.item.payment.add", entityTypeId=2, entityId=999)
    assert (refused.code, refused.text) == ("0", "Entity with identifier №999 does not exist")
    assert full.refusal("crm.item.payment.product.list", paymentId=9).code == "0"


def test_a_document_is_numbered_and_named_after_its_template(full):
    """A number may be given; an address for everybody comes and goes."""
    method = "crm.documentgenerator.document"
    of = {"templateId": 39, "entityTypeId": 2, "entityId": 1}
    titles = [
        full.call(f"{method}.add", **of, **more)["document"]["title"]
        for more in ({}, {"values": {"DocumentNumber": "A-7"}})
    ]
    assert titles == ["Contract 1", "Contract A-7"]
    links = [full.call(f"{method}.enablepublicurl", id=1, status=n)["publicUrl"] for n in (1, 0)]
    assert [bool(one) for one in links] == [True, False]
    fields = full.call(f"{method}.getfields", id=2)["documentFields"]
    assert fields["DocumentNumber"]["value"] == "A-7"
    refused = full.refusal(f"{method}.add", **of | {"entityTypeId": 9999})
    assert refused.text == "No provider for entityTypeId"
    view = full.call("crm.documentgenerator.template.get", id=39)["template"]
    assert (view["users"], full.call("crm.documentgenerator.template.list").keys()) == (
        {},
        {"templates"},
    )


def test_three_comments_have_room_at_the_top(full):
    """A fourth is refused until one is taken away."""
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Hello"}
    numbers = [full.call("crm.timeline.comment.add", fields=fields) for _ in range(4)]
    owner = {"ownerTypeId": 2, "ownerId": 1}
    for number in (*numbers[:3], numbers[0]):
        full.call("crm.timeline.item.pin", id=number, **owner)
    assert full.refusal("crm.timeline.item.pin", id=numbers[3], **owner).code == "0"
    full.call("crm.timeline.item.unpin", id=numbers[0], **owner)
    assert full.call("crm.timeline.item.pin", id=numbers[3], **owner) is None
    absent = full.refusal("crm.timeline.item.pin", id=numbers[3], ownerTypeId=2, ownerId=2)
    assert absent.code == "NOT_FOUND"


def test_files_of_an_activity_are_kept_and_shown_by_their_numbers(full):
    """A list shows them where it selects them; a file may be kept by its number."""
    fields = {"OWNER_TYPE_ID": 2, "OWNER_ID": 1, "TYPE_ID": 2, "SUBJECT": "Call"}
    fields["FILES"] = [{"fileData": ["a.txt", "YQ=="]}, "nonsense"]
    number = full.call("crm.activity.add", fields=fields)
    query = {"filter": {"ID": number}, "select": ["ID", "FILES"]}
    first = full.call("crm.activity.list", **query)[0]["FILES"]
    assert [sorted(one) for one in first] == [["id", "url"]]
    full.call("crm.activity.update", id=number, fields={"FILES": [{"id": first[0]["id"]}]})
    assert full.call("crm.activity.list", **query)[0]["FILES"] == first

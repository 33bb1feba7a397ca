"""What the pages' tables of errors say of values: each is refused with its code and its text."""

import pytest

ACTIVITY = {"OWNER_ID": 1, "OWNER_TYPE_ID": 2, "TYPE_ID": 2, "SUBJECT": "Call"}
ADDRESS = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 3, "ENTITY_ID": 1, "CITY": "Wien"}
REQUISITE = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "One"}
MAIL = [{"VALUE": "nobody", "VALUE_TYPE": "WORK"}]
TODO = {"ownerTypeId": 2, "ownerId": 1}
RATE = {"AMOUNT": 1, "AMOUNT_CNT": 1}
SOON = "2030-12-01T10:00:00+03:00"
TASK = {"TITLE": "One", "RESPONSIBLE_ID": 1}
TWICE = [{"VALUE": "a", "XML_ID": "q"}, {"VALUE": "b", "XML_ID": "q"}]
LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1}
UNIT = {"code": 1, "measureTitle": "One"}
TOO_LONG = "Field name is too long (more than 50 characters)."


def without(fields, *names):
    """Leave some fields out."""
    return {key: value for key, value in fields.items() if key not in names}


def adding(name, code, text, fields, /, **more):
    """Describe a refused `add`."""
    return (f"{name}.add", {"fields": fields | more}, code, text)


def row(**values):
    """Describe a refused product row of a deal."""
    given = {"id": 1, "rows": [{"PRODUCT_NAME": "Chair", "PRICE": 1} | values]}
    return ("crm.deal.productrows.set", given, "ERROR_CORE", "Discount ")


def task(text, **values):
    """Describe a refused task."""
    return adding("tasks.task", "ERROR_CORE", text, TASK, **values)


def user_field(text, **values):
    """Describe a refused user field."""
    given = {"FIELD_NAME": "ONE", "USER_TYPE_ID": "string"}
    return adding("crm.deal.userfield", "ERROR_CORE", text, given, **values)


def message(code, **values):
    """Describe a refused message."""
    return ("im.message.add", {"DIALOG_ID": "1", "MESSAGE": "x"} | values, code, "")


REFUSED = [
    adding("crm.activity", "", "The field SUBJECT is not defined", without(ACTIVITY, "SUBJECT")),
    adding("crm.activity", "", "The field TYPE_ID is not defined", without(ACTIVITY, "TYPE_ID")),
    adding("crm.activity", "", "Could not build binding", without(ACTIVITY, "OWNER_ID")),
    user_field(TOO_LONG, FIELD_NAME="X" * 60),
    user_field("Field name contains invalid characters", FIELD_NAME="X-1"),
    user_field("Invalid custom type specified", USER_TYPE_ID="nope"),
    user_field("List item with value XML_ID=q", USER_TYPE_ID="enumeration", LIST=TWICE),
    row(DISCOUNT_TYPE_ID=1),
    row(DISCOUNT_TYPE_ID=2),
    row(DISCOUNT_TYPE_ID=2, DISCOUNT_RATE=100),
    adding("crm.deal", "", 'Invalid value for the "Currency"', {"CURRENCY_ID": "ZZZ"}),
    adding("crm.contact", "ERROR_CORE", "The field Work e-mail contains", {"EMAIL": MAIL}),
    adding("crm.company", "ERROR_CORE", "The E-mail field contains", {"EMAIL": MAIL}),
    *(
        adding("crm.requisite", "", f"{name} is not defined", without(REQUISITE, name))
        for name in ("ENTITY_TYPE_ID", "ENTITY_ID", "PRESET_ID")
    ),
    adding("crm.requisite", "", "ENTITY_TYPE_ID is not defined", REQUISITE, ENTITY_TYPE_ID=2),
    adding("crm.address", "", "TypeAddress exists", ADDRESS),
    *(
        (
            "crm.requisite.link.register",
            {"fields": {"ENTITY_TYPE_ID": 2, "ENTITY_ID": 1, name: 99}},
            "",
            f"The {words} with ID '99' is not found",
        )
        for name, words in (
            ("REQUISITE_ID", "Requisite"),
            ("BANK_DETAIL_ID", "BankDetail"),
            ("MC_REQUISITE_ID", "Requisite of your company"),
            ("MC_BANK_DETAIL_ID", "BankDetail of your company"),
        )
    ),
    (
        "calendar.section.add",
        {"type": "user", "name": "One"},
        "",
        'The required parameter "ownerId"',
    ),
    ("calendar.event.get", {"type": "user"}, "", 'Mandatory parameter not specified "ownerId"'),
    (
        "im.chat.get",
        {"ENTITY_TYPE": "CRM"},
        "100",
        "Could not find value for parameter {ENTITY_ID}",
    ),
    ("crm.category.fields", {"entityTypeId": 1}, "ENTITY_TYPE_NOT_SUPPORTED", ""),
    ("crm.calllist.list", {"SELECT": ["TITLE"]}, "100", "Unknown field definition `TITLE`"),
    ("crm.requisite.preset.field.list", {"preset": {"ID": 99}}, "", "The Preset with ID '99'"),
    ("catalog.priceType.delete", {"id": 1}, "BASE", ""),
    (
        "crm.timeline.logmessage.list",
        {"entityTypeId": 2},
        "100",
        "Could not find value for parameter {entityId}",
    ),
    (
        "lists.element.get",
        {"IBLOCK_ID": 1},
        "ERROR_REQUIRED_PARAMETERS_MISSING",
        "Required parameter `IBLOCK_TYPE_ID`",
    ),
    adding("crm.deal.recurring", "", "Deal id is empty", {}),
    adding("crm.deal.recurring", "", "Deal already has recurring", {"DEAL_ID": 1}),
    ("crm.deal.recurring.get", {"id": 0}, "", "id is not defined or invalid"),
    adding("crm.currency", "ERROR_CORE", 'Undefined array key "CURRENCY"', {"AMOUNT": 1}),
    adding("crm.currency", "ERROR_CORE", "There is such", {"CURRENCY": "EUR"} | RATE),
    ("crm.currency.delete", {"id": "EUR"}, "", "Cannot delete base currency"),
    ("crm.activity.badge.add", {"code": "one"}, "REQUIRED_ARG_MISSING", ""),
    ("crm.activity.todo.updateColor", {"id": 1, "colorId": "9"}, "CAN_NOT_UPDATE_WRONG_COLOR_TODO"),
    ("crm.activity.todo.updateResponsibleUser", {"id": 1, "responsibleId": 0}, "INVALID_ARG_VALUE"),
    *(
        (f"crm.activity.todo.update{part}", {"id": 2, name: value}, f"CAN_NOT_UPDATE_{code}TODO")
        for part, name, value, code in (
            ("", "deadline", SOON, "COMPLETED_"),
            ("Deadline", "value", SOON, "COMPLETED_"),
            ("Description", "value", "One", "COMPLETED_"),
            ("Color", "colorId", "1", "COLOR_COMPLETED_"),
            ("ResponsibleUser", "responsibleId", 1, "RESPONSIBLE_USER_COMPLETED_"),
        )
    ),
    adding("crm.activity", "", "The field RESPONSIBLE_ID is not", ACTIVITY, RESPONSIBLE_ID=99),
    ("crm.activity.delete", {"id": 99}, "", "Activity is not found"),
    ("crm.automatedsolution.delete", {"id": 1}, "HAS_BOUND_TYPES", "Cannot delete"),
    ("task.commentitem.add", {"TASKID": 3, "FIELDS": {"POST_MESSAGE": ""}}, "ERROR_CORE", "Comm"),
    ("task.commentitem.add", {"TASKID": 99, "FIELDS": {"POST_MESSAGE": "x"}}, "ERROR_CORE", "Insu"),
    ("im.message.update", {"MESSAGE_ID": 1, "MESSAGE": "x", "KEYBOARD": "x"}, "KEYBOARD_ERROR"),
    message("KEYBOARD_ERROR", KEYBOARD="x"),
    message("MENU_ERROR", MENU="x"),
    message("REPLY_ACCESS_ERROR", REPLY_ID=9999),
    message("REPLY_FROM_OTHER_CHAT_ERROR", REPLY_ID=1, DIALOG_ID="chat2"),
    task('User specified in the "Responsible" field not found', RESPONSIBLE_ID=99),
    task("Incorrect status", STATUS=99),
    task('Task specified in the "Parent Task" field not found', PARENT_ID=9999),
    task("The end date in scheduling", START_DATE_PLAN="2026-02-01", END_DATE_PLAN="2026-01-01"),
    task("The specified task duration", START_DATE_PLAN="2026-02-01", END_DATE_PLAN="2999-01-01"),
    ("tasks.task.update", {"taskId": 1, "fields": {"PARENT_ID": 1}}, "ERROR_CORE", "Cannot bind"),
    ("tasks.task.update", {"taskId": 1, "fields": {"PARENT_ID": 5}}, "ERROR_CORE", "Creating cyc"),
    ("task.elapseditem.get", {"TASKID": 1, "ITEMID": 99}, "ERROR_CORE", "Task not found"),
    ("tasks.task.get", {"taskId": "one"}, "0", "wrong task id"),
    *(
        (f"task.{name}", {"TASKID": task_id, "ITEMID": item}, "ERROR_CORE", text)
        for name, task_id, item, text in (
            ("checklistitem.complete", "one", 1, "TASKS_ERROR_EXCEPTION_#256; Param #0 (taskId)"),
            ("commentitem.get", 1, "one", "TASKS_ERROR_EXCEPTION_#256; Param #1 (itemId)"),
            ("checklistitem.renew", 0, 1, "TASKS_ERROR_ASSERT_EXCEPTION<br>"),
        )
    ),
    (
        "lists.element.add",
        LIST | {"ELEMENT_CODE": "one", "FIELDS": {"NAME": "One"}},
        "ERROR_ELEMENT_ALREADY_EXISTS",
    ),
    adding("catalog.measure", 200600000000, "", UNIT),
    adding("catalog.measure", 200600000010, "", UNIT, code=2, isDefault="Y"),
    adding("catalog.priceTypeLang", 201200000010, "", {"catalogGroupId": 1, "name": "a"}, lang="1"),
    adding("catalog.store", "0", "Required fields: address", {"title": "One"}),
    ("userfieldconfig.list", {"moduleId": "one"}, "", "No settings for UserFieldAccess"),
    ("userfieldconfig.list", {"moduleId": "rpa"}, "", "The current method required more scopes"),
    ("userfieldconfig.getTypes", {}, "100", "Could not find value for parameter {moduleId}"),
    (
        "userfieldconfig.add",
        {
            "moduleId": "crm",
            "field": {"entityId": "CRM_DEAL", "fieldName": "ONE", "userTypeId": "string"},
        },
        "",
        "You cannot create custom fields",
    ),
    *(
        (f"catalog.{name}.get", {"id": 999}, code)
        for name, code in (
            ("measure", 200600000020),
            ("priceType", 201000000000),
            ("priceTypeLang", 201200000000),
            ("roundingRule", 200900000000),
            ("section", 200700300030),
            ("store", 201100000000),
            ("vat", 200800000000),
            ("extra", 202000000000),
        )
    ),
]


@pytest.fixture
def ready(desk):
    """Have of everything the one that must not come twice."""
    desk.webhook.scopes |= {"catalog", "lists", "task", "im", "user.userfield", "userfieldconfig"}
    calls = [
        ("crm.address.add", {"fields": ADDRESS}),
        ("crm.deal.recurring.add", {"fields": {"DEAL_ID": 1}}),
        *2 * [("crm.activity.todo.add", TODO | {"deadline": SOON})],
        ("crm.activity.update", {"id": 2, "fields": {"COMPLETED": "Y"}}),
        *2 * [("im.chat.add", {"USERS": [1]})],
        ("im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "First"}),
        *2 * [("tasks.task.add", {"fields": TASK})],
        ("tasks.task.add", {"fields": TASK | {"PARENT_ID": 1}}),
        ("crm.automatedsolution.add", {"fields": {"title": "One", "typeIds": [1]}}),
        ("lists.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "a", "FIELDS": {"NAME": "A"}}),
        ("lists.element.add", LIST | {"ELEMENT_CODE": "one", "FIELDS": {"NAME": "One"}}),
        ("catalog.measure.add", {"fields": UNIT}),
    ]
    for method, params in calls:
        desk.call(method, **params)
    return desk


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]} {case[2]}")
def test_a_value_that_a_page_names_is_refused(ready, case):
    """With the page's code, and its text where it has one."""
    method, params, code, text = (*case, "")[:4]
    if "todo" in method:
        params = TODO | params
    refused = ready.refusal(method, **params)
    assert refused.code == code
    assert refused.text.startswith(text)


def test_what_is_refused_changes_nothing(ready):
    """A row that breaks a rule is not stored, and says so once."""
    before = len(ready.call("crm.currency.list"))
    ready.refusal("crm.currency.add", fields={"CURRENCY": "EUR"})
    assert len(ready.call("crm.currency.list")) == before
    ready.call("catalog.measure.update", id=5, fields={"code": 796, "isDefault": "Y"})  # its own

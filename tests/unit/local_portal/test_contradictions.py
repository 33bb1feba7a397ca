"""Where sources contradict each other both readings can be chosen (section 13 of the facts)."""

import pytest

from local.portal.faults import make_fault


def test_a_deleted_portal_answers_500_or_410(desk):
    """[system-errors.md] against [PY]."""
    desk.portal.faults.append(make_fault(1, {"kind": "portal_deleted"}))
    assert desk.refusal("profile").status == 500
    desk.portal.settings.portal_deleted_status = 410
    assert desk.refusal("profile").status == 410


def test_stage_history_has_numbers_or_strings(desk):
    """[crm-stage-history-list.md] against [REC]; leads call their stage a status."""
    first = desk.call("crm.stagehistory.list", entityTypeId=2)["items"][0]
    assert first["ID"] == 1
    desk.portal.settings.stage_history_strings = True
    assert desk.call("crm.stagehistory.list", entityTypeId=2)["items"][0]["ID"] == "1"
    desk.call("crm.lead.add", fields={"TITLE": "x"})
    lead = desk.call("crm.stagehistory.list", entityTypeId=1)["items"][0]
    assert (lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"]) == ("NEW", "P")


def test_tasks_are_got_by_task_id_or_also_by_id(desk):
    """[tasks-task-get.md] says `taskId`; [PY] sent `id` on the old path."""
    assert desk.call("tasks.task.get", taskId=1)["task"]["id"] == "1"
    assert desk.call("tasks.task.get", id=1)["task"]["id"] == "1"
    desk.portal.settings.task_get_takes_id = False
    assert desk.refusal("tasks.task.get", id=1).code == "100"


def test_a_task_that_is_not_there_is_an_error_or_nothing(desk):
    """[tasks-task-get.md] against [JS]: the suite of the SDK expects success without a task."""
    assert desk.refusal("tasks.task.get", taskId=999).text == "Task not found or not accessible"
    desk.portal.settings.task_get_absent_empty = True
    assert desk.call("tasks.task.get", taskId=999) == []


def test_task_comments_have_a_message_or_an_id(desk):
    """[on-task-comment-add.md] The new card sends ID 0 and MESSAGE_ID."""
    for new, expected in ((True, 0), (False, 2)):
        desk.portal.settings.new_task_card = new
        desk.call("task.commentitem.add", TASKID=1, FIELDS={"POST_MESSAGE": "x"})
        data = desk.portal.outbox.waiting[-1].fields()["data"]
        assert data["FIELDS_AFTER"]["ID"] == expected


def test_old_task_methods_bind_arguments_by_order(desk):
    """[data-encoding.md, JS, PHP] A list works, a stranger before the first argument breaks it."""
    answer = desk.answer("task.commentitem.add", **{"0": 1, "1": {"POST_MESSAGE": "x"}})
    assert answer["result"] == 1
    error = desk.refusal("task.commentitem.add", bx24_request_id="1", TASKID=1)
    assert "WRONG_ARGUMENTS" in error.text


def test_leads_may_be_switched_off(desk):
    """[crm.settings.mode.get] Type 1 is missing then."""
    assert desk.call("crm.settings.mode.get") == 1
    desk.portal.settings.leads_enabled = False
    assert desk.call("crm.settings.mode.get") == 2
    assert desk.refusal("crm.item.list", entityTypeId=1).code == "NOT_FOUND"


def test_only_commercial_plans_have_smart_processes_without_end(desk):
    """[crm-item-add.md] A plan may restrict making and changing their items."""
    desk.call("crm.type.add", fields={"entityTypeId": 1038, "title": "Purchases"})
    desk.call("crm.item.add", entityTypeId=1038, fields={"title": "x"})
    desk.portal.settings.plan_restricted = True
    error = desk.refusal("crm.item.add", entityTypeId=1038, fields={})
    assert error.code == "CREATE_DYNAMIC_ITEM_RESTRICTED"
    assert desk.call("crm.item.add", entityTypeId=2, fields={})


def test_old_invoices_are_not_supported(desk):
    """[universal/index.md] Type 5."""
    assert desk.refusal("crm.item.list", entityTypeId=5).code == "ENTITY_TYPE_NOT_SUPPORTED"


@pytest.mark.parametrize("values", [["+49 (555) 000-001"], ["49555000001"], ["+49555000001;ext 7"]])
def test_duplicates_are_found_by_the_whole_number(desk, values):
    """[search-by-phone-and-email.md] Without an extension; an empty array where nobody has it."""
    found = desk.call("crm.duplicate.findbycomm", type="PHONE", values=values)
    assert found == {"CONTACT": [1]}
    assert desk.call("crm.duplicate.findbycomm", type="EMAIL", values=["nobody"]) == []


def test_notifications_with_a_tag_replace_the_earlier_one(desk):
    """[im-notify-system-add.md] Nothing else here comes close to being idempotent."""
    for text in ("first", "second"):
        desk.call("im.notify.system.add", USER_ID=2, MESSAGE=text, TAG="one")
    desk.call("im.notify.personal.add", USER_ID=2, MESSAGE="third")
    assert [row["message"] for row in desk.portal.activity.notifications] == ["second", "third"]
    assert desk.call("im.notify.system.add", USER_ID=999, MESSAGE="x") is False

"""Parameters that pages name: codes, groups and own fields of lists, searches of the messenger."""

import pytest

from local.portal.portal import Denial

LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "cars"}


@pytest.fixture
def cars(full):
    """Make a list of a group with a section and two elements, all of them known by codes."""
    full.call("lists.add", **LIST, SOCNET_GROUP_ID=3, FIELDS={"NAME": "Cars"})
    full.call("lists.section.add", **LIST, SECTION_CODE="old", FIELDS={"NAME": "Old"})
    for name, price in (("One", 9), ("Two", 10)):
        fields = {"NAME": name, "PROPERTY_1": price}
        full.call("lists.element.add", **LIST, ELEMENT_CODE=name, FIELDS=fields)
    return full


@pytest.mark.parametrize(
    ("method", "params", "names"),
    [
        ("lists", {}, ["Cars"]),
        ("lists", {"SOCNET_GROUP_ID": 4}, []),
        ("lists.section", {"SECTION_CODE": "old"}, ["Old"]),
        ("lists.section", {"SECTION_CODE": "new"}, []),
        ("lists.section", {"FILTER": {"IBLOCK_NAME": "Cars", "!IBLOCK_TYPE": "x"}}, ["Old"]),
        ("lists.section", {"FILTER": {"IBLOCK_NAME": "Bikes"}}, []),
        ("lists.element", {"ELEMENT_CODE": "Two"}, ["Two"]),
        ("lists.element", {"FILTER": {"PROPERTY_1": "9"}}, ["One"]),
        ("lists.element", {"FILTER": {">PROPERTY_1": 9}}, ["Two"]),
        ("lists.element", {"FILTER": {"!PROPERTY_1": "9", "PROPERTY_2": ""}}, ["Two"]),
    ],
)
def test_lists_are_found_by_codes_groups_and_fields_of_their_own(cars, method, params, names):
    """A code stands for a number; a list's own fields and the list itself are conditions."""
    rows = cars.call(f"{method}.get", **LIST | params)
    assert [row["NAME"] for row in rows] == names


def test_an_element_is_changed_by_its_code(cars):
    """What nobody selects stays away; a list that nobody may read is refused."""
    cars.call("lists.element.update", **LIST, ELEMENT_CODE="Two", FIELDS={"NAME": "2"})
    select = ["NAME", "BP_PUBLISHED", "CREATED_USER_NAME", "PROPERTY_1"]
    row = cars.call("lists.element.get", **LIST, ELEMENT_CODE="Two", SELECT=select)[0]
    assert row.keys() == {"ID", *select}
    assert (row["NAME"], row["BP_PUBLISHED"], row["CREATED_USER_NAME"]) == ("2", "N", "Ann Lee")
    missing = cars.refusal("lists.element.delete", **LIST, ELEMENT_CODE="Three")
    assert missing.code == "ERROR_ELEMENT_NOT_FOUND"
    cars.portal.denials.add(Denial(1))
    for method in ("lists.field.get", "lists.element.get", "lists.get"):
        assert cars.refusal(method, **LIST).code == "ACCESS_DENIED"


@pytest.fixture
def talk(full):
    """Have a chat with a guest in it, and three messages a day apart."""
    full.portal.add_user("Guest", "One", id=9)
    full.portal.users[9]["external"] = True
    full.call("im.chat.add", TITLE="Room", USERS=[2, 9])
    for text in ("first", "second", "third"):
        full.call("im.message.add", DIALOG_ID="chat1", MESSAGE=f"The {text}")
        full.call("im.notify.personal.add", USER_ID=1, MESSAGE=f"The {text}", SUB_TAG=text)
        full.portal.clock.skew_seconds += 86400
    full.day = full.portal.clock.stamp(full.portal.clock.now() - 2 * 86400)[:10]
    return full


@pytest.mark.parametrize(
    ("params", "texts"),
    [
        ({}, ["third", "second", "first"]),
        ({"ORDER": {"ID": "ASC"}}, ["first", "second", "third"]),
        ({"ORDER": {"ID": "ASC"}, "LAST_ID": 1}, ["second", "third"]),
        ({"LAST_ID": 3}, ["first"]),
        ({"DATE": True}, ["second"]),
        ({"DATE_FROM": True}, ["third", "second"]),
        ({"DATE_TO": True}, ["first"]),
    ],
)
def test_messages_are_searched_by_time_and_in_an_order(talk, params, texts):
    """A day, a period, and what comes after the last message that was read."""
    params = {name: talk.day if value is True else value for name, value in params.items()}
    found = talk.call("im.dialog.messages.search", CHAT_ID=1, **params)["messages"]
    assert [row["text"] for row in found] == [f"The {text}" for text in texts]


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"SEARCH_TEXT": "second"}, 1),
        ({"SEARCH_TYPE": "rest|rest_notify"}, 3),
        ({"SEARCH_TYPE": "tasks"}, 0),
        ({"SEARCH_AUTHORS": [1]}, 3),
        ({"SEARCH_AUTHORS": [2]}, 0),
        ({"SEARCH_DATE": True}, 1),
    ],
)
def test_notifications_are_searched_by_kind_author_and_day(talk, params, count):
    """Conditions are joined."""
    params = {name: talk.day if value is True else value for name, value in params.items()}
    assert talk.call("im.notify.history.search", **params)["total_results"] == count


def test_guests_and_kinds_of_chats_are_left_out_on_demand(talk):
    """Of people in a chat, of what was searched for lately, of recent dialogues."""
    people = talk.call("im.dialog.users.list", DIALOG_ID="chat1", SKIP_EXTERNAL="Y", LAST_ID=1)
    assert [one["id"] for one in people] == [2]
    for dialog in ("chat1", "2"):
        talk.call("im.search.last.add", DIALOG_ID=dialog)
    assert [one["type"] for one in talk.call("im.search.last.get", SKIP_CHAT="Y")] == ["user"]
    assert talk.call("im.recent.get", ONLY_OPENLINES="Y") == []
    assert talk.call("im.recent.get", LAST_UPDATE="2099-01-01") == []
    assert talk.call("im.notify.delete", SUB_TAG="second") is True
    assert talk.call("im.notify.get")["total_count"] == 2


def test_what_a_comments_event_names_is_a_message_of_the_tasks_chat(full):
    """[tasks-new.md] The chat is a task's own, and both have one number."""
    made = full.call("tasks.task.add", fields={"TITLE": "One", "RESPONSIBLE_ID": 2})["task"]["id"]
    full.call("task.commentitem.add", TASKID=made, FIELDS={"POST_MESSAGE": "Hello"})
    message = full.portal.outbox.waiting[-1].fields()["data"]["FIELDS_AFTER"]
    task = full.call("tasks.task.get", taskId=made, select=["ID", "CHAT_ID"])["task"]
    found = full.call("im.dialog.messages.get", DIALOG_ID=f"chat{task['chatId']}")["messages"]
    assert [(row["id"], row["text"]) for row in found] == [(message["MESSAGE_ID"], "Hello")]
    assert full.call("tasks.task.pin", taskId=made)["task"]["chatId"] == task["chatId"]
    assert full.call("im.chat.user.list", CHAT_ID=task["chatId"]) == [1, 2]


def test_elapsed_time_is_selected_and_paged(full):
    """[task-elapsed-item-get-list.md] Order, filter, select, page."""
    full.call("tasks.task.add", fields={"TITLE": "One", "RESPONSIBLE_ID": 2})
    for seconds in (60, 120, ""):
        full.call("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": seconds})
    arguments = [1, {"ID": "desc"}, {}, ["ID"], {"NAV_PARAMS": {"nPageSize": 1, "iNumPage": 2}}]
    given = {str(at): value for at, value in enumerate(arguments)}
    answer = full.answer("task.elapseditem.getlist", **given)
    assert (answer["result"], answer["total"]) == ([{"ID": "2"}], 3)


def test_a_chat_shows_files_of_the_disk_which_people_keep(full):
    """[chats/files/] Committed, saved to a folder of one's own, taken away."""
    new = {"id": 2, "data": {"NAME": "a.txt"}, "fileContent": ["a.txt", "aGVsbG8="]}
    file = full.call("disk.storage.uploadFile", **new)["ID"]
    full.call("im.chat.add", USERS=[2])
    sent = full.call("im.disk.file.commit", CHAT_ID=1, FILE_ID=[file, 999], MESSAGE="Look")
    assert (sent["DISK_ID"], sent["MESSAGE_ID"]) == ([str(file)], 1)
    assert sent["FILES"][f"upload{file}"]["extension"] == "txt"
    assert sent["FILE_MODELS"][f"upload{file}"]["size"] == 5
    kept = full.call("im.disk.file.save", FILE_ID=file)
    assert (kept["folder"]["name"], kept["file"]["name"]) == ("Saved Files", "a.txt")
    assert full.call("im.disk.file.delete", CHAT_ID=1, FILE_ID=file) is True
    refusals = [
        ("save", {}, "FILE_ID_EMPTY"),
        ("save", {"FILE_ID": file}, "FILE_SAVE_ERROR"),
        ("delete", {"CHAT_ID": 1}, "FILE_ID_EMPTY"),
        ("commit", {}, "CHAT_ID_EMPTY"),
        ("commit", {"CHAT_ID": 1}, "FILES_ERROR"),
        ("commit", {"CHAT_ID": 1, "FILE_ID": 999}, "SAVE_ERROR"),
    ]
    for name, params, code in refusals:
        assert full.refusal(f"im.disk.file.{name}", **params).code == code


def test_groups_are_seen_by_both_interfaces(full):
    """[sonet-group/] The newest first; the newer interface has other names and numbers."""
    for name in ("One", "Two"):
        full.call("sonet_group.create", NAME=name, KEYWORDS="a, b")
    assert [row["NAME"] for row in full.call("sonet_group.get")] == ["Two", "One"]
    assert full.call("sonet_group.setowner", GROUP_ID=1, USER_ID=2) is True
    assert [row["GROUP_ID"] for row in full.call("sonet_group.user.groups")] == ["2"]
    api = "socialnetwork.api.workgroup"
    group = full.call(f"{api}.get", params={"groupId": 1})
    assert (group["ID"], group["OWNER_ID"], group["TAGS"]) == (1, 2, ["a", "b"])
    params = {"mode": "mobile", "shouldSelectDialogId": "Y"}
    rows = full.call(f"{api}.list", filter={"NAME": "Two"}, select=["ID"], params=params)
    names = ["additionalData", "avatarType", "dialogId", "id", "imageId"]
    assert sorted(rows["workgroups"][0]) == names
    assert full.refusal(f"{api}.get").code == "SONET_CONTROLLER_WORKGROUP_EMPTY"
    assert full.refusal("sonet_group.setowner", GROUP_ID=9).text == "Invalid workgroup/project ID"
    assert full.refusal("sonet_group.setowner", GROUP_ID=1).text == "Invalid user ID"


def test_a_comment_shows_its_files(full):
    """[task-comment-item-add.md] Files of the disk, by their numbers."""
    new = {"data": {"NAME": "a.txt"}, "fileContent": ["a.txt", "YQ=="]}
    file = full.call("disk.storage.uploadFile", id=1, **new)["ID"]
    text = {"POST_MESSAGE": "Look", "UF_FORUM_MESSAGE_DOC": [f"n{file}"]}
    number = full.call("task.commentitem.add", TASKID=1, FIELDS=text)
    comment = full.call("task.commentitem.get", TASKID=1, ITEMID=number)
    assert comment["ATTACHED_OBJECTS"][str(file)]["FILE_ID"] == str(file)
    text["UF_FORUM_MESSAGE_DOC"] = ["n4755"]
    absent = full.refusal("task.commentitem.add", TASKID=1, FIELDS=text)
    assert (absent.code, absent.text) == ("ERROR_CORE", "File not found<br>")


def test_a_day_is_opened_paused_and_closed(full):
    """[timeman/base/] Times of other days, and of a paused one, are refused."""
    assert full.call("timeman.status")["STATUS"] == "CLOSED"
    assert full.call("timeman.open", LAT=53.5)["LAT_OPEN"] == 53.5
    assert full.call("timeman.pause")["STATUS"] == "PAUSED"
    now = full.portal.clock.stamp()
    assert full.refusal("timeman.open", TIME=now).code == "TIME"
    assert full.call("timeman.open")["STATUS"] == "OPENED"
    full.portal.clock.skew_seconds += 86400
    assert full.call("timeman.status")["STATUS"] == "EXPIRED"
    full.portal.clock.skew_seconds -= 86399
    closed = full.call("timeman.close")
    assert (closed["STATUS"], closed["DURATION"]) == ("CLOSED", "00:00:01")
    for name in ("open", "close"):
        for time in ("2020-01-01", "soon"):
            refused = full.refusal(f"timeman.{name}", TIME=time, LAT="north")
            assert refused.code == "WRONG_DATETIME"
    assert full.call("timeman.open", LAT="north")["LAT_OPEN"] == 0
    assert full.call("timeman.settings", USER_ID=2)["ADMIN"] is False
    assert full.refusal("timeman.status", USER_ID=99).text == "User not found"


def test_fields_that_people_made_are_a_tasks_own(full):
    """[tasks/user-field/] Written, selected, listed, filtered and described."""
    field = {"FIELD_NAME": "UF_CLIENT_WISH", "USER_TYPE_ID": "string", "XML_ID": "a"}
    full.call("task.item.userfield.add", PARAMS=field)
    own = {"TITLE": "One", "RESPONSIBLE_ID": 1, "UF_CLIENT_WISH": "Tea"}
    number = full.call("tasks.task.add", fields=own)["task"]["id"]
    full.call("tasks.task.update", taskId=number, fields={"UF_CLIENT_WISH": ["Tea", 2]})
    for select in (["ID", "UF_*"], ["UF_CLIENT_WISH"]):
        task = full.call("tasks.task.get", taskId=number, select=select)["task"]
        assert task["ufClientWish"] == ["Tea", "2"]
    assert "ufClientWish" not in full.call("tasks.task.get", taskId=number)["task"]
    listed = full.call("tasks.task.list", filter={"UF_CLIENT_WISH": "2"}, select=["UF_CLIENT_WISH"])
    assert [one["ufClientWish"] for one in listed["tasks"]] == [["Tea", "2"]]
    fields = full.call("tasks.task.getFields")["fields"]
    assert fields["UF_CLIENT_WISH"]["type"] == "string"


def test_a_task_has_a_history(full):
    """[tasks-task-history-list.md] The newest first, by kind, in an order."""
    made = full.call("tasks.task.add", fields={"TITLE": "One", "RESPONSIBLE_ID": 2})["task"]["id"]
    full.call("tasks.task.update", taskId=made, fields={"TITLE": "Two"})
    item = full.call("task.checklistitem.add", TASKID=made, FIELDS={"TITLE": "Step"})
    full.call("task.checklistitem.delete", TASKID=made, ITEMID=item)
    full.call("task.commentitem.add", TASKID=made, FIELDS={"POST_MESSAGE": "Hello"})
    rows = full.call("tasks.task.history.list", taskId=made)["list"]
    steps = ["COMMENT", "CHECKLIST_ITEM_REMOVE", "CHECKLIST_ITEM_CREATE", "TITLE", "NEW"]
    assert [row["field"] for row in rows] == steps
    asked = {"filter": {"FIELD": "TITLE"}, "order": {"createdDate": "ASC"}}
    row = full.call("tasks.task.history.list", taskId=made, **asked)["list"][0]
    assert (row["value"], row["user"]["name"]) == ({"from": "One", "to": "Two"}, "Ann")
    refused = full.refusal("tasks.task.history.list", taskId=99)
    assert (refused.code, refused.text) == ("0", "Access denied. (internal error)")


def test_fields_of_tasks_are_asked_for_by_both_of_their_names(full):
    """[tasks/fields.md] The page names them as answers do, the samples as requests do."""
    task = full.call("tasks.task.get", taskId=1, select=["createdBy", "chatId"])["task"]
    assert (task["createdBy"], task["chatId"]) == ("1", 1)
    given = {"!createdBy": 2, "ID": [1, 2]}
    found = full.call(
        "tasks.task.list", filter=given, order={"createdDate": "asc"}, select=["createdBy"]
    )["tasks"]
    assert [one["createdBy"] for one in found] == ["1", "1"]


def test_tasks_move_between_stages(full):
    """[tasks/stages/] Three are there, new ones stand where they are put, the first one stays."""
    stages = full.call("task.stages.get", entityId=1)
    assert [row["TITLE"] for row in stages.values()] == ["Not planned", "In progress", "Done"]
    new = full.call("task.stages.add", fields={"TITLE": "Soon", "AFTER_ID": 1, "ENTITY_ID": 1})
    rows = list(full.call("task.stages.get", entityId=1).values())
    assert [row["TITLE"] for row in rows] == ["Not planned", "Soon", "In progress", "Done"]
    assert (rows[1]["ENTITY_TYPE"], rows[1]["TO_UPDATE"]) == ("U", [])
    assert full.call("task.stages.update", id=new, fields={"COLOR": "FFAAEE"}) is True
    assert full.call("task.stages.movetask", id=1, stageId=new) is True
    assert full.call("tasks.task.get", taskId=1)["task"]["stageId"] == str(new)
    assert full.call("task.stages.canmovetask", entityId=2, entityType="U") is False
    refusals = [
        ("add", {"fields": {"ENTITY_ID": 1}}, "EMPTY_TITLE"),
        ("update", {"id": 99, "fields": {"TITLE": "x"}}, "NOT_FOUND"),
        ("delete", {"id": 1}, "CANT_DELETE_FIRST"),
        ("delete", {"id": 2}, "IS_SYSTEM"),
        ("movetask", {"id": 99, "stageId": 1}, "TASK_NOT_FOUND"),
        ("movetask", {"id": 1, "stageId": 99}, "NOT_FOUND"),
    ]
    for name, params, code in refusals:
        assert full.refusal(f"task.stages.{name}", **params).code == code
    assert full.call("task.stages.delete", id=new) is True


def test_groups_have_members_with_roles(full):
    """[sonet-group/members/] Let in, promoted, asked, sent away; the owner stays."""
    full.call("sonet_group.create", NAME="One")
    group = "sonet_group.user"
    assert full.call(f"{group}.add", GROUP_ID=1, USER_ID=[2, 3]) == ["2", "3"]
    assert full.call(f"{group}.update", GROUP_ID=1, USER_ID=2, ROLE="E") == ["2"]
    assert full.call(f"{group}.delete", GROUP_ID=1, USER_ID=[3, 1]) == ["3", "1"]
    assert full.call(f"{group}.invite", GROUP_ID=1, USER_ID=3) == ["3"]
    assert full.call(f"{group}.request", GROUP_ID=1) is True
    rows = full.call(f"{group}.get", ID=1)
    assert [(row["USER_ID"], row["ROLE"]) for row in rows] == [("2", "E"), ("1", "A")]
    whole = full.call("socialnetwork.api.workgroup.get", params={"groupId": 1})
    assert (whole["MODERATOR_MEMBERS"], whole["NUMBER_OF_MEMBERS"]) == ([2], 2)
    feature = {"GROUP_ID": 1, "FEATURE": "blog", "OPERATION": "write_post"}
    assert full.call("sonet_group.feature.access", **feature) is True
    refusals = [
        ("user.add", {"USER_ID": 2}, "Wrong group ID"),
        ("user.add", {"GROUP_ID": 9, "USER_ID": 2}, "Socialnetwork group not found"),
        ("user.add", {"GROUP_ID": 1, "USER_ID": 99}, "Wrong user IDs"),
        ("user.update", {"GROUP_ID": 1, "USER_ID": 2, "ROLE": "A"}, "Incorrect role code"),
        ("feature.access", feature | {"FEATURE": "x"}, "Wrong feature"),
        ("feature.access", feature | {"OPERATION": ""}, "Wrong operation"),
    ]
    for name, params, text in refusals:
        assert full.refusal(f"sonet_group.{name}", **params).text == text

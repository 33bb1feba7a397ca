"""What a page says to those who may not, and of a failure that no request causes."""

import tomllib
from types import SimpleNamespace

import pytest

from local.portal.call import METHODS
from local.portal.errors import RestError
from local.portal.faults import add_fault
from local.portal.portal import Denial
from local.portal.run import run_method
from local.portal.schema import DATA
from local.portal.webhooks import OTHER_SCOPES

FAILED = tomllib.loads((DATA / "faults.toml").read_text(encoding="utf-8"))["failed"]
FILE = {"data": {"NAME": "a.txt"}, "fileContent": ["a.txt", "YQ=="]}


def refused(portal, hook, method, params):
    """Return the code and the text of a refusal."""
    with pytest.raises(RestError) as caught:
        run_method(portal, hook, method, params)
    return caught.value.code, caught.value.text


@pytest.fixture
def owner(desk):
    """Have a group, a file, a chat and a task, and a stranger with a webhook of his own."""
    desk.webhook.scopes |= {*OTHER_SCOPES, "im", "task"}
    desk.call("sonet_group.create", NAME="One")
    desk.call("im.chat.add", USERS=[1])
    desk.call("im.chat.add", ENTITY_TYPE="GENERAL")
    desk.call("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": 60})
    own = {"ENTITY_TYPE": "user", "ENTITY_ID": "1"}
    storage = int(desk.call("disk.storage.getList", filter=own)[0]["ID"])
    file = int(desk.call("disk.storage.uploadFile", id=storage, **FILE)["ID"])
    stranger = desk.portal.add_incoming(desk.portal.add_user("Sam", "Low"))
    stranger.scopes |= desk.webhook.scopes
    return SimpleNamespace(desk=desk, stranger=stranger, file=file, storage=storage)


@pytest.mark.parametrize(
    ("method", "params", "code", "text"),
    [
        ("sonet_group.update", {"GROUP_ID": 1, "NAME": "Two"}, "", "User has no permissions to"),
        ("sonet_group.delete", {"GROUP_ID": 1}, "", "User has no permissions to delete group"),
        ("sonet_group.setowner", {"GROUP_ID": 1, "USER_ID": 2}, "", "Insufficient permissions"),
        ("sonet_group.user.add", {"GROUP_ID": 1, "USER_ID": 2}, "", "No permissions to add users"),
        ("sonet_group.user.delete", {"GROUP_ID": 1, "USER_ID": 2}, "", "No permissions to update"),
        ("im.chat.updateAvatar", {"CHAT_ID": 1, "AVATAR": "x"}, "ACCESS_DENIED", "Access denied"),
        ("im.chat.user.add", {"CHAT_ID": 1, "USERS": [2]}, "ACCESS_DENIED_EXTEND", "Insufficient"),
        ("im.chat.user.delete", {"CHAT_ID": 1, "USER_ID": 1}, "ACCESS_DENIED_KICK", "Insufficient"),
        ("im.message.add", {"DIALOG_ID": "chat1", "MESSAGE": "One"}, "ACCESS_ERROR", "Action una"),
        ("im.dialog.users.list", {"DIALOG_ID": "chat1"}, "ACCESS_ERROR", "You don't have access"),
    ],
)
def test_a_stranger_is_refused(owner, method, params, code, text):
    """Who is neither a member nor an administrator is refused with the code of the page."""
    found = refused(owner.desk.portal, owner.stranger, method, params)
    assert found[0] == code
    assert found[1].startswith(text)


@pytest.mark.parametrize(
    ("method", "name"), [("storage.get", "storage"), ("file.get", "file"), ("version.get", "")]
)
def test_the_disk_of_others_is_closed(owner, method, name):
    """What lies in somebody's own storage is read by him and by administrators."""
    params = {"id": getattr(owner, name, 1)}
    assert owner.desk.call(f"disk.{method}", **params)
    found = refused(owner.desk.portal, owner.stranger, f"disk.{method}", params)
    assert found == ("ACCESS_DENIED", "Access denied")


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("updateTitle", {"TITLE": "One"}, "This chat cannot be renamed"),
        ("updateAvatar", {"AVATAR": "x"}, "The avatar of this chat cannot be changed"),
        ("leave", {}, "It is forbidden to delete users of this chat"),
        ("user.add", {"USERS": [2]}, "It is forbidden to add users to this chat"),
        ("user.delete", {"USER_ID": 1}, "It is forbidden to delete users of this chat"),
    ],
)
def test_the_chat_of_everybody_stays_as_it_is(owner, name, params, text):
    """The portal's own chat is not renamed, and nobody joins or leaves it."""
    refusal = owner.desk.refusal(f"im.chat.{name}", CHAT_ID=2, **params)
    assert (refusal.code, refusal.text) == ("ACCESS_ERROR", text)


@pytest.mark.parametrize("operation", ["add", "update", "delete", "get", "getlist"])
def test_elapsed_time_of_a_task_of_others_is_closed(owner, operation):
    """Each method refuses who may not see the task."""
    owner.desk.portal.denials.add(Denial(1))
    item = {} if operation in {"add", "getlist"} else {"ITEMID": 1}
    fields = {"ARFIELDS": {"SECONDS": 1}} if operation in {"add", "update"} else {}
    refusal = owner.desk.refusal(f"task.elapseditem.{operation}", TASKID=1, **item, **fields)
    assert refusal.text.startswith("TASKS_ERROR_EXCEPTION_#1048578; Access denied")


def test_only_an_administrator_lists_smart_processes(owner):
    """Others find their numbers among the types of owners [core: Type::listAction, OWNERTYPE]."""
    desk, stranger = owner.desk, owner.stranger
    desk.call("crm.type.add", fields={"title": "Lamp", "entityTypeId": 1030})
    for method in ("crm.type.list", "crm.type.fields"):
        assert refused(desk.portal, stranger, method, {})[0] == "ACCESS_DENIED"
    assert desk.call("crm.type.list")["types"][0]["entityTypeId"] == 1030
    found = run_method(desk.portal, stranger, "crm.enum.ownertype", {})["result"]
    assert found[-1] == {
        "ID": 1030, "NAME": "Lamp", "SYMBOL_CODE": "DYNAMIC_1030", "SYMBOL_CODE_SHORT": "T406",
    }  # fmt: skip
    number = {"entityTypeId": 1030}
    assert run_method(desk.portal, stranger, "crm.type.getByEntityTypeId", number)


def test_limits_of_a_portal_are_switches(owner):
    """[user-add.md, disk-file-upload-version.md] People, and bytes of a file."""
    owner.desk.portal.settings.change({"user_limit": 2, "file_limit": 1})
    person = {"EMAIL": "a@b.example", "UF_DEPARTMENT": [1]}
    assert owner.desk.refusal("user.add", **person).text == "user_count_exceeded"
    content = {"id": owner.file, "fileContent": ["a.txt", "YWE="]}
    assert owner.desk.refusal("disk.file.uploadVersion", **content).code == "DISK_FILE_22006"


def test_a_new_task_needs_the_fields_that_must_be_filled(owner):
    """[tasks-task-add.md] A field of the portal's own, where it is mandatory."""
    field = {"USER_TYPE_ID": "string", "FIELD_NAME": "UF_MUST", "MANDATORY": "Y"}
    owner.desk.call("task.item.userfield.add", PARAMS=field)
    fields = {"TITLE": "One", "RESPONSIBLE_ID": 1}
    refusal = owner.desk.refusal("tasks.task.add", fields=fields)
    assert refusal.text == "Required field UF_MUST value not entered<br>"
    assert owner.desk.call("tasks.task.add", fields=fields | {"UF_MUST": "x"})["task"]["id"]


def test_a_guest_knows_himself_alone(owner):
    """[im-user-get.md] People outside his groups are not shown to a guest."""
    owner.desk.portal.users[owner.stranger.user]["external"] = True
    assert run_method(owner.desk.portal, owner.stranger, "im.user.get", {})
    found = refused(owner.desk.portal, owner.stranger, "im.user.get", {"ID": 1})
    assert found[0] == "ACCESS_DENIED"


@pytest.mark.parametrize("name", [*FAILED, "crm.deal.get"])
def test_a_method_fails_in_its_own_words(owner, name):
    """The fault `failed` answers as the page of the method or section, or as a database."""
    of_section = (one for one in METHODS if one.startswith(f"{name}.") and one not in FAILED)
    method = name if name in METHODS else next(of_section)
    add_fault(owner.desk.portal.faults, {"kind": "failed", "method": method})
    wanted = FAILED.get(name, "ERROR_CORE|SQL query error!").split("|")
    code, text = refused(owner.desk.portal, owner.desk.webhook, method, {})
    assert [str(code), text] == wanted

"""The disk: folders in folders, files with content, names that are taken, and the bin."""

import asyncio

import pytest

from local.portal.batch import run_batch

PNG = ["note.txt", "aGVsbG8="]
UPLOAD = {"id": 2, "data": {"NAME": "a"}, "fileContent": PNG}


@pytest.fixture
def folder(desk):
    """Make a folder on the first user's storage; its id."""
    made = desk.call("disk.storage.addFolder", id=2, data={"NAME": "Papers"})
    assert {"NAME": "Papers", "TYPE": "folder", "DELETED_BY": None}.items() <= made.items()
    assert (made["ID"], made["REAL_OBJECT_ID"]) == (made["ID"], made["ID"])
    return made["ID"]


def names(rows):
    """Read the names of a list."""
    return [row["NAME"] for row in rows]


def put(desk, folder, name="note.txt", **more):
    """Upload a file."""
    given = {"data": {"NAME": name}, "fileContent": PNG} | more
    return desk.call("disk.folder.uploadFile", id=folder, **given)


def test_everybody_has_a_storage(desk):
    """And all together have one; a user's is found by its owner."""
    rows = desk.call("disk.storage.getList", filter={"ENTITY_TYPE": "user", "ENTITY_ID": 1})
    assert [(row["ENTITY_ID"], row["MODULE_ID"]) for row in rows] == [("1", "disk")]
    assert desk.call("disk.storage.get", id=rows[0]["ID"]) == rows[0]
    assert names(desk.call("disk.storage.getList", filter={"NAME": "Shared%"})) == ["Shared drive"]


def test_a_file_is_uploaded_read_and_listed(desk, folder):
    """Numbers in the answer to a write, texts afterwards; SIZE is that of the content."""
    made = put(desk, folder)
    assert (made["SIZE"], made["GLOBAL_CONTENT_VERSION"], made["TYPE"]) == ("5", 1, "file")
    got = desk.call("disk.file.get", id=made["ID"])
    assert (got["ID"], got["PARENT_ID"]) == (str(made["ID"]), str(folder))
    assert "REAL_OBJECT_ID" not in got
    desk.call("disk.folder.addSubFolder", id=folder, data={"NAME": "Old"})
    rows = desk.call("disk.folder.getChildren", id=folder, order={"NAME": "DESC"})
    assert names(rows) == ["Old", "note.txt"]
    assert names(desk.call("disk.folder.getChildren", id=folder, filter={"NAME": "%ote%"})) == [
        "note.txt"
    ]
    assert "Papers" in names(desk.call("disk.storage.getChildren", id=2))


def test_a_name_is_taken_once(desk, folder):
    """Unless another may be made of it."""
    put(desk, folder)
    second = {"id": folder, "data": {"NAME": "note.txt"}, "fileContent": PNG}
    assert desk.refusal("disk.folder.uploadFile", **second).code == "DISK_OBJ_22000"
    assert put(desk, folder, generateUniqueName=True)["NAME"] == "note (1).txt"
    assert put(desk, folder, generateUniqueName=True)["NAME"] == "note (2).txt"


def test_files_are_renamed_moved_and_copied(desk, folder):
    """A copy of a folder has copies of what is in it."""
    file = put(desk, folder)["ID"]
    inner = desk.call("disk.folder.addSubFolder", id=folder, data={"NAME": "Inner"})["ID"]
    assert desk.call("disk.file.rename", id=file, newName="b.txt")["NAME"] == "b.txt"
    moved = desk.call("disk.file.moveTo", id=file, targetFolderId=inner)
    assert moved["PARENT_ID"] == inner
    other = desk.call("disk.storage.addFolder", id=2, data={"NAME": "Copies"})["ID"]
    copy = desk.call("disk.folder.copyTo", id=folder, targetFolderId=other)["ID"]
    deep = desk.call("disk.folder.getChildren", id=copy)[0]["ID"]
    assert names(desk.call("disk.folder.getChildren", id=deep)) == ["b.txt"]
    into_itself = desk.refusal("disk.folder.moveTo", id=folder, targetFolderId=inner)
    assert into_itself.code == "DISK_OBJ_22000"


def test_what_is_thrown_away_can_be_had_back(desk, folder):
    """Until it is deleted for good, with all that is in it."""
    file = put(desk, folder)["ID"]
    assert desk.call("disk.file.markDeleted", id=file)["DELETED_TYPE"] == "3"
    assert desk.call("disk.folder.getChildren", id=folder) == []
    assert desk.call("disk.file.restore", id=file)["DELETED_TYPE"] == 0
    assert desk.call("disk.folder.deleteTree", id=folder) is True
    assert desk.refusal("disk.file.get", id=file).code == "ERROR_NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("storage.get", {}, "ERROR_ARGUMENT"),
        ("storage.get", {"id": 999}, "ERROR_NOT_FOUND"),
        ("storage.addFolder", {"id": 2}, "ERROR_ARGUMENT"),
        ("storage.addFolder", {"id": 2, "data": {"NAME": "Papers"}}, "DISK_OBJ_22000"),
        ("folder.get", {}, "ERROR_ARGUMENT"),
        ("folder.get", {"id": 999}, "ERROR_NOT_FOUND"),
        ("folder.deleteTree", {"id": 1}, "DISK_OBJ_22000"),
        ("folder.moveTo", {"id": 1, "targetFolderId": 1}, ""),
        ("storage.uploadFile", {"id": 2, "fileContent": PNG}, "DISK_BASE_SERVICE_22001"),
        (
            "storage.uploadFile",
            {"id": 2, "data": {"NAME": "a"}, "fileContent": ["a", "no base64!"]},
            "ERROR_COULD_NOT_SAVE_FILE",
        ),
        ("file.rename", {"id": 1}, "ERROR_NOT_FOUND"),
        ("file.uploadVersion", {"id": 1, "fileContent": ["a", "YQ=="]}, "ERROR_NOT_FOUND"),
        ("folder.shareToUser", {"id": 1}, "ERROR_ARGUMENT"),
        ("folder.shareToUser", {"id": 1, "userId": 2, "taskName": "x"}, "ACCESS_DENIED"),
        ("storage.uploadFile", UPLOAD | {"rights": "x"}, ""),
        ("file.search", {}, "ERROR_ARGUMENT"),
        ("file.search", {"QUERY": "ab"}, "INVALID_QUERY"),
        ("file.search", {"QUERY": "abc", "TYPE": "x"}, "INVALID_TYPE"),
        ("file.search", {"QUERY": "abc", "FILTER": {"X": 1}}, "INVALID_FILTER"),
        ("file.search", {"QUERY": "abc", "FILTER": {"STORAGE_ID": 99}}, "NOT_FOUND"),
        ("folder.rename", {"id": 1, "newName": " "}, "0"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_errors_have_the_documented_codes(desk, method, params, code):
    """[disk/] The parameter that is missing, the id that is not there, the name that is taken."""
    assert desk.refusal(f"disk.{method}", **params).code == code


def test_fields_say_what_a_filter_takes(desk):
    """Three kinds of things, each with its own fields."""
    for kind, own in (("storage", "ENTITY_ID"), ("folder", "REAL_OBJECT_ID"), ("file", "SIZE")):
        fields = desk.call(f"disk.{kind}.getFields")
        assert fields["ID"] == {"TYPE": "integer", "USE_IN_FILTER": True, "USE_IN_SHOW": True}
        assert own in fields
    assert desk.call("disk.storage.getTypes") == ["user", "common", "group"]


def test_files_do_not_come_in_batches(desk):
    """[batch.md] Uploads are refused there."""
    command = "disk.storage.uploadFile?id=2&data[NAME]=a"
    answer = asyncio.run(run_batch(desk.portal, desk.webhook, {"cmd": {"a": command}}))
    assert answer["result"]["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_a_file_has_versions_and_goes_back_to_one(desk, folder):
    """New content is a version; an old one can be read, found and brought back."""
    new = {"id": folder, "data": {"NAME": "a.png"}, "fileContent": PNG}
    file = desk.call("disk.folder.uploadFile", **new)["ID"]
    changed = desk.call("disk.file.uploadVersion", id=file, fileContent=["a.png", "YWJj"])
    assert (changed["GLOBAL_CONTENT_VERSION"], changed["SIZE"]) == (2, "3")
    rows = desk.call("disk.file.getVersions", id=file, filter={"NAME": "%.png"})
    assert [row["GLOBAL_CONTENT_VERSION"] for row in rows] == ["2", "1"]
    first = desk.call("disk.version.get", id=rows[1]["ID"])
    back = desk.call("disk.file.restoreFromVersion", id=file, versionId=first["ID"])
    assert (back["SIZE"], back["GLOBAL_CONTENT_VERSION"]) == (first["SIZE"], 3)
    found = desk.call("disk.file.search", QUERY="a.png", FILTER={"FOLDER_ID": folder})
    assert [row["ID"] for row in found] == [str(file)]
    assert desk.call("disk.file.search", QUERY="a.png", TYPE="folder") == []
    other = desk.call("disk.folder.uploadFile", **new, generateUniqueName=True)["ID"]
    strange = desk.refusal("disk.file.restoreFromVersion", id=other, versionId=first["ID"])
    assert strange.code == "DISK_FILE_22004"
    shared = {"id": folder, "userId": 2, "taskName": "disk_access_read"}
    assert desk.call("disk.folder.shareToUser", **shared) is True
    attached = desk.call("tasks.task.files.attach", taskId=1, fileId=file)["attachmentId"]
    assert desk.call("disk.attachedObject.get", id=attached)["NAME"] == "a.png"


def test_a_form_is_sent_to_an_address(desk, folder):
    """Without content a folder answers where to send it."""
    answer = desk.call("disk.folder.uploadFile", id=folder)
    assert answer["field"] == "file"
    assert answer["uploadUrl"].startswith("https://")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("disk.file.uploadVersion", {}, "ERROR_ARGUMENT"),
        ("disk.file.uploadVersion", {"fileContent": ["a", ""]}, "DISK_FILE_22002"),
        ("disk.file.restoreFromVersion", {}, "ERROR_ARGUMENT"),
        ("disk.file.restoreFromVersion", {"versionId": 99}, "ERROR_NOT_FOUND"),
        ("tasks.task.files.attach", {"taskId": 1, "fileId": "x"}, "100"),
        ("tasks.task.files.attach", {"taskId": 1, "fileId": 99}, "ERROR_CORE"),
    ],
)
def test_versions_and_attachments_are_refused_as_documented(desk, folder, method, params, code):
    """[disk/file/, tasks-task-files-attach.md] What is not there, what is no number."""
    file = put(desk, folder)["ID"]
    assert desk.refusal(method, **{"id": file} | params).code == code

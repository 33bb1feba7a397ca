"""REST 3.0: tasks with names of their own, errors that are objects, keys of writes [rest-v3.md]."""

import pytest
import requests

NEW = {"title": "Call back", "creatorId": 1, "responsibleId": 1, "priority": "high"}
CRASH = "BITRIX_REST_V3_EXCEPTION_"
INVALID = "VALIDATION_REQUESTVALIDATIONEXCEPTION"


@pytest.fixture
def call(server):
    """Post to the API, with headers where there are some."""
    base = f"{server.url}/rest/api/1/{server.webhook.secret}/"

    def post(method, body=None, **headers):
        return requests.post(base + method, json=body, headers=headers, timeout=10)

    return post


@pytest.fixture
def task(call):
    """Make a task and give its number."""
    return call("tasks.task.add", {"fields": NEW, "select": ["id"]}).json()["result"]["item"]["id"]


def get(call, number, *names):
    """Read some fields of a task."""
    return call("tasks.task.get", {"id": number, "select": names}).json()["result"]["item"]


def ids(answer):
    """Read the ids of a list."""
    return [item["id"] for item in answer.json()["result"]["items"]]


def put_in(value, numbers):
    """Replace names of tasks by their ids, however deep."""
    if isinstance(value, list):
        return [put_in(one, numbers) for one in value]
    if isinstance(value, dict):
        return {key: put_in(one, numbers) for key, one in value.items()}
    return numbers.get(value, value)


def test_a_task_is_made_read_changed_and_removed(call, http):
    """Numbers are numbers, states are words, and the older API sees the same task."""
    number = call("tasks.task.add", {"fields": NEW}).json()["result"]["item"]["id"]
    assert get(call, number, "id", "title", "creatorId", "priority", "status", "nothing") == {
        "id": number,
        "title": "Call back",
        "creatorId": 1,
        "priority": "high",
        "status": "pending",
    }
    change = call("tasks.task.update", {"id": number, "fields": {"status": "completed"}})
    assert change.json()["result"] == {"result": True}
    old = http.call("tasks.task.get", json={"taskId": number}).json()["result"]["task"]
    assert (old["status"], old["priority"], old["title"]) == ("5", "2", "Call back")
    assert get(call, number, "closedById", "closed")["closedById"] == 1
    assert call("tasks.task.delete", {"id": number}).json()["result"] == {"result": True}
    gone = call("tasks.task.get", {"id": number})
    assert gone.status_code == 400
    assert gone.json()["error"]["code"] == CRASH + "ENTITYNOTFOUNDEXCEPTION"


def test_without_a_select_no_people_come_along(call, task):
    """They are asked for by name, and so is what they are linked to."""
    whole = call("tasks.task.get", {"id": task}).json()["result"]["item"]
    assert whole["title"] == "Call back"
    assert {"creatorId", "creator", "accomplices"}.isdisjoint(whole)
    people = {"creator": {"id": 1, "name": "Ann Lee"}}
    assert get(call, task, "id", "creator.name", "creator.id") == {"id": task} | people
    assert get(call, task, "creator.name", "creator.id") == whole | people
    chat = get(call, task, "chatId", "chat.id", "chat.entityId")
    assert chat == {"chatId": 1, "chat": {"id": 1, "entityId": task}}
    child = call("tasks.task.add", {"fields": NEW | {"parentId": task}}).json()["result"]["item"]
    assert get(call, child["id"], "id", "parent.title")["parent"] == {"title": "Call back"}


@pytest.mark.parametrize(
    ("test", "kept"),
    [
        ([["id", "b"]], "b"),
        ([["id", ["a", "c"]]], "ac"),
        ([["id", "in", ["a", "b"]]], "ab"),
        ([["id", "between", ["b", "c"]]], "bc"),
        ([["id", ">=", "a"], ["id", "<", "c"]], "ab"),
        ([["id", ">", "a"], ["id", "!=", "b"], ["id", "<=", "c"]], "c"),
        ([{"logic": "or", "conditions": [["id", "a"], ["id", "=", "c"]]}], "ac"),
    ],
)
def test_tasks_are_filtered_by_their_ids(call, test, kept):
    """Conditions are lists, joined by `and` unless said otherwise."""
    made = {}
    for name in "abc":
        answer = call("tasks.task.add", {"fields": NEW})
        made[name] = answer.json()["result"]["item"]["id"]
    found = ids(call("tasks.task.list", {"filter": put_in(test, made)}))
    assert found == [made[name] for name in kept]


def test_pages_have_an_order_a_limit_and_an_offset(call):
    """By page or by offset; only the id comes where nothing is selected."""
    made = []
    for title in "bac":
        answer = call("tasks.task.add", {"fields": NEW | {"title": title}})
        made.append(answer.json()["result"]["item"]["id"])
    ask = {"filter": [["id", made]], "order": {"title": "DESC", "id": "ASC"}, "select": ["title"]}
    items = call("tasks.task.list", ask).json()["result"]["items"]
    assert [item["title"] for item in items] == ["c", "b", "a"]
    for pagination in ({"page": 2, "limit": 1}, {"offset": 1, "limit": 1}):
        page = call("tasks.task.list", {"filter": [["id", made]], "pagination": pagination})
        assert page.json()["result"] == {"items": [{"id": made[1]}]}


def test_a_task_has_results_a_chat_and_files(server, call, task):
    """A result is made of a text or of a message; it can be changed, listed and removed."""
    add = call("tasks.task.result.add", {"fields": {"taskId": task, "text": "Done"}}).json()
    made = add["result"]["item"]
    assert (made["taskId"], made["text"], made["updatedAt"]) == (task, "Done", None)
    change = {"id": made["id"], "fields": {"text": "Done well"}}
    changed = call("tasks.task.result.update", change).json()["result"]["item"]
    assert (changed["text"], changed["updatedAt"] is None) == ("Done well", False)
    sent = call("tasks.task.chat.message.send", {"fields": {"taskId": task, "text": "Hello"}})
    new = {"data": {"NAME": "a.txt"}, "fileContent": ["a.txt", "YQ=="]}
    file = server.call("disk.storage.uploadFile", id=1, **new)["ID"]
    files = call("tasks.task.file.attach", {"taskId": task, "fileIds": [file]})
    absent = call("tasks.task.file.attach", {"taskId": task, "fileIds": [987]}).json()["error"]
    assert absent["message"] == "Insufficient permissions"
    assert sent.json()["result"] == files.json()["result"] == {"result": True}
    message = {"fields": {"messageId": 1}}
    posted = call("tasks.task.result.addfromchatmessage", message).json()["result"]["item"]
    assert (posted["text"], posted["messageId"]) == ("Hello", 1)
    ask = {"filter": [["taskId", task]], "select": ["id"], "order": {"id": "DESC"}}
    assert ids(call("tasks.task.result.list", ask)) == [posted["id"], made["id"]]
    assert call("tasks.task.result.delete", {"id": made["id"]}).json()["result"]["result"]
    assert ids(call("tasks.task.result.list", ask)) == [posted["id"]]
    assert call("tasks.task.access.get", {"id": task}).json()["result"]["read"] is True


def test_a_refused_change_names_its_field(call, task):
    """What the older API says of a field is about the field of that meaning here."""
    late = {"startPlan": "2026-12-02T10:00:00+03:00", "endPlan": "2026-12-01T10:00:00+03:00"}
    for field, fields in {"parentId": {"parentId": task}, "endPlan": late}.items():
        answer = call("tasks.task.update", {"id": task, "fields": fields}).json()
        assert [one["field"] for one in answer["error"]["validation"]] == [field]


@pytest.mark.parametrize(
    "record", ["tasks.task", "tasks.task.access", "tasks.task.chat.message", "main.eventlog"]
)
def test_fields_are_described(call, record):
    """All of them or one, and as much of each as was selected."""
    items = call(f"{record}.field.list", {"select": ["name", "filterable"]}).json()["result"]
    assert items["items"][0] == {"name": "id", "filterable": True}
    item = call(f"{record}.field.get", {"name": "id"}).json()["result"]["item"]
    assert (item["type"], item["multiple"], len(item)) == ("int", False, 11)


REFUSED = [
    ("tasks.task.get", {}, INVALID),
    ("tasks.task.get", {"id": "1"}, INVALID),
    ("tasks.task.get", {"id": 9_999_999}, "ENTITYNOTFOUNDEXCEPTION"),
    ("tasks.task.get", {"id": 1, "select": "id"}, "INVALIDSELECTEXCEPTION"),
    ("tasks.task.add", {}, INVALID),
    ("tasks.task.add", {"fields": {"title": "x"}}, INVALID),
    ("tasks.task.add", {"fields": NEW | {"responsibleId": 999}}, INVALID),
    ("tasks.task.add", {"fields": NEW | {"responsibleId": [1]}}, INVALID),
    ("tasks.task.add", {"fields": NEW | {"priority": "9"}}, INVALID),
    ("tasks.task.update", {"id": 9_999_999, "fields": {}}, "ACCESSDENIEDEXCEPTION"),
    ("tasks.task.update", {"id": 1, "fields": {"creatorId": 1}}, INVALID),
    ("tasks.task.delete", {"id": 9_999_999}, "ACCESSDENIEDEXCEPTION"),
    ("tasks.task.list", {"filter": {"id": 1}}, "INVALIDFILTEREXCEPTION"),
    ("tasks.task.list", {"filter": [["id"]]}, "INVALIDFILTEREXCEPTION"),
    ("tasks.task.list", {"filter": [["ID", 1]]}, "UNKNOWNDTOPROPERTYEXCEPTION"),
    ("tasks.task.list", {"filter": [["id", "~", 1]]}, "UNKNOWNFILTEROPERATOREXCEPTION"),
    ("tasks.task.list", {"filter": [["title", "x"]]}, INVALID),
    ("tasks.task.list", {"filter": [["id", "in", 1]]}, INVALID),
    ("tasks.task.list", {"order": {"link": "ASC"}}, "INVALIDORDEREXCEPTION"),
    ("tasks.task.list", {"order": {"id": "up"}}, "INVALIDORDEREXCEPTION"),
    ("tasks.task.list", {"pagination": {"limit": 0}}, "INVALIDPAGINATIONEXCEPTION"),
    ("tasks.task.list", {"pagination": {"limit": 1001}}, "INVALIDPAGINATIONEXCEPTION"),
    ("tasks.task.list", {"pagination": "1"}, "INVALIDPAGINATIONEXCEPTION"),
    ("tasks.task.result.add", {}, INVALID),
    ("tasks.task.result.add", {"fields": {"text": "x"}}, "VALIDATION_DTOVALIDATIONEXCEPTION"),
    ("tasks.task.result.add", {"fields": {"taskId": "1", "text": "x"}}, INVALID),
    ("tasks.task.result.add", {"fields": {"fileIds": []}}, "VALIDATION_DTOVALIDATIONEXCEPTION"),
    ("tasks.task.result.add", {"fields": {"x": 1}}, "UNKNOWNDTOPROPERTYEXCEPTION"),
    ("tasks.task.result.add", {"fields": {"taskId": 999, "text": "x"}}, INVALID),
    ("tasks.task.result.add", {"fields": {"taskId": 0, "text": "x"}}, INVALID),
    ("tasks.task.result.add", {"fields": {"taskId": None, "text": "x"}}, INVALID),
    ("tasks.task.result.addfromchatmessage", {"fields": {"messageId": 9}}, INVALID),
    ("tasks.task.result.update", {"fields": {"text": "x"}}, INVALID),
    ("tasks.task.result.delete", {"id": 9_999_999}, "ACCESSDENIEDEXCEPTION"),
    ("tasks.task.result.list", {}, INVALID),
    ("tasks.task.result.list", {"select": ["x"]}, "UNKNOWNDTOPROPERTYEXCEPTION"),
    (
        "tasks.task.result.list",
        {"filter": [["id", 1]]},
        "VALIDATION_REQUESTFILTERVALIDATIONEXCEPTION",
    ),
    ("tasks.task.file.attach", {"taskId": 1}, INVALID),
    ("tasks.task.file.attach", {"taskId": 1, "fileIds": 1}, INVALID),
    ("tasks.task.field.list", {"select": ["x"]}, "UNKNOWNDTOPROPERTYEXCEPTION"),
    ("tasks.task.field.get", {}, INVALID),
    ("tasks.task.field.get", {"name": []}, INVALID),
    ("main.eventlog.tail", {"filter": 1}, "INVALIDFILTEREXCEPTION"),
    ("main.eventlog.tail", {"cursor": 1}, INVALID),
    ("batch", {"cmd": {"a": "profile"}}, "INVALIDSELECTEXCEPTION"),
    ("batch", [{"method": "tasks.task.get", "query": {}}], INVALID),
    ("crm.deal.get", {"id": 1}, "METHODNOTFOUNDEXCEPTION"),
    ("server.time", {}, "METHODNOTFOUNDEXCEPTION"),
]
STATUSES = {"METHODNOTFOUNDEXCEPTION": 404, "ACCESSDENIEDEXCEPTION": 403}


@pytest.mark.parametrize(("method", "body", "code"), REFUSED)
def test_an_error_is_an_object(call, task, method, body, code):
    """With the fields that are wrong, where fields are."""
    if body and isinstance(body, dict) and body.get("id") == 1:
        body = body | {"id": task}
    answer = call(method, body)
    assert answer.status_code == STATUSES.get(code, 400)
    error = answer.json()["error"]
    assert error["code"] == CRASH + code
    assert error["message"]
    assert [*error] == ["code", "message", "validation"][: 3 if code[:11] == INVALID[:11] else 2]


def test_a_body_that_is_not_json_is_an_error(server):
    """The older API reads nothing then; and a wrong secret is 401 here too."""
    base = f"{server.url}/rest/api/1/"
    path = f"{server.webhook.secret}/tasks.task.get?id=1"
    for body in (b"id=1", b'"x"', b"{", b'{"id": NaN}', b"[" * 100_000, b"\xff"):
        answer = requests.post(base + path, data=body, timeout=10)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == CRASH + "INVALIDJSONEXCEPTION"
    answer = requests.get(base + path, timeout=10)  # the query is not read
    assert answer.json()["error"]["code"] == CRASH + INVALID
    wrong = requests.post(f"{base}wrong/tasks.task.get", json={"id": 1}, timeout=10)
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == CRASH + "ACCESSDENIEDEXCEPTION"


def test_a_batch_is_a_list_of_calls_that_may_use_each_other(call):
    """An array, or an object; a name and a path lead to what came before."""
    add = {"method": "tasks.task.add", "query": {"fields": NEW}, "as": "made"}
    lookup = {"id": {"$ref": "made.item.id"}, "select": ["id", "title"]}
    calls = [add, {"method": "tasks.task.get", "query": lookup}]
    for body in (calls, {"a": calls[0], "b": calls[1]}):
        made, got = call("batch", body).json()["result"]
        assert got["item"] == {"id": made["item"]["id"], "title": "Call back"}
    some = {"filter": [["id", ">", 0]], "pagination": {"limit": 2}}
    repeated = {"filter": [["id", "in", {"$refArray": "all.id"}]]}
    rows = [{"method": "tasks.task.list", "query": some, "as": "all"}]
    rows.append({"method": "tasks.task.list", "query": repeated})
    first, second = call("batch", rows).json()["result"]
    assert first == second
    assert len(first["items"]) == 2


def test_a_write_with_a_key_is_done_once(call):
    """The second answer is the first one, and says so; another body is a mistake."""
    key = {"Idempotency-Key": "order-17"}
    first = call("tasks.task.add", {"fields": NEW}, **key)
    repeated = call("tasks.task.add", {"fields": NEW}, **key)
    assert first.json() == repeated.json()
    assert first.headers["Idempotency-Key"] == repeated.headers["Idempotency-Key"] == "order-17"
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    other = call("tasks.task.add", {"fields": NEW | {"title": "Else"}}, **key)
    assert other.status_code == 422
    assert other.json()["error"]["code"] == CRASH + "IDEMPOTENCYKEYREUSEDEXCEPTION"
    long = call("tasks.task.add", {"fields": NEW}, **{"Idempotency-Key": "k" * 256})
    assert long.status_code == 400
    assert long.json()["error"]["code"] == CRASH + "INVALIDIDEMPOTENCYKEYEXCEPTION"


def test_a_key_is_not_used_up_by_an_error_or_a_read(call, task):
    """What failed may be tried again with the same key."""
    key = {"Idempotency-Key": "second-try"}
    assert call("tasks.task.add", {"fields": {}}, **key).status_code == 400
    good = call("tasks.task.add", {"fields": NEW}, **key)
    assert good.status_code == 200
    assert "Idempotent-Replayed" not in good.headers
    for _ in range(2):
        got = call("tasks.task.get", {"id": task}, **key)
        assert "Idempotency-Key" not in got.headers


def test_the_api_describes_itself(call):
    """Fields, scopes, and the whole of it for tools."""
    fields = call("tasks.task.field.list", {"select": ["name", "type"]}).json()["result"]["items"]
    assert {"name": "creatorId", "type": "int"} in fields
    scopes = call("rest.scope.list").json()["result"]["items"]
    assert {"method": "tasks.task.add", "scope": "tasks"} in scopes
    assert "/tasks.task.add" in call("documentation").json()["result"]["paths"]


def test_a_fault_meets_this_api_as_well(admin, call, task):
    """Faults name methods, which are the same in both."""
    admin("POST", "faults", kind="overload", method="tasks.task.get", times=1)
    assert call("tasks.task.get", {"id": task}).status_code >= 429
    assert get(call, task, "id") == {"id": task}


def test_administrators_read_the_event_log(call, server):
    """Entries are filtered by time and person, ordered, cut into pages, and got by their id."""
    people = len(server.portal.users)
    since = {"filter": [["timestampX", ">=", "2020-01-01T00:00:00+00:00"]], "select": ["id"]}
    assert len(ids(call("main.eventlog.list", since))) == people
    falling = {"order": {"id": "DESC"}, "pagination": {"page": 1, "limit": 2}}
    assert ids(call("main.eventlog.list", falling)) == [people, people - 1]
    own = call("main.eventlog.list", {"filter": [["userId", "in", [1]]]}).json()
    entry = own["result"]["items"][0]
    assert entry == call("main.eventlog.get", {"id": 1}).json()["result"]["item"]
    assert ids(call("main.eventlog.tail", {"cursor": {"value": people - 1}})) == [people]


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("main.eventlog.get", {"id": 999}, CRASH + "ENTITYNOTFOUNDEXCEPTION"),
        ("main.eventlog.list", {"filter": [["moduleId", "main"]]}, CRASH + INVALID),
        ("main.eventlog.list", {"filter": [["id", "one"]]}, CRASH + INVALID),
        ("main.eventlog.tail", {"filter": [["id", 1]]}, CRASH + "INVALIDFILTEREXCEPTION"),
        ("main.eventlog.tail", {"cursor": {"limit": 0}}, CRASH + "INVALIDPAGINATIONEXCEPTION"),
        ("main.eventlog.field.get", {}, CRASH + INVALID),
        (
            "main.eventlog.field.get",
            {"name": "colour"},
            "BITRIX_REST_V3_REALISATION_EXCEPTION_FIELDNOTFOUNDEXCEPTION",
        ),
    ],
)
def test_the_event_log_says_no_in_the_documented_codes(call, method, body, code):
    """[event-log/] What can't be asked is refused by name."""
    answer = call(method, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_the_event_log_is_for_administrators(call, server):
    """[event-log/] Others have no access."""
    server.portal.users[1]["admin"] = False
    answer = call("main.eventlog.list")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == CRASH + "ACCESSDENIEDEXCEPTION"


def test_what_hangs_on_a_task_meets_its_faults(server, call, task):
    """A result is refused where the older API's task is: by its limits and faults."""
    server.fault("rate", method="tasks.task.get", times=1)
    asked = {"fields": {"taskId": task, "text": "Done"}}
    refused = call("tasks.task.result.add", asked).json()["error"]
    assert refused["code"] == "QUERY_LIMIT_EXCEEDED"
    assert call("tasks.task.result.add", asked).json()["result"]["item"]["taskId"] == task

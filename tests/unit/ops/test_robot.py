"""ops.robot: the address that is pasted, its secret, and the reaction behind it."""

import json
import re

import pytest

from ops import robot
from ops.deployed import Deployed
from ops.new import files
from ops.robot import address, command, ensure_reaction, fields_of, with_secret
from ops.secrets import MAX_TOKENS
from ops.template_file import read_template
from relay.ingress.robots import ROUTE
from relay.kinds import kind_of
from relay.portal.fake import FakePortal
from tests.parameter_store import ParameterStore
from tests.samples import load, passes, short_template

HOOK = "https://abc.execute-api.eu-central-1.amazonaws.com/bitrix24"


@pytest.fixture
def root(tmp_path):
    """Return a folder with what `make new` reads and writes."""
    for path in files(tmp_path, "any").values():
        path.parent.mkdir(parents=True)
    (tmp_path / "template.yaml").write_text(short_template(), "utf-8")
    return tmp_path


@pytest.fixture
def store(monkeypatch, aws_clients, root):
    """Return the secrets of a deployed stack with a connected portal that does not answer."""
    store = ParameterStore(
        **{"/relay/relay/webhook-urls/read/main": "https://a.example/rest/1/secretsec/"}
    )
    stack = Deployed("relay", {"HookUrl": HOOK, "SecretsPrefix": "/relay/relay"}, {}, {})
    aws_clients.deploy(stack)["ssm"] = store
    monkeypatch.setattr(robot, "ROOT", root)
    monkeypatch.setattr(robot, "fields_of", lambda *_, **__: {"ID": "ID", "OPPORTUNITY": "Amount"})
    return store


def stored(store):
    """Return the secrets of portal main's robots."""
    return store.parameters["/relay/relay/robots/main"].split("\n")


def test_a_robot_gets_an_address_a_secret_and_a_reaction(store, root, capsys):
    """What is printed can be pasted: route, portal, the stored secret, name, a placeholder."""
    command("made_contract")
    printed = capsys.readouterr().out
    (secret,) = stored(store)
    assert re.fullmatch("[0-9a-f]{48}", secret)
    route = ROUTE.format(portal="main", secret=secret, name="made_contract")
    assert f"{HOOK.removesuffix('/bitrix24')}{route}?value={{=Document:OPPORTUNITY}}\n" in printed
    assert "{=Document:OPPORTUNITY}  Amount" in printed
    assert "{{=urlencode({=Document:TITLE})}}" in printed
    assert "`&`" in printed
    entry = read_template(root / "template.yaml")["Mappings"]["Reaction"]["MadeContract"]
    sample = json.loads(files(root, "made_contract")["sample"].read_text("utf-8"))
    assert passes(json.loads(entry["Filter"]), json.loads(sample["Records"][0]["body"]))


def test_a_second_robot_shares_the_secret_and_makes_no_second_reaction(store, root, capsys):
    """However many robots a portal has, older addresses stay accepted."""
    command("made_contract")
    first = stored(store)
    template = (root / "template.yaml").read_text("utf-8")
    command("made_contract")
    command("start_from_robot")
    assert stored(store) == first
    assert (root / "template.yaml").read_text("utf-8") == template
    assert capsys.readouterr().out.count(first[0]) == 3


def test_secrets_are_rotated_with_overlap_and_replaced_without(store, capsys):
    """ROTATE=1 puts a new secret before the older ones, REPLACE=1 in place of them."""
    command("start_from_robot")
    command("start_from_robot", rotate=True)
    newest, oldest = stored(store)
    assert newest in capsys.readouterr().out
    command("start_from_robot", replace=True)
    (last,) = stored(store)
    assert last not in {newest, oldest}
    assert len(with_secret([str(n) for n in range(MAX_TOKENS)], rotate=True, replace=False)) == (
        MAX_TOKENS
    )


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("", {}, "called like send_contract"),
        ("Send", {}, "called like send_contract"),
        ("a/b", {}, "called like send_contract"),
        ("class", {}, "its file uses the word itself"),
        ("ingress", {}, "Ingress in template.yaml already"),
        ("start_from_robot", {"kind": "deals"}, "there is no kind 'deals'"),
        ("start_from_robot", {"portal": "mian"}, "make connect PORTAL=mian"),
    ],
)
def test_what_can_not_be_called_is_refused_and_nothing_stored(store, name, options, reason):
    """A bad name, an unknown kind and a portal that is not connected exit with what to do."""
    before = dict(store.parameters)
    with pytest.raises(SystemExit, match=reason):
        command(name, **options)
    assert store.parameters == before


def test_the_reaction_is_the_one_that_subscribes(root):
    """A robot that a ready reaction hears of gets no second one; another gets its own."""
    assert ensure_reaction(root, "start_from_robot") == []
    assert len(ensure_reaction(root, "another")) == 4
    assert ensure_reaction(root, "another") == []


URL = "https://a.example/rest/1/secretsecret/"


@pytest.mark.parametrize("answer", [None, {}, {"fields": []}, {"fields": {"title": 5}}, []])
def test_fields_of_a_portal_that_does_not_answer_are_the_usual_ones(monkeypatch, answer):
    """Placeholders are offered without the portal's fields too, and a task has its own."""
    fake = FakePortal({"crm.item.fields": answer})
    if answer is None:
        fake.fail("crm.item.fields", "ACCESS_DENIED")
    monkeypatch.setattr(robot, "Portal", lambda _webhook: fake)
    assert "TITLE" in fields_of(kind_of("deal"), URL, allow_http=False)
    assert "TITLE" in fields_of(kind_of("deal"), "no webhook", allow_http=False)
    assert "RESPONSIBLE_ID" in fields_of(kind_of("task"), URL, allow_http=False)


def test_fields_are_those_of_the_portal_under_its_names(monkeypatch):
    """The portal lists the fields of a kind, user fields among them, with their titles."""
    fields = {
        "title": {"title": "Название", "upperName": "TITLE"},
        "ufCrm_1": {"title": "", "upperName": "UF_CRM_1"},
    }
    fake = FakePortal({"crm.item.fields": {"fields": fields}})
    monkeypatch.setattr(robot, "Portal", lambda _webhook: fake)
    found = fields_of(kind_of("dynamic_128"), URL, allow_http=False)
    assert found == {"TITLE": "Название", "UF_CRM_1": "ufCrm_1"}
    assert fake.calls == [("crm.item.fields", {"entityTypeId": 128})]


def test_an_address_is_beside_the_hook():
    """The robot's address has the gateway's host, and no trace of the events' path."""
    assert address(HOOK, "main", "s", "n").endswith("amazonaws.com/robot/main/s/n")


def test_the_ready_reactions_sample_is_a_robots():
    """The sample that the reaction is tried with is an event of its robot."""
    assert load("sqs_robot_called").name == "robot.start_from_robot"

"""make doctor: each thing that can be wrong is said, with what to do about it."""

import time

import pytest

from ops import doctor
from ops.deployed import Deployed
from ops.webhook import NO_ADMIN, Tried
from relay.errors import OperatorError
from relay.tracking.brake import Brake
from relay.tracking.event_times import MISSED, LastEvents
from relay.tracking.sweep_state import SweepState
from tests.tracking_aws import FakeDynamo

STACK = Deployed("relay", {}, {"AllowHttp": "false"})
SECRETS = {
    "application-tokens": "one\ntwo\n",
    "webhook-urls/read": "https://portal.example/rest/1/secret/",
    "webhook-urls/write": "https://portal.example/rest/2/other/",
}
HOUR = 3600


@pytest.fixture
def table(monkeypatch):
    """Return a State table in memory."""
    table = FakeDynamo()
    monkeypatch.setattr(doctor.boto3, "client", lambda _service: table)
    return table


def swept(table, ago, **kinds):
    """Store what a sweep that ended so long ago has left."""
    now = time.time()
    entities = {
        name: {"baseline": how, "swept": now - ago, "seen": 9, "lacking": 2}
        for name, how in kinds.items()
    }
    state = SweepState(table, "State")
    state.acquire("main", "test", now, 1)
    state.save("main", "test", {"entities": entities})


def findings():
    """Return what is said of a portal's tracking."""
    return list(doctor._tracking("main", "State", 6))  # noqa: SLF001  a part of a command


def test_a_portal_that_is_well_needs_nothing(table):
    """Filled, swept, and with events."""
    swept(table, 200, deal="done", task="done")
    LastEvents(table, "State").note("main", {"deal"}, time.time() - 400)
    said = findings()
    assert {how for how, _ in said} == {doctor.OK}
    assert [what for _, what in said] == [
        "the mirror holds deal, task",
        "swept 3 min ago",
        "the last event came 7 min ago",
    ]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda _: None, "it was never swept"),
        (lambda table: swept(table, 5 * HOUR, deal="done"), "swept 5 h ago; `make logs`"),
        (
            lambda table: table.state.__setitem__(
                "brake#main",
                {"pk": {"S": "brake#main"}, "tripped": {"N": str(int(time.time()) - 3 * HOUR)}},
            ),
            "held back for 3 h; if they are true: `make release PORTAL=main`",
        ),
        (
            lambda table: (
                LastEvents(table, "State").note("main", {"deal"}, time.time() - 9 * HOUR),
                LastEvents(table, "State").note("main", {MISSED}, time.time()),
            ),
            "switch the outgoing webhook on",
        ),
    ],
)
def test_what_must_be_mended_is_said(table, prepare, said):
    """One line, with the command or click."""
    prepare(table)
    assert any(how == doctor.BAD and said in what for how, what in findings())


def test_what_is_not_there_yet_is_shown(table):
    """A baseline under way, a kind that is refused, no event so far."""
    swept(table, 9, deal="reading", lead="done")
    document = SweepState(table, "State").read("main")
    document["entities"]["lead"]["refused"] = True
    state = SweepState(table, "State")
    state.acquire("main", "test", time.time() + 9, 1)
    state.save("main", "test", document)
    shown = [what for how, what in findings() if how == doctor.LOOK]
    assert shown[0] == "deal: 7 of 9 are in the mirror"
    assert shown[1].startswith("lead: not offered to this webhook")
    assert shown[2].startswith("no event came yet")


def test_webhooks_are_tried_and_never_shown(monkeypatch):
    """A dead one is told with the portal's words, a scope that lacks by its name."""

    def tried(url, _scopes, *, allow_http):
        assert not allow_http
        if "other" in url:
            raise OperatorError("profile", "expired_token", "The access token has expired")
        return Tried("portal.example", "Robot", ["task"], admin=False)

    monkeypatch.setattr(doctor, "try_webhook", tried)
    said = list(doctor._webhooks(SECRETS, STACK))  # noqa: SLF001  a part of a command
    assert said[:3] == [
        (doctor.OK, "2 application token(s)"),
        (doctor.OK, "webhook to read with: portal.example as Robot"),
        (doctor.LOOK, "it lacks the scope task"),
    ]
    (how, what) = said[3]
    assert how == doctor.BAD
    assert "expired_token" in what
    assert "`make connect`" in what
    assert "secret" not in str(said)
    nothing = [how for how, _ in doctor._webhooks({}, STACK)]  # noqa: SLF001
    assert nothing == [doctor.BAD] * 3


@pytest.mark.parametrize("admin", [True, False])
def test_a_writing_webhook_of_no_administrator_is_told(monkeypatch, admin):
    """What it may not see can't be looked for; of the reading one nothing is said."""
    tried = Tried("portal.example", "Robot", [], admin=admin)
    monkeypatch.setattr(doctor, "try_webhook", lambda *_, **__: tried)
    said = list(doctor._webhooks(SECRETS, STACK))  # noqa: SLF001  a part of a command
    assert said[3:] == ([] if admin else [(doctor.LOOK, NO_ADMIN)])


def test_the_brake_says_since_when():
    """And nothing where it is not on."""
    table = FakeDynamo()
    brake = Brake(table, "State")
    assert brake.tripped("main") is None
    table.state["brake#main"] = {"tripped": {"N": "7"}}
    assert brake.tripped("main") == 7.0

"""The handlers' objects from the environment."""

from relay.tracking import wiring
from tests.parameter_store import ParameterStore
from tests.tracking_aws import Context

URL = "https://demo.bitrix24.example/rest"


def test_a_portal_is_read_through_its_reading_webhook(aws_clients, monkeypatch):
    """The handlers' client is made from the webhook URL of the branch `read`."""
    for name, value in {
        "STATE_TABLE": "S", "PORTAL_BURST": "50", "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MIRROR_TABLE", "M")
    wiring.forget()
    read, write = (f"/relay/test/webhook-urls/{kind}/main" for kind in ("read", "write"))
    urls = {read: f"{URL}/1/fakesecret0fakesecret/", write: f"{URL}/2/fakesecret1fakesecret/"}
    aws_clients.update(dynamodb=object(), ssm=ParameterStore(**urls))
    portal = wiring.portal("main", wiring.deadline(Context))
    wiring.portal("main", wiring.deadline(Context))
    assert wiring._slots.cache_info().misses == 1  # noqa: SLF001  what slots learn is kept
    assert portal.webhook.user_id == 1
    assert wiring.mirror().alone
    wiring.forget()
    assert 290 < wiring.deadline(Context)() <= 295

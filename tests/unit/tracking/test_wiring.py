"""The handlers' objects from the environment."""

from relay import settings
from relay.tracking import wiring
from tests.tracking_aws import Context


def test_a_portal_is_read_through_its_reading_webhook(monkeypatch):
    """The handlers' client is made from the webhook URL of the branch `read`."""
    for name, value in {
        "STATE_TABLE": "S", "PORTAL_BURST": "50", "PORTAL_RATE": "2",
        "PORTAL_RESERVE_PERCENT": "10",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked = []
    monkeypatch.setattr(settings, "is_alone", lambda kind: kind == "read")
    monkeypatch.setenv("MIRROR_TABLE", "M")
    wiring.forget()

    def url(kind, name):
        asked.append((kind, name))
        return "https://demo.bitrix24.example/rest/1/fakesecret0fakesecret/"

    monkeypatch.setattr(settings, "webhook_url", url)
    portal = wiring.portal("main", wiring.deadline(Context))
    wiring.portal("main", wiring.deadline(Context))
    assert asked == [("read", "main")] * 2
    assert wiring._slots.cache_info().misses == 1  # noqa: SLF001  what slots learn is kept
    assert portal.webhook.user_id == 1
    assert wiring.mirror().alone
    wiring.forget()
    assert 290 < wiring.deadline(Context)() <= 295

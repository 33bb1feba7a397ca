"""ops.webhook: a webhook's user, its rights and its missing scopes."""

import pytest

from ops import webhook
from ops.webhook import WRITE_SCOPES, try_webhook
from relay.errors import ConfigurationError, OperatorError
from relay.portal.fake import FakePortal

URL = "https://acme.bitrix24.ru/rest/7/secretsecret/"


@pytest.fixture
def portal(monkeypatch):
    """Return the function that sets the portal's answers."""

    def use(profile, scopes):
        answers = {"profile": profile, "scope": scopes}
        monkeypatch.setattr(webhook, "Portal", lambda _webhook: FakePortal(answers))

    return use


@pytest.mark.parametrize(
    ("profile", "user", "admin"),
    [
        ({"ID": "7", "NAME": "Ada", "LAST_NAME": "King", "ADMIN": True}, "Ada King", True),
        ({"ID": "7", "NAME": "Ada", "LAST_NAME": None, "ADMIN": False}, "Ada", False),
        ({"ID": "7"}, "user 7", False),
        ({"ID": "7", "ADMIN": "true"}, "user 7", False),
    ],
)
def test_a_webhook_that_works_names_its_user(portal, profile, user, admin):
    """A user is named by name, else by id, and is an administrator only by `ADMIN: true`."""
    portal(profile, list(WRITE_SCOPES))
    tried = try_webhook(URL, WRITE_SCOPES, allow_http=False)
    assert tried == ("acme.bitrix24.ru", user, [], admin)


def test_missing_scopes_are_listed(portal):
    """Wanted scopes that are not granted are missing; other granted ones do not matter."""
    portal({"ID": "7"}, ["crm", "calendar"])
    assert try_webhook(URL, WRITE_SCOPES, allow_http=False).missing == ["im", "task"]


def test_a_webhook_that_does_not_work_raises(portal):
    """The portal's error, and a URL without TLS, raise without the secret."""
    portal(OperatorError("profile", "expired_token"), [])
    with pytest.raises(OperatorError, match="expired_token"):
        try_webhook(URL, WRITE_SCOPES, allow_http=False)
    with pytest.raises(ConfigurationError, match="https://") as refused:
        try_webhook(URL.replace("https", "http"), WRITE_SCOPES, allow_http=False)
    assert "secretsecret" not in str(refused.value)

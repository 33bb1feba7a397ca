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

    class Asked(FakePortal):
        """Answers as it is, as a portal outside of reactions does."""

        async def call(self, method, /, **params):
            """Return the whole answer of the plan's method."""
            answer = self.answers[method]
            is_told = method == "app.info" and not isinstance(answer, Exception)
            return answer if is_told else await super().call(method, **params)

    def use(profile, scopes, plan=None):
        answers = {"profile": profile, "scope": scopes, "app.info": plan}
        asked = Asked(answers)
        if plan is None:
            asked.fail("app.info", "ACCESS_DENIED")
        monkeypatch.setattr(webhook, "Portal", lambda _webhook: asked)

    return use


@pytest.mark.parametrize(
    ("profile", "user", "admin"),
    [
        ({"ID": "7", "NAME": "Ada", "LAST_NAME": "King", "ADMIN": True}, "Ada King", True),
        ({"ID": "7", "NAME": "Ada", "LAST_NAME": None, "ADMIN": False}, "Ada", False),
        ({"ID": "7"}, "user 7", False),
        ({"ID": "7", "ADMIN": "true"}, "user 7", False),
        ({"ID": "55", "NAME": "Ada"}, "Ada, user 55 in place of user 7", False),
    ],
)
def test_a_webhook_that_works_names_its_user(portal, profile, user, admin):
    """A user is named by name, else by id, and is an administrator only by `ADMIN: true`."""
    portal(profile, list(WRITE_SCOPES))
    tried = try_webhook(URL, WRITE_SCOPES, allow_http=False)
    assert tried == ("acme.bitrix24.ru", user, [], admin, "")


@pytest.mark.parametrize(
    ("answer", "plan"), [({"LICENSE": "ru_ent250"}, "ru_ent250"), ({"SCOPE": []}, ""), ([1], "")]
)
def test_the_plan_is_what_the_portal_tells(portal, answer, plan):
    """A portal may tell a webhook its plan, refuse to, or tell something else."""
    portal({"ID": "7"}, list(WRITE_SCOPES), answer)
    assert try_webhook(URL, WRITE_SCOPES, allow_http=False).plan == plan


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

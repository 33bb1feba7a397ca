"""The portals at which operators' webhooks are tried."""

import pytest

from ops import webhook
from relay.portal.fake import FakePortal

SCOPES = ["crm", "im", "task", "user_brief"]
ADMIN = {"ID": "1", "NAME": "Robot", "ADMIN": True}


class Portals:
    """Answers by what a webhook's URL has in it: its user's profile, or an error.

    A user `may` what SCOPES say, and the portal tells no plan unless `plan` is set.
    """

    def __init__(self):
        self.answers, self.may, self.plan = {"": ADMIN}, SCOPES, None

    def __call__(self, tried):
        """Return the client of a webhook."""
        url = f"https://{tried.host}/rest/{tried.user_id}/{tried.secret}/"
        profile = next(one for part, one in reversed(self.answers.items()) if part in url)
        portal = FakePortal({"scope": self.may, "profile": profile})
        if isinstance(profile, tuple):
            portal.fail("profile", *profile)
        portal.fail("app.info", "ACCESS_DENIED")
        return portal


@pytest.fixture
def portals(monkeypatch):
    """Return the portals that are asked whose a webhook is."""
    made = Portals()
    monkeypatch.setattr(webhook, "Portal", made)
    return made

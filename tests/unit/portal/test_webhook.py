"""relay.portal.webhook: a pasted URL becomes a webhook, or an error without the secret."""

import pytest

from relay.errors import ConfigurationError
from relay.portal import Webhook
from tests.portal_wire import SECRET

URL = f"https://acme.bitrix24.com/rest/7/{SECRET}/"


@pytest.mark.parametrize(
    "pasted",
    [
        URL,
        URL.rstrip("/"),
        f"  {URL}\n",
        f"{URL}crm.deal.list",
        f"{URL}crm.deal.list.json",
        f"{URL}crm.deal.list.json?filter[ID]=5&select[]=ID#top",
        f"https://acme.bitrix24.com/rest/api/7/{SECRET}/tasks.task.list",
        f"https://acme.bitrix24.com/rest/007/{SECRET}/",
        f"acme.bitrix24.com/rest/7/{SECRET}/",
        f"HTTPS://ACME.Bitrix24.com/rest/7/{SECRET}/profile/",
        f"https://acme.bitrix24.com//rest//7/{SECRET}",
    ],
)
def test_every_pasted_form_means_the_same_webhook(pasted):
    """A method, parameters, slashes, spaces, capitals and /rest/api/ change nothing."""
    assert Webhook.parse(pasted) == Webhook("acme.bitrix24.com", 7, SECRET)


@pytest.mark.parametrize(
    ("pasted", "host"),
    [
        (f"https://crm.acme.org:8443/rest/7/{SECRET}/", "crm.acme.org:8443"),
        (f"https://портал.рф/rest/7/{SECRET}/", "xn--80awhdgm.xn--p1ai"),
        (f"https://[::1]:8443/rest/7/{SECRET}/", "[::1]:8443"),
    ],
)
def test_a_portal_may_have_a_port_or_a_name_in_cyrillic(pasted, host):
    """The host keeps its port, a name in Cyrillic becomes ASCII."""
    assert Webhook.parse(pasted).host == host


def test_plain_http_needs_allow_http():
    """A URL without TLS is refused unless `allow_http` is set."""
    url = f"http://127.0.0.1:8024/rest/1/{SECRET}/"
    assert Webhook.parse(url, allow_http=True).url("profile") == f"{url}profile.json"
    with pytest.raises(ConfigurationError, match="it begins with http://"):
        Webhook.parse(url)


@pytest.mark.parametrize(
    ("pasted", "wrong"),
    [
        ("   ", "it is empty"),
        ("faketoken0faketoken1faketoken200", "outgoing webhook"),
        (f"ftp://acme.bitrix24.com/rest/7/{SECRET}/", "no web address"),
        (f"https://[acme/rest/7/{SECRET}/", "no web address"),
        (f"https:///rest/7/{SECRET}/", "no web address"),
        (f"https://acme.bitrix24.com:port/rest/7/{SECRET}/", "no web address"),
        (f"https://user:{SECRET}@acme.bitrix24.com/rest/7/{SECRET}/", "user name before"),
        (f"https://{'a' * 70}.com/rest/7/{SECRET}/", "no host name"),
        (f"https://oauth.bitrix.info/rest/7/{SECRET}/", "OAuth server"),
        (f"https://acme.bitrix24.com/crm/7/{SECRET}/", "does not begin with /rest/"),
        ("https://acme.bitrix24.com/", "does not begin with /rest/"),
        ("https://acme.bitrix24.com/rest/", "address for OAuth"),
        (f"https://acme.bitrix24.com/rest/profile?auth={SECRET}", "address for OAuth"),
        (f"https://acme.bitrix24.com/rest/{SECRET}/profile", "user id is missing"),
        (f"https://acme.bitrix24.com/rest/0/{SECRET}/", "user id is missing"),
        (f"https://acme.bitrix24.com/rest/²/{SECRET}/", "user id is missing"),
        ("https://acme.bitrix24.com/rest/7/", "secret is missing"),
        ("https://acme.bitrix24.com/rest/7/crm.deal.list", "is no secret"),
        ("https://acme.bitrix24.com/rest/7/*****/", "is no secret"),
    ],
)
def test_the_error_of_a_wrong_url_names_the_mistake_without_the_secret(pasted, wrong):
    """The error names the mistake and shows an example; neither it nor its cause has the secret."""
    with pytest.raises(ConfigurationError, match=wrong) as caught:
        Webhook.parse(pasted)
    assert "https://your-portal" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_another_portals_url_is_refused():
    """With `portal` a URL of another host raises an error that names both."""
    assert Webhook.parse(URL, portal="ACME.bitrix24.com").user_id == 7
    with pytest.raises(ConfigurationError, match=r"belongs to acme.bitrix24.com, not to b.com"):
        Webhook.parse(URL, portal="b.com")


def test_a_webhook_prints_without_its_secret():
    """repr, str and format of a webhook mask the secret, and `mask` does so in any text."""
    webhook = Webhook.parse(URL)
    assert str(webhook) == "https://acme.bitrix24.com/rest/7/***/"
    assert SECRET not in f"{webhook!r}{webhook}{[webhook]}"
    assert webhook.mask(f"see {URL}x") == "see https://acme.bitrix24.com/rest/7/***/x"

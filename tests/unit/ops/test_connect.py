"""ops.connect, ops.credentials: what is another portal's is refused before anything is stored."""

import io

import pytest

from ops.connect import command
from ops.credentials import ask_token, check_hosts
from ops.secrets import TOKENS

A = "https://a.bitrix24.ru/rest/1/secretsecret/"
B = "https://b.bitrix24.ru/rest/1/secretsecret/"
SECRETS = {"main": {TOKENS: "old\n older \n"}, "second": {TOKENS: "others"}}


@pytest.fixture
def typed(monkeypatch):
    """Return the function that sets the lines of standard input."""

    def set_lines(*lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return set_lines


def test_an_optional_token_may_be_left_out(typed):
    """`make rotate` takes an empty line for no new token."""
    typed("")
    assert not ask_token("main", SECRETS, optional=True)


@pytest.mark.parametrize("token", ["new", "old", " older "])
def test_a_new_token_and_the_portals_own_are_taken(typed, token):
    """A new token, and one that this portal has already, are returned without spaces."""
    typed(token)
    assert ask_token("main", SECRETS) == token.strip()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "an empty token would let anybody in"),
        ("https://a.bitrix24.ru/rest/1/secret/", "an address, not an application token"),
        ("two words", "not an application token"),
        ("others", "that token is portal second's"),
    ],
)
def test_a_token_that_can_not_be_the_portals_is_refused(typed, token, reason):
    """An empty token, a pasted address and another portal's token exit with the reason."""
    typed(token)
    with pytest.raises(SystemExit, match=reason) as exited:
        ask_token("main", SECRETS)
    assert "rest/1" not in str(exited.value)


def test_webhooks_of_two_portals_are_refused():
    """Reading from one portal and writing to another exits with both hosts."""
    with pytest.raises(SystemExit, match=r"reading is from a\.bitrix24\.ru, writing to b\."):
        check_hosts("main", A, B, "")


@pytest.mark.parametrize("stored", ["", A, "no webhook at all"])
def test_webhooks_of_the_connected_portal_need_no_question(typed, stored):
    """A first connect and a new webhook of the same host ask nothing."""
    typed()
    check_hosts("main", A, A, stored)


def test_another_portal_under_a_used_name_needs_a_yes(typed):
    """A changed host is taken only where the operator confirms that the portal was renamed."""
    typed("yes")
    check_hosts("main", A, A, B)
    for answer in ("", "y", "no"):
        typed(answer)
        with pytest.raises(SystemExit, match=r"main stays b\.bitrix24\.ru"):
            check_hosts("main", A, A, B)


def test_another_portal_under_the_name_of_a_disconnected_one_needs_a_yes(typed):
    """Its mirror is there, and would be compared with the other portal's items."""
    typed("yes")
    check_hosts("main", A, A, "", has_mirror=True)
    typed("")
    with pytest.raises(SystemExit, match="main stays disconnected; connect another portal under"):
        check_hosts("main", A, A, "", has_mirror=True)


def test_a_bad_name_of_a_portal_is_refused():
    """A portal's name is a part of addresses and keys, so its characters are limited."""
    with pytest.raises(SystemExit, match="a portal's name is"):
        command(portal="Main Portal", stack="relay")

"""What the admin API can do to webhooks: make, change, delete, issue anew."""

from typing import Any

from local.portal.admin_actions import action
from local.portal.portal import Portal
from local.portal.table import Row
from local.portal.webhooks import IncomingWebhook


@action("POST", "incoming")
def add_incoming(portal: Portal, given: Row) -> Any:
    """Make an incoming webhook: user, secret, scopes, title, expires (Unix seconds)."""
    more: Row = {"title": str(given.get("title", ""))}
    if given.get("scopes") is not None:
        more["scopes"] = {str(scope) for scope in given["scopes"]}
    if given.get("expires") is not None:
        more["expires"] = float(given["expires"])
    user = int(given.get("user", 1))
    if user not in portal.users:
        raise ValueError(f"there is no user {user}")
    return portal.add_incoming(user, str(given.get("secret", "")), **more).to_dict()


def _incoming(portal: Portal, given: Row) -> IncomingWebhook:
    for webhook in portal.incoming.values():
        if webhook.id == int(given["id"]):
            return webhook
    raise KeyError(f"webhook {given['id']}")


@action("DELETE", "incoming")
def delete_incoming(portal: Portal, given: Row) -> Any:
    """Delete an incoming webhook; calls through it are refused from now on."""
    del portal.incoming[_incoming(portal, given).secret]
    return {"deleted": True}


@action("POST", "incoming/reissue")
def reissue(portal: Portal, given: Row) -> Any:
    """Edit somebody else's webhook: a new secret, and the editor becomes its owner."""
    old = _incoming(portal, given)
    del portal.incoming[old.secret]
    new = portal.add_incoming(
        int(given.get("user", old.user)), scopes=old.scopes, title=old.title, expires=old.expires
    )
    return new.to_dict()


@action("POST", "users/dismiss")
def dismiss(portal: Portal, given: Row) -> Any:
    """Dismiss a user (id); with `hand_over` a system user like him gets his incoming webhooks.

    Their addresses stay (`moveWebhookAction` in the core's intranet module).
    """
    user, successor = int(given["id"]), 0
    person = portal.users[user]
    if given.get("hand_over"):
        copied = {name: person[name] for name in ("admin", "departments")}
        successor = portal.add_user(person["name"], person["lastName"], **copied)
        for webhook in portal.incoming.values():
            if webhook.user == user:
                webhook.user, webhook.made_by = successor, webhook.made_by or user
    person["active"] = False
    return {"id": user, "successor": successor}


@action("PATCH", "incoming")
def change_incoming(portal: Portal, given: Row) -> Any:
    """Change scopes or expiry; the secret stays."""
    webhook = _incoming(portal, given)
    if "scopes" in given:
        webhook.scopes = {str(scope) for scope in given["scopes"]}
    if "expires" in given:
        webhook.expires = None if given["expires"] is None else float(given["expires"])
    return webhook.to_dict()


@action("POST", "outgoing")
def add_outgoing(portal: Portal, given: Row) -> Any:
    """Make an outgoing webhook: url, events (none: all), token (none: made), title."""
    url = str(given.get("url", ""))
    if not url.startswith(("http://", "https://")):
        raise ValueError("url must begin with http:// or https://")
    return portal.add_outgoing(
        url,
        [str(event) for event in given.get("events") or ()],
        token=str(given.get("token", "")),
        title=str(given.get("title", "")),
    ).to_dict()


@action("PATCH", "outgoing")
def change_outgoing(portal: Portal, given: Row) -> Any:
    """Change url, events or active; the token stays, unless a new one is given."""
    webhook = portal.outgoing[int(given["id"])]
    webhook.url = str(given.get("url", webhook.url))
    webhook.token = str(given.get("token", webhook.token))
    webhook.active = bool(given.get("active", webhook.active))
    if "events" in given:
        webhook.events = {str(event).upper() for event in given["events"]}
    return webhook.to_dict()


@action("DELETE", "outgoing")
def delete_outgoing(portal: Portal, given: Row) -> Any:
    """Delete an outgoing webhook."""
    del portal.outgoing[int(given["id"])]
    return {"deleted": True}

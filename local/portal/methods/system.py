"""What every portal answers about itself [api-reference/common/]."""

from typing import Any

from local.portal.call import ELSEWHERE, METHODS, Call, method, methods
from local.portal.errors import RestError
from local.portal.php import int_or_none, values_of
from local.portal.webhooks import OTHER_SCOPES, SCOPES

_FEATURES = {"rest_offline_extended": "Y", "rest_auth_connector": "Y"}


@method("profile", "basic")
def profile(call: Call) -> Any:
    """The owner, for a health check; empty if he is inactive [common/users/profile.md]."""
    user = call.owner()
    if not user or not user["active"]:
        return []
    return {
        "ID": str(user["id"]),
        "ADMIN": user["admin"],
        "NAME": user["name"],
        "LAST_NAME": user["lastName"],
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }


@method("methods", "basic")
def list_methods(call: Call) -> Any:
    """Names of methods; deprecated in favour of method.get."""
    wanted = call.get("scope")
    return [
        entry.name
        for entry in METHODS.values()
        if (wanted is None or str(wanted) in entry.scope.split("|"))
        and (call.flag("full") or wanted is not None or call.webhook.may(entry.scope))
    ]


@method("method.get", "basic")
def method_get(call: Call) -> Any:
    """Whether Bitrix24 has a method, and whether this webhook may call it here."""
    name = str(call.get("name", default="")).lower()
    entry = METHODS.get(name)
    return {
        "isExisting": entry is not None or name in ELSEWHERE,
        "isAvailable": entry is not None and call.webhook.may(entry.scope),
    }


@method("app.info", "basic")
def app_info(call: Call) -> Any:
    """What a webhook is told of itself: its scopes and the portal's plan [PY, JS; pages say no]."""
    if not call.portal.settings.app_info_for_webhooks:
        raise RestError("ACCESS_DENIED", "Access denied! Application context required")
    return {"SCOPE": sorted(call.webhook.scopes), "LICENSE": call.portal.settings.license}


_ACCESS = {"G2": "All visitors", "AU": "All authorized users"}


def _codes(call: Call) -> list[str]:
    return [str(one) for one in values_of(call.need("ACCESS"))]


@method("user.access", "basic")
def access(call: Call) -> Any:
    """Whether the owner has one of the rights."""
    own = {"AU", "G2", f"U{call.user}", *(f"DR{one}" for one in call.owner()["departments"])}
    own |= {"G1"} if call.owner().get("admin") else set()
    return any(code in own for code in _codes(call))


@method("access.name", "basic")
def access_name(call: Call) -> Any:
    """Names of rights."""
    found: dict[str, Any] = {}
    for code in _codes(call):
        user = call.portal.users.get(int_or_none(code.removeprefix("U")) or 0)
        name = f"{user['name']} {user['lastName']}" if user else _ACCESS.get(code)
        if name:
            found[code] = {"provider": "", "name": name, "provider_id": "other"}
    return found


methods(
    "basic",
    {
        "feature.get": lambda call: {"value": _FEATURES.get(call.text("code"), "N")},
        "scope": lambda call: (
            [*SCOPES, *OTHER_SCOPES] if call.flag("full") else sorted(call.webhook.scopes)
        ),
        "server.time": lambda call: call.portal.clock.stamp(),  # a JavaScript client's ping
        "user.admin": lambda call: bool(call.owner().get("admin")),
    },
)

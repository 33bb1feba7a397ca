"""What somebody may, and how rights are called [api-reference/common/]."""

from typing import Any

from local.portal.call import Call, method
from local.portal.php import int_or_none, values_of

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

"""How people arranged an item's form: `crm.*.details.configuration.*`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local.portal.call import METHODS, Call, Method
from local.portal.errors import classic
from local.portal.php import entries

_OWNERS = ("lead", "deal", "contact", "company", "item")
_PERSONAL, _COMMON = "P", "C"


def _key(owner: str, call: Call) -> tuple[str, ...]:
    scope = str(call.get("scope", default=_PERSONAL) or _PERSONAL).upper()
    user = str(call.number("userid") or call.user) if scope == _PERSONAL else ""
    extras = sorted((str(k), str(v)) for k, v in entries(call.get("extras", default={})))
    kind = ""
    if owner == "item":
        kind = str(call.number("entitytypeid"))
        if int(kind) not in call.portal.types:
            raise classic(f"The entity type '{kind}' is not supported in current context.")
    others = user not in {"", str(call.user)} and not call.owner().get("admin")
    if others or (scope == _COMMON and call.portal.denied(call.user)):
        raise classic("Access denied.")
    return (owner, kind, scope, user, str(extras))


def _get(owner: str, call: Call) -> Any:
    title = {"name": "TITLE"} if owner == "deal" else {"name": "TITLE", "optionFlags": "0"}
    elements = [title, {"name": "ASSIGNED_BY_ID"}]
    main = {"name": "main", "title": "About", "type": "section", "elements": elements}
    return call.portal.cards.get(_key(owner, call), [main])


def _set(owner: str, call: Call) -> Any:
    sections = call.get("data")
    if isinstance(sections, dict) and not all(key.isdigit() for key in sections):
        raise classic("The data must be indexed array.")
    for at, (_, section) in enumerate(entries(sections)):
        _check(at, section if isinstance(section, dict) else {})
    call.portal.cards[_key(owner, call)] = [section for _, section in entries(sections)]
    return True


def _check(at: int, section: dict[str, Any]) -> None:
    kind = section.get("type")
    if kind != "section":
        text = f"Section at index {at} have type '{kind}'. The expected type is 'section'."
        raise classic(text)
    for name in ("name", "title"):
        if not section.get(name):
            raise classic(f"Section at index {at} does not have {name}.")
    for index, (_, element) in enumerate(entries(section.get("elements"))):
        if not (isinstance(element, dict) and element.get("name")):
            text = f"Element at index {index} in section at index {at} does not have name."
            raise classic(text)


def _reset(owner: str, call: Call) -> Any:
    call.portal.cards.pop(_key(owner, call), None)
    return True


def _force(owner: str, call: Call) -> Any:
    """Forget everybody's own form."""
    _key(owner, call)
    if not call.owner().get("admin"):
        raise classic("Access denied.")
    cards = call.portal.cards
    for key in [key for key in cards if key[0] == owner and key[2] == _PERSONAL]:
        del cards[key]
    return True


_RUN: dict[str, Callable[[str, Call], Any]] = {
    "get": _get,
    "set": _set,
    "reset": _reset,
    "forceCommonScopeForAll": _force,
}
for _owner in _OWNERS:
    for _verb, _do in _RUN.items():
        _name = f"crm.{_owner}.details.configuration.{_verb}"
        METHODS[_name.lower()] = Method(_name, "crm", partial(_do, _owner))

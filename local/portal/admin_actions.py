"""What the admin API can do, one function an action."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from local.portal.call import ELSEWHERE, METHODS
from local.portal.clock import Clock
from local.portal.daylight import change_clocks, change_users_clocks
from local.portal.faults import ERRORS, TRANSPORT, add_fault
from local.portal.php import int_or_none
from local.portal.portal import Denial, Portal
from local.portal.state import from_json, to_json
from local.portal.table import Row
from local.portal.time_passing import pass_time
from local.portal.v3_log import LOG_METHODS
from local.portal.v3_results import RESULT_METHODS
from local.portal.v3_tasks import METHODS as METHODS_V3
from local.portal.webhooks import SCOPES

Action = Callable[[Portal, dict[str, Any]], Any]
ACTIONS: dict[tuple[str, str], Action] = {}


def action(verb: str, name: str) -> Callable[[Action], Action]:
    """Register an action."""

    def register(run: Action) -> Action:
        ACTIONS[verb, name] = run
        return run

    return register


@action("GET", "state")
def state(portal: Portal, _given: Row) -> Any:
    """What there is: for the page and the launcher."""
    return {
        "portal": portal.name,
        "domain": portal.domain,
        "member_id": portal.member_id,
        "settings": portal.settings.to_dict(),
        "clock": {"skew_seconds": portal.clock.skew_seconds, "now": portal.clock.stamp()},
        "incoming": [webhook.to_dict() for webhook in portal.incoming.values()],
        "outgoing": [webhook.to_dict() for webhook in portal.outgoing.values()],
        "faults": [fault.to_dict() for fault in portal.faults if not fault.spent],
        "denials": [
            {"user": d.user, "entityTypeId": d.type_number, "categoryId": d.category}
            for d in portal.denials
        ],
        "users": [
            {"id": u["id"], "name": f"{u['name']} {u['lastName']}", "position": u["position"]}
            for u in portal.users.values()
        ],
        "counts": {entity.code: len(portal.items[n]) for n, entity in portal.types.items()}
        | {"task": len(portal.tasks), "comment": len(portal.comments)},
        "counters": portal.strip.counters,
        "outbox": {"idle": portal.outbox.idle, "sent": portal.outbox.sent},
        "scopes": SCOPES,
        "fault_kinds": [*ERRORS, *TRANSPORT],
        "methods": sorted(entry.name for entry in METHODS.values()),
    }


@action("GET", "events")
def events(portal: Portal, given: Row) -> Any:
    """The newest events sent, newest first, each with its body as it went out."""
    rows = list(portal.outbox.done)[-int(given.get("limit", 100)) :][::-1]
    names = ("number", "event", "subject", "outcome", "seconds", "body")
    return [{name: getattr(row, name) for name in names} for row in rows]


@action("PATCH", "settings")
def settings(portal: Portal, given: Row) -> Any:
    """Set switches by name; `events` is nested."""
    portal.settings.change({k: v for k, v in given.items() if k != "portal"})
    return portal.settings.to_dict()


@action("POST", "clock")
def clock(portal: Portal, given: Row) -> Any:
    """Put the portal's clock wrong, into another zone; change it or the users'; let time pass."""
    if "offset_hours" in given:
        skew, portal.clock = portal.clock.skew_seconds, Clock(float(given["offset_hours"]))
        portal.clock.skew_seconds = skew
    change_clocks(portal, float(given.get("daylight_hours", 0)))
    change_users_clocks(portal, float(given.get("users_daylight_hours", 0)))
    portal.clock.skew_seconds = float(given.get("skew_seconds", portal.clock.skew_seconds))
    pass_time(portal, float(given.get("pass_seconds", 0)))
    return {"now": portal.clock.stamp()}


@action("POST", "faults")
def put_fault(portal: Portal, given: Row) -> Any:
    """Switch a fault on: kind, method, share, times, for_seconds, when, seconds."""
    method = str(given.get("method", "*"))
    names = {*METHODS, *METHODS_V3, *LOG_METHODS, *RESULT_METHODS, *ELSEWHERE, "batch"}
    if not any(fnmatchcase(name, method.lower()) for name in names):
        raise ValueError(f"there is no method {method!r}")
    fault = add_fault(portal.faults, {k: v for k, v in given.items() if k != "portal"})
    portal.strip.count("faults", 0)
    return fault.to_dict()


@action("DELETE", "faults")
def delete_faults(portal: Portal, given: Row) -> Any:
    """Switch one fault off, or all."""
    number = int_or_none(given.get("id"))
    portal.faults[:] = [f for f in portal.faults if number is not None and f.id != number]
    return {"left": len(portal.faults)}


@action("POST", "hold")
def hold(portal: Portal, _given: Row) -> Any:
    """Hold events back from now on, so that a test can choose their order."""
    portal.outbox.held = portal.outbox.held or []
    return {"held": len(portal.outbox.held)}


@action("POST", "denials")
def deny(portal: Portal, given: Row) -> Any:
    """Take a right away: user, and entityTypeId and categoryId to narrow it."""
    portal.denials.add(_denial(given))
    return {"denials": len(portal.denials)}


@action("DELETE", "denials")
def allow(portal: Portal, given: Row) -> Any:
    """Give a right back, or all of them."""
    if "user" in given:
        portal.denials.discard(_denial(given))
    else:
        portal.denials.clear()
    return {"denials": len(portal.denials)}


def _denial(given: Row) -> Denial:
    narrowed = (given.get("entityTypeId"), given.get("categoryId"))
    return Denial(int(given["user"]), *(None if one is None else int(one) for one in narrowed))


@action("PUT", "state/saved")
def load(portal: Portal, given: Row) -> Any:
    """Go back to a saved state."""
    from_json(portal, given)
    return {"items": sum(len(table) for table in portal.items.values())}


ACTIONS |= {
    ("GET", "notifications"): lambda portal, _: list(portal.activity.notifications),
    ("GET", "state/saved"): lambda portal, _: to_json(portal),  # webhooks' secrets too
    # Held events go: order `given`, `reverse`, or their numbers from 1, as `3,1,1`
    ("POST", "release"): lambda portal, given: {
        "released": portal.outbox.release(str(given.get("order", "given")))
    },
}

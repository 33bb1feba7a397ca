"""Whether SNS would deliver a change by a reaction's filter policy, judged on this machine."""

import json
from collections.abc import Mapping

type Policy = Mapping[str, object]


def matches(policy: Policy, document: Mapping[str, object]) -> bool:
    """Return whether a message's body meets a policy; exits for an operator that is not known."""
    return not unmet(policy, document)


def unmet(policy: Policy, document: Mapping[str, object], above: str = "") -> str:
    """Return the first condition that a message's body does not meet, empty where it meets all.

    `data.passed: WON or C1:WON`. Exits for an operator that is not known.
    """
    for name, condition in policy.items():
        value, path = document.get(name), f"{above}{name}"
        if isinstance(condition, Mapping) and isinstance(value, Mapping):
            if found := unmet(condition, value, f"{path}."):
                return found
        elif isinstance(condition, Mapping) or not _meets(condition, value, name):
            return f"{path}: {_words(condition)}"
    return ""


def _words(condition: object) -> str:
    rules = condition if isinstance(condition, list) else [condition]
    return " or ".join(one if isinstance(one, str) else json.dumps(one) for one in rules)


def _meets(condition: object, value: object, name: str) -> bool:
    rules = condition if isinstance(condition, list) else [condition]
    values = value if isinstance(value, list) else [value]
    return any(_rule(rule, one, name) for rule in rules for one in values)


def _rule(rule: object, value: object, name: str) -> bool:
    match rule:
        case {"numeric": ["=", int() | float() as number]}:
            return value == number and not isinstance(value, bool)
        case {"exists": bool(wanted)}:
            return (value is not None) is wanted
        case {"prefix": str(start)}:
            return isinstance(value, str) and value.startswith(start)
        case {"anything-but": unwanted}:
            others = unwanted if isinstance(unwanted, list) else [unwanted]
            return value is not None and value not in others
        case Mapping():
            operator = next(iter(rule), "")
            raise SystemExit(f"the filter asks for {operator!r} of {name}, which is not known here")
    return value == rule and isinstance(value, bool) == isinstance(rule, bool)

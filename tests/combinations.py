"""Combinations of the template's options, and what a deploy of one would fail on."""

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

STRENGTH = 3  # every three options meet in each of their ways
TRIALS = 20
PSEUDO = "AWS::"


def deciding(template: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that decide what is made; every other is a value in its place."""
    named = set(_referred(template["Conditions"]))
    return {name: value for name, value in options.items() if name in named}


def deciders(template: Mapping[str, Any]) -> dict[tuple[str, str], set[str]]:
    """Return the parameters that decide whether a reference is made and leads anywhere.

    By what refers and what it refers to: the conditions of both, and each `Fn::If` around it.
    """
    resources = dict(_resources(template["Resources"]))
    found: dict[tuple[str, str], set[str]] = {}
    for name, one in (resources | template["Outputs"]).items():
        own = [one["Condition"]] if "Condition" in one else []
        body = {part: value for part, value in one.items() if part != "Condition"}
        for target, around in _guarded(body, own):
            there = resources.get(target, {}).get("Condition")
            conditions = [*around, there] if there else around
            parameters = {name for one in conditions for name in _parameters(template, one)}
            found.setdefault((name, target), set()).update(parameters)
    return found


def _resources(section: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in section.items():
        if name.startswith("Fn::ForEach"):
            yield from _resources(one[2])
        else:
            yield name, one


def _guarded(node: Any, around: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name in each reference, with the conditions that it stands under."""
    match node:
        case {"Fn::If": [str(condition), yes, no]}:
            for branch in (yes, no):
                yield from _guarded(branch, [*around, condition])
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Sub": _}:
            for name in _referred(node):
                yield name, around
        case dict():
            for value in node.values():
                yield from _guarded(value, around)
        case list():
            for value in node:
                yield from _guarded(value, around)


def _parameters(template: Mapping[str, Any], condition: str) -> set[str]:
    """Return the parameters that a condition asks, also through other conditions."""
    body = template["Conditions"][condition]
    others = (_parameters(template, one) for one in _conditions(body))
    return set(_referred(body)).union(*others)


def _conditions(node: Any) -> Iterator[str]:
    match node:
        case {"Condition": str(name)}:
            yield name
        case dict():
            for value in node.values():
                yield from _conditions(value)
        case list():
            for value in node:
                yield from _conditions(value)


def covering(options: Mapping[str, str]) -> list[dict[str, str]]:
    """Return sets of options in which any three are on and off in all their eight ways."""
    names, chance = sorted(options), random.Random(1)
    places = list(combinations(range(len(names)), STRENGTH))
    open_ways = {(place, way) for place in places for way in range(2**STRENGTH)}
    rows: list[dict[str, str]] = []
    while open_ways:
        tried = [[chance.random() < 0.5 for _ in names] for _ in range(TRIALS)]
        met = [{(place, _way(row, place)) for place in places} & open_ways for row in tried]
        best = max(range(TRIALS), key=lambda at: len(met[at]))
        open_ways -= met[best]
        chosen = zip(names, tried[best], strict=True)
        rows.append({name: options[name] for name, is_on in chosen if is_on})
    return rows


def _way(row: list[bool], place: tuple[int, ...]) -> int:
    return sum(row[at] << bit for bit, at in enumerate(place))


def dangling(made: Mapping[str, Any]) -> set[str]:
    """Return the resources that something refers to and that are not made."""
    named = {name for part in ("Resources", "Outputs") for name in _referred(made[part])}
    named |= {
        name
        for resource in made["Resources"].values()
        for name in _many(resource.get("DependsOn", []))
    }
    return {name for name in named if not name.startswith(PSEUDO)} - set(made["Resources"])


def _referred(node: Any) -> Iterator[str]:
    """Yield the name in each Ref and Fn::GetAtt; those of an Fn::Sub are written `${Name}`."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": [str(text), dict(own)]}:
            yield from (name for name in _in_text(text) if name not in own)
            yield from _referred(own)
        case {"Fn::Sub": str(text)}:
            yield from _in_text(text)
        case dict():
            for value in node.values():
                yield from _referred(value)
        case list():
            for value in node:
                yield from _referred(value)


def _in_text(text: str) -> Iterator[str]:
    for part in text.split("${")[1:]:
        name = part.partition("}")[0]
        if not name.startswith("!"):
            yield name.partition(".")[0]


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

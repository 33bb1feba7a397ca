"""The reactions in template.yaml, edited as text: comments and everything else stay as they are."""

import re

PARTS = ("Function", "Queue", "DeadLetters", "Subscription", "Delivery", "DeadLettersAlarm")
_ENTRIES = re.compile(r"^  Reaction:\n(?:    .*\n)+", re.MULTILINE)
_LIST = re.compile(r"(Fn::ForEach::React:\n\s+- Name\n\s+- \[)([^\]]*)(?=\])")


def logical_id(name: str) -> str:
    """Return a reaction's name in the template: FollowUp for follow_up."""
    return "".join(part.capitalize() for part in name.split("_"))


def reaction_name(logical: str) -> str:
    """Return what `logical_id` was made of: follow_up for FollowUp."""
    return re.sub(r"\B(?=[A-Z])", "_", logical).lower()


def taken(template: str, name: str) -> bool:
    """Return whether the template has an entry or a resource of a reaction's name."""
    entry = logical_id(name)
    resource = rf"^  {entry}(?:{'|'.join(PARTS)}|OldestAlarm):"
    return bool(re.search(rf"^    {entry}:$|{resource}", template, re.MULTILINE))


def with_entry(template: str, name: str, topic: str, policy: str) -> str:
    """Return the template with a reaction's entry, and its name in the list.

    `policy` is the filter policy as JSON.
    """
    reaction = logical_id(name)
    entry = (
        f"    {reaction}:\n"
        f"      Handler: relay.reactions.{name}.handler\n"
        f"      Topic: {topic}\n"
        f"      Filter: '{policy}'\n"
    )
    entries, switched_on = _find(template)
    names = ", ".join(filter(None, [switched_on[2].strip(), reaction]))
    edits = [(entries.end(), entries.end(), entry), (*switched_on.span(2), names)]
    return _edit(template, edits)


def without_entry(template: str, name: str) -> str:
    """Return the template as it was before `with_entry`."""
    reaction = logical_id(name)
    entries, switched_on = _find(template)
    entry = re.search(rf"^    {reaction}:\n(?:      .*\n)+", entries[0], re.MULTILINE)
    names = re.sub(rf",\s*{reaction}\b|\b{reaction}\b,?\s*", "", switched_on[2], count=1)
    edits = [(*switched_on.span(2), names)]
    if entry:
        edits.append((entries.start() + entry.start(), entries.start() + entry.end(), ""))
    return _edit(template, edits)


def _find(template: str) -> tuple[re.Match[str], re.Match[str]]:
    entries, switched_on = _ENTRIES.search(template), _LIST.search(template)
    if not entries or not switched_on:
        raise ValueError("template.yaml has no `Reaction:` mapping or no list of reactions in one")
    return entries, switched_on


def _edit(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text

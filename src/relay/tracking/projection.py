"""An item as the portal tells it -> its canonical form, and the difference of two of them.

Pure. Two readings of an unchanged item have the same form, whoever read it, however it was asked
for and in whichever order the answer came; DECISIONS.md says why each rule is as it is.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from relay.kinds import TASK
from relay.tracking.commands import TASK_FIELDS
from relay.unsendable import IN_JSON

type Form = dict[str, Any]

# How rows are written. A new one needs an entry in UPGRADES under the number of the one before it:
# (a form of that format, the newer form that it is compared with) -> the form in the next format.
# A field that was not stored until then must be taken from the newer form: it did not change.
FORMAT = 1
UPGRADES: dict[int, Callable[[Form, Form], Form]] = {}

# Stored, but no difference: they follow every edit, or move without one.
VOLATILE = {
    "updatedTime",
    "updatedBy",
    "changedDate",
    "changedBy",
    "activityDate",
}
_VOLATILE_PREFIXES = ("lastActivity", "lastCommunication")

# Not stored: made by the portal from other fields, or a short form of one that is there.
_DERIVED = {"searchContent", "entityTypeId", "shortName"}
_TASK_NAMES = set(TASK_FIELDS.values())

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
# Numbers that name something: 0 names nothing. A funnel's (categoryId) is one of them that may be.
_LINK = re.compile(
    r"(company|contact|lead|deal|quote|mycompany|webform|product|location|group|flow|parent)Id"
    r"|parentId\d+|PARENT_ID_\d+|(created|updated|moved|closed|changed|statusChanged)By"
    r"|assignedById|lastActivityBy"
)
_NUMBER = re.compile(r"-?\d{1,18}")
DIGEST = "$sha256"  # stands for a value that was too large to store


def project(entity: str, item: Mapping[str, Any]) -> Form:
    """Return an item's canonical form: what is empty is left out, the rest in one spelling."""
    form = {}
    for name in sorted(item):
        if entity == TASK and name not in _TASK_NAMES and not name.startswith("uf"):
            continue
        if name in _DERIVED or name.endswith("Short"):
            continue
        value = _tags(item[name]) if name == "tags" and entity == TASK else item[name]
        value = _canonical(value)
        if value is not None and _LINK.fullmatch(name):
            value = _link(value)
        if value is not None:
            form[name] = value
    return form


def is_template(item: Mapping[str, Any]) -> bool:
    """Say whether an item only serves to make others from (recurring deals and invoices)."""
    return item.get("isRecurring") == "Y"


def _canonical(value: Any) -> Any:
    """Return a value in its one spelling; None where it says nothing."""
    if isinstance(value, str):
        return _text(value) or None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        kept = [one for one in map(_canonical, value) if one is not None]
        return sorted(kept, key=_order) or None
    if isinstance(value, dict):
        if "id" in value and any("url" in name.lower() for name in value):
            return _canonical(value["id"])  # a file: its addresses hold the webhook's secret
        kept_fields = {
            _text(name): _canonical(value[name])
            for name in sorted(value)
            if "url" not in name.lower()
        }
        return {name: one for name, one in kept_fields.items() if one is not None} or None
    return None if value is False else value


def _text(text: str) -> str:
    if _DATE_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            return text
    return IN_JSON.sub("\ufffd", text)


def _link(value: Any) -> Any:
    """Return the number of what a field points at; the portal tells some as text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    return None if value == 0 else value


def _tags(value: Any) -> Any:
    """Return a task's tags by their titles: `{"35": {"id": 35, "title": "x"}}` in an answer."""
    tags = value.values() if isinstance(value, dict) else value or []
    return [tag.get("title") if isinstance(tag, dict) else tag for tag in tags]


def _order(value: Any) -> tuple[Any, ...]:
    """Return a key that orders any values; a list of a field's values is a set to the portal."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0, value, ""
    return 1, 0, canonical_json(value)


def canonical_json(value: Any) -> str:
    """Return the one text of a canonical form."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fit(form: Form, limit: int) -> tuple[Form, str]:
    """Return a form and its text of at most `limit` bytes; the largest values become digests."""
    text = canonical_json(form)
    if len(text) * 4 <= limit or len(text.encode()) <= limit:
        return form, text
    sizes = sorted(form, key=lambda name: len(canonical_json(form[name]).encode()), reverse=True)
    form = dict(form)
    for name in sizes:
        form[name] = digest(form[name])
        text = canonical_json(form)
        if len(text.encode()) <= limit:
            break
    return form, text


def digest(value: Any) -> Any:
    """Return what stands for a value that is too large; a digest stands for itself."""
    if is_digest(value):
        return value
    return {DIGEST: sha256(canonical_json(value).encode()).hexdigest()}


def is_digest(value: Any) -> bool:
    """Say whether a value was too large to store."""
    return isinstance(value, dict) and DIGEST in value


def is_volatile(name: str) -> bool:
    """Say whether a field follows edits rather than being one."""
    return name in VOLATILE or name.startswith(_VOLATILE_PREFIXES)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that differ and are not volatile."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if not is_volatile(name) and not _same(before.get(name), after.get(name))
    ]


def names_digest(item: Mapping[str, Any]) -> str:
    """Return 8 characters that stand for the names of an item's fields, empty ones included."""
    return sha256("\n".join(sorted(item)).encode("utf-8", "replace")).hexdigest()[:8]


def is_no(value: Any) -> bool:
    """Say whether a value is the "no" that a new yes/no field has on every item."""
    return not isinstance(value, bool) and value in (0, "0", "N")


def upgrade(form: Form, written: int, beside: Form, target: int) -> Form:
    """Return a form of an older format as one of the target's, to be compared with `beside`."""
    for number in range(written, target):
        form = UPGRADES[number](form, beside)
    return form


def _same(one: Any, other: Any) -> bool:
    if is_digest(one) != is_digest(other) and one is not None and other is not None:
        return bool(digest(one) == digest(other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)

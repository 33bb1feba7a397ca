"""An item as the portal answers it -> its canonical form, which is stored and compared.

Pure. Two readings of an unchanged item have the same form, whoever read it, however it was asked
for and in whichever order the answer came; DECISIONS.md gives the reason of each rule.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from relay.field_names import camel_case
from relay.kinds import ACTIVITY, TASK
from relay.portal.api import Result
from relay.tracking.commands import ACTIVITY_FIELDS, LINKS, RESULT_FIELDS, TASK_FIELDS, Item, named
from relay.unsendable import IN_JSON

type Form = dict[str, Result]

# The format of rows. A new one needs an entry in UPGRADES under the number of the one before it:
# (a form of that format, the newer form that it is compared with) -> the form in the next format.
# A field that was not stored until then must be taken from the newer form: it did not change.
FORMAT = 1
UPGRADES: dict[int, Callable[[Form, Form], Form]] = {}

# Not stored: made by the portal from other fields, or a short form of another field.
_DERIVED = {"searchContent", "entityTypeId", "shortName"}
_ACTIVITY_NAMES = named(ACTIVITY, dict.fromkeys(ACTIVITY_FIELDS)).keys()
_ACTIVITY_NUMBERS = {
    *("id", "ownerId", "ownerTypeId", "typeId", "associatedEntityId", "responsibleId"),
    *("authorId", "editorId", "status", "priority", "direction"),
}
_TASK_NAMES = RESULT_FIELDS | {camel_case(name) for name in TASK_FIELDS}

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
# Numbers of other objects: 0 stands for none. A funnel's number (categoryId) may be 0.
_LINK = re.compile(
    r"(company|contact|lead|deal|quote|mycompany|webform|product|location|group|flow|parent)Id"
    r"|parentId\d+|PARENT_ID_\d+|(created|updated|moved|closed|changed|statusChanged)By"
    r"|assignedById|lastActivityBy"
)
_NUMBER = re.compile(r"-?\d{1,18}")
DIGEST = "$sha256"  # stands for a value that was too large to store


def project(entity: str, item: Item) -> Form:
    """Return an item's canonical form: without empty values, each value in one spelling."""
    form = {}
    for name in sorted(item):
        if entity == TASK and name not in _TASK_NAMES and not name.startswith("uf"):
            continue
        if entity == ACTIVITY and name not in _ACTIVITY_NAMES:
            continue
        if name in _DERIVED or name.endswith("Short"):
            continue
        value = _tags(item[name]) if name == "tags" and entity == TASK else item[name]
        value = canonical(value)
        if _LINK.fullmatch(name) or (entity == ACTIVITY and name in _ACTIVITY_NUMBERS):
            value = _link(value)
        if value is not None:
            form[name] = value
    return form


def is_template(item: Item) -> bool:
    """Say whether an item only serves to make others from (recurring deals and invoices)."""
    return item.get("isRecurring") == "Y"


def links(item: Item) -> str:
    """Return the contact and the company of an item as one text; empty if it shows neither."""
    shown = [name for name in LINKS if name in item]
    return " ".join(f"{name}={_link(item[name]) or ''}" for name in shown)


def canonical(value: Result) -> Result:
    """Return a value in its one spelling; None for an empty value."""
    if isinstance(value, str):
        return canonical_text(value) or None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        kept = [one for one in map(canonical, value) if one is not None]
        return sorted(kept, key=_order) or None
    if isinstance(value, dict):
        if "id" in value and any("url" in name.lower() for name in value):
            return canonical(value["id"])  # a file: its addresses hold the webhook's secret
        kept_fields = {
            canonical_text(name): canonical(value[name])
            for name in sorted(value)
            if "url" not in name.lower()
        }
        return {name: one for name, one in kept_fields.items() if one is not None} or None
    return None if value is False else value


def canonical_text(text: str) -> str:
    """Return a time in UTC; any other text as it is, without what JSON can't hold."""
    if _DATE_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            return text
    return IN_JSON.sub("\ufffd", text)


def _link(value: object) -> object:
    """Return the number of a linked object; the portal answers some numbers as text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    return None if value == 0 else value


def _tags(value: Result) -> list[Result]:
    """Return a task's tags by their titles: `{"35": {"id": 35, "title": "x"}}` in an answer."""
    tags = value.values() if isinstance(value, dict) else value or []
    return [tag.get("title") if isinstance(tag, dict) else tag for tag in tags]


def _order(value: object) -> tuple[int, float, str]:
    """Return a key that orders any values; a list of a field's values is a set to the portal."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0, value, ""
    return 1, 0, canonical_json(value)


def canonical_json(value: object) -> str:
    """Return the one text of a canonical form or value."""
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


def digest(value: object) -> object:
    """Return the digest of a value that is too large; a digest stays as it is."""
    if is_digest(value):
        return value
    return {DIGEST: sha256(canonical_json(value).encode()).hexdigest()}


def is_digest(value: object) -> bool:
    """Say whether a value was too large to store."""
    return isinstance(value, dict) and DIGEST in value


def names_digest(item: Item) -> str:
    """Return 8 characters that stand for the names of an item's fields, empty ones included."""
    return sha256("\n".join(sorted(item)).encode("utf-8", "replace")).hexdigest()[:8]


def upgrade(form: Form, written: int, beside: Form, target: int) -> Form:
    """Return a form of format `written` in format `target`, to be compared with `beside`."""
    for number in range(written, target):
        form = UPGRADES[number](form, beside)
    return form

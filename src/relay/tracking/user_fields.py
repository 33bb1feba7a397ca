"""The two spellings of a user field's name. Pure.

A portal that did not know `useOriginalUfNames` answers the other spelling once it was updated.
"""

from relay.field_names import plain
from relay.tracking.projection import Form


def with_names_of(after: Form, before: Form) -> Form:
    """Return a form with the names that user fields have in a later one: UF_CRM_1, ufCrm_1."""
    twins: dict[str, str] = {}
    for name in after.keys() - before.keys():
        twins[_flat(name)] = "" if _flat(name) in twins else name  # empty where two are alike
    twins[""] = ""
    return {
        name if name in after else twins.get(_flat(name)) or name: value
        for name, value in before.items()
    }


def _flat(name: str) -> str:
    """Return what both spellings of a user field have in common; empty for any other field."""
    flat = plain(name)
    return flat if flat.startswith("uf") else ""

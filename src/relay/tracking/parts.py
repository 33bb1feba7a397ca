"""The parts of an item that other methods than its own list return, and which of them are read.

The setting `PARTS` names parts, for all kinds that have them or for one: `steps,deal.products`;
`none` switches all off.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from relay.errors import ConfigurationError
from relay.kinds import ACTIVITY, FIRST_DYNAMIC, OPTIONAL_KINDS, kind_of
from relay.product_rows import PRODUCT_ROWS
from relay.tracking.commands import RESULT_FIELDS

STEPS = "steps"  # the moves from stage to stage, out of the portal's history
PRODUCTS = "products"  # the product rows
REQUISITES = "requisites"  # of companies and contacts, with their bank details
CONTACTS = "contacts"  # the contacts of a deal, lead or quote, with their roles and order
ACTIVITIES = "activities"  # calls, e-mails, to-dos, meetings: a kind of its own
NONE = "none"

# Events about them are hints of their owners; they are no items themselves.
REQUISITE, BANK_DETAIL = "requisite", "bank_detail"
REQUISITE_OWNERS = {3: "contact", 4: "company"}  # by entityTypeId

# Of parts that are fields.
FIELD_OF_PART = {
    PRODUCTS: PRODUCT_ROWS,
    REQUISITES: "requisites",
    CONTACTS: "contactBindings",
}
# Whether a task has a result: in its list, but in no other answer.
RESULTS = "results"
PART_OF_FIELD = {name: part for part, name in FIELD_OF_PART.items()}
PART_OF_FIELD |= dict.fromkeys(RESULT_FIELDS, RESULTS)
# Their changes move nothing of the item: items of kinds that have them are all read once a day.
UNHINTED = {REQUISITES, CONTACTS}


def _has_steps(entity: str) -> bool:
    # crm.stagehistory.list refuses quotes, contacts and companies.
    number = kind_of(entity).entity_type_id or 0
    return number in {1, 2, 31} or number >= FIRST_DYNAMIC


def _has_products(entity: str) -> bool:
    return bool(kind_of(entity).owner_code)


_PARTS: Mapping[str, Callable[[str], bool]] = {
    STEPS: _has_steps,
    PRODUCTS: _has_products,
    REQUISITES: lambda entity: kind_of(entity).name in REQUISITE_OWNERS.values(),
    CONTACTS: lambda entity: kind_of(entity).name in {"deal", "lead", "quote"},
    ACTIVITIES: lambda _entity: False,  # no part of other kinds
}


class PartsSetting(NamedTuple):
    """Which parts are read: of each kind that has them, and of single kinds."""

    everywhere: frozenset[str] = frozenset()
    by_kind: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    @cache
    def parse(cls, text: str) -> "PartsSetting":
        """Return the setting of a text; raises ConfigurationError that names all wrong entries."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        if entries == [NONE]:
            return cls()
        wrong = [entry for entry in entries if not _is_valid(entry)]
        if wrong or not entries:
            names = ", ".join(_PARTS)
            raise ConfigurationError(
                f"Parts: {', '.join(wrong) or 'empty'}; give `none`, or of {names} what is to be "
                "read, with a kind that has it before a dot for this kind alone: `deal.products`"
            )
        pairs = [tuple(entry.split(".")) for entry in entries]
        return cls(
            frozenset(pair[0] for pair in pairs if len(pair) == 1),
            frozenset((pair[0], pair[1]) for pair in pairs if len(pair) > 1),
        )

    @property
    def kinds(self) -> frozenset[str]:
        """Return the optional kinds that are mirrored."""
        return frozenset({ACTIVITY} if ACTIVITIES in self.everywhere else ())

    def mirrors(self, entity: str) -> bool:
        """Say whether hints of a kind are heeded; those of most are in any case."""
        if entity in {REQUISITE, BANK_DETAIL}:
            return any(REQUISITES in self.of(owner) for owner in REQUISITE_OWNERS.values())
        return entity not in OPTIONAL_KINDS or entity in self.kinds

    def of(self, entity: str) -> frozenset[str]:
        """Return the parts that are read of a kind."""
        return frozenset(
            part
            for part, has in _PARTS.items()
            if (part in self.everywhere and has(entity)) or (entity, part) in self.by_kind
        )


NOTHING = PartsSetting()


def _is_valid(entry: str) -> bool:
    entity, dot, part = entry.rpartition(".")
    if part not in _PARTS:
        return False
    try:
        return not dot or _PARTS[part](entity)
    except KeyError:  # no such kind
        return False

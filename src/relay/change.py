"""A change: what differs in a portal. Announce publishes it on the Changes topic."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from relay.cloudevent import Envelope, Parsed
from relay.errors import NotOursError
from relay.field_names import check_spelling
from relay.kinds import kind_of
from relay.product_rows import PRODUCT_ROWS, RowChanges, compare_rows

TYPE_PREFIX = "com.bitrix24."
ACTIONS = ("added", "updated", "deleted")
# The fields of a change that are members of `data` in its CloudEvent; lists come back as tuples.
_LISTS = ("changed", "steps", "passed", "truncated")
_MEMBERS = {"entity": "entity", "entity_type_id": "entityTypeId"} | {
    name: name for name in ("id", "action", "version", "origin", "via", *_LISTS, "before", "after")
}
# These fields are no difference by themselves: they follow every edit, or move without one.
VOLATILE = {
    *("updatedTime", "updatedBy", "changedDate", "changedBy", "activityDate"),
    *("lastUpdated", "editorId"),  # of an activity
}
VOLATILE_PREFIXES = ("lastActivity", "lastCommunication")


def is_volatile(name: str) -> bool:
    """Say whether a field follows edits rather than being one."""
    return name in VOLATILE or name.startswith(VOLATILE_PREFIXES)


def _is(value: Parsed, wanted: object) -> bool:
    """Return whether a field has a value that is asked for; `...` stands for any."""
    if {type(value), type(wanted)} == {int, str}:
        return str(value) == str(wanted)
    return wanted is ... or value == wanted


class Fields(dict[str, Parsed]):
    """An item's fields. An empty field is not stored; it reads as None."""

    def __missing__(self, name: str) -> None:
        """Read an empty field; raises SpellingError for one that has another spelling here."""
        check_spelling(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An item was added, updated or deleted, with the fields that changed."""

    change_id: str  # the change's own, the same however often AWS delivers it
    portal: str
    entity: str
    entity_type_id: int | None
    id: str
    action: str  # one of ACTIONS
    version: int  # the number of the item's reading: a higher one is later
    time: str  # of the reading, ISO 8601
    origin: str = "portal"  # `relay` where a reaction wrote the change
    via: str = "event"  # the reason for the reading: `event` or `sweep`
    # The names of the fields that differ; of an added item all that are set, as the state that an
    # item is born with is a change of that field.
    changed: tuple[str, ...] = ()
    # `before` has the changed fields only: all of a deleted item, none of an added one. `after` has
    # all fields, none of a deleted item.
    before: Mapping[str, Parsed] = field(default_factory=Fields)
    after: Mapping[str, Parsed] = field(default_factory=Fields)
    # The moves from stage to stage since the last reading, oldest first: {"stageId", "categoryId",
    # "at"}. A move may come before or after the change of `stageId`, and each comes once.
    steps: tuple[Mapping[str, Parsed], ...] = ()
    passed: tuple[str, ...] = ()  # the stage ids of `steps`, each once
    # The names of fields that did not fit, and are in neither. `*` at the end of `truncated` or
    # `changed` stands for names that did not fit either.
    truncated: tuple[str, ...] = ()
    # Set by announce for the history, and not published: which reaction wrote it.
    reaction: str = field(default="", compare=False)
    # Set where a reaction runs; they are not published.
    portal_host: str = field(default="", compare=False)
    superseded: bool = field(default=False, compare=False)  # a later change was handled
    # Returns the item's changes before this one, the newest first, at most so many.
    past: "Callable[[int], Awaitable[Sequence[Change]]] | None" = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        """Let the plain dicts of a test read empty fields as None, as in production."""
        object.__setattr__(self, "before", Fields(self.before))
        object.__setattr__(self, "after", Fields(self.after))

    @property
    def subject(self) -> str:
        """The item, `deal/662`."""
        return f"{self.entity}/{self.id}"

    @property
    def portal_url(self) -> str:
        """The item's page in the portal; empty where its host is not known, or it has no page."""
        if not (self.portal_host and kind_of(self.entity).page):
            return ""
        return f"https://{self.portal_host}{kind_of(self.entity).page}".format(self.id)

    def moved(self, name: str, *, to: object = ..., from_: object = ...) -> bool:
        """Return whether a field changed: to this value and from that value, where they are given.

        The fields of an added item changed from None. The whole number 5 and the text "5" are one
        value: the portal has both. Raises KeyError for a field that has another
        spelling here.
        """
        if name not in self.changed:
            check_spelling([*self.changed, *self.after], name)
            return False
        return _is(self.after.get(name), to) and _is(self.before.get(name), from_)

    async def history(self, limit: int = 10) -> "list[Change]":
        """Return the item's changes before this one, the newest first, at most `limit`.

        They come from the stack's own history, without a request to the portal; `after` has all
        fields as they were after each. The reaction's mapping entry must have `History: <kind>`.
        Raises ConfigurationError without it, StateError where the table does not answer. In a test
        it is what `past` returns, nothing without one.
        """
        return list(await self.past(limit)) if self.past else []

    @property
    def row_changes(self) -> RowChanges:
        """The product rows that were added, changed and removed: of an added item all are added.

        Empty where `productRows` did not change, and where it is among `truncated`.
        """
        if self.action == "updated" and PRODUCT_ROWS not in self.changed:
            return RowChanges([], [], [])
        return compare_rows(self.before.get(PRODUCT_ROWS), self.after.get(PRODUCT_ROWS))

    def to_json(self) -> str:
        """Return the change as a CloudEvent."""
        data = {member: getattr(self, name) for name, member in _MEMBERS.items()}
        if not self.truncated:
            del data["truncated"]
        type_name = f"{TYPE_PREFIX}{self.entity}.{self.action}"
        return Envelope(
            self.change_id, self.portal, type_name, self.time, data, self.subject
        ).to_json()

    @classmethod
    def from_cloudevent(cls, cloudevent: Mapping[str, Parsed]) -> Self:
        """Return the change that `to_json` wrote; raises NotOursError for another document."""
        envelope = Envelope.of(cloudevent, TYPE_PREFIX)
        data = {"steps": (), "passed": (), "truncated": (), **envelope.data}
        version, action = data.get("version"), data.get("action")
        if type(version) is not int:  # it orders an item's changes
            raise NotOursError(f"version is {version!r}, not a number")
        if action not in ACTIONS:
            raise NotOursError(f"action is {action!r}, not one of {', '.join(ACTIONS)}")
        try:
            members = {name: data[member] for name, member in _MEMBERS.items()}
            members |= {name: tuple(members[name]) for name in _LISTS}
            return cls(
                change_id=envelope.unique_id, portal=envelope.portal, time=envelope.time, **members
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NotOursError(f"not a change of this relay: {error!r}") from error

"""Random edits of a portal's deals, as people make them, and the history of each deal."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from local.demo import DemoPortal
from local.ordeal.guest import ASK, DEAL, FIELD, LEAD
from local.ordeal.listing import deals

FIELDS = ("title", "stageId", "opportunity", "comments")
STAGES = ("NEW", "PREPARATION", "EXECUTING", "WON", "WON")
HOT = 12  # deals that get half of the edits; their titles return: A -> B -> A
MIN_DEALS = 60  # that are left undeleted
# The first user is the webhook's: the edits of that user are a person's as well.
PEOPLE = (1, 2, 3)
# Texts that a batch would take for references to its results.
HOSTILE = (
    "$result[c0][item][title]",
    "$RESULT[c1]",
    "$total[x]",
    "$next[c0]",
    "$error[c0]",
    "50 % $result[",
)
HUGE = (100_000, 1_000_000)  # characters

type EditedFields = tuple[Any, ...]  # the values of FIELDS


class Editor:
    """Makes one random edit at a time.

    `done` counts the edits by kind, `history` holds the states of each deal in order, `silent` the
    deals whose last edit sends no event.
    """

    def __init__(self, portal: DemoPortal, dice: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.history: dict[int, list[EditedFields]] = {}
        self.silent: set[int] = set()
        self._portal, self._dice = portal, dice
        self._alive: list[int] = []
        self._won: set[int] = set()
        for item in deals(portal):
            self._note(item)
        self._weights = {
            self._rename: 52,
            self._price: 12,
            self._comment: 7,
            self._ask_guest: 1,
            self._comment_much: 0.3,
            self._describe: 4,
            self._convert: 1,
            self._move: 20,
            self._add: 10,
            self._delete: 4,
            self._delete_silently: 1,
            self._merge: 1,
            self._restore: 1,
        }

    def edit(self, *, may_win: bool = True) -> None:
        """Make one edit; without `may_win` no deal is moved to another stage."""
        (edit,) = self._dice.choices(list(self._weights), list(self._weights.values()))
        if edit == self._move and not may_win:
            edit = self._rename
        edit()

    def rename_hot(self) -> None:
        """Give one of the deals that are edited often one of three titles."""
        self._edit(self._dice.choice(self._alive[:HOT]), title=self._dice.choice("abc"))

    def _rename(self) -> None:
        if self._dice.random() < 0.5:  # noqa: PLR2004  half of them
            self.rename_hot()
        else:
            self._edit(self._dice.choice(self._alive), title=f"{self._text()} deal")

    def _price(self) -> None:
        self._edit(self._dice.choice(self._alive), opportunity=self._dice.randint(1, 9999))

    def _comment(self) -> None:
        self._edit(self._cool_deal(), comments=self._dice.choice(["", self._text(), self._text()]))

    def _ask_guest(self) -> None:
        """Write the comment for which the guest makes a lead."""
        self._edit(self._cool_deal(), comments=f"{ASK} {self._text()}")

    def _comment_much(self) -> None:
        text = f"{self._text()} " * (self._dice.randint(*HUGE) // 10)
        self._edit(self._cool_deal(), comments=text.strip())
        self.done["huge values"] += 1

    def _describe(self) -> None:
        """Edit the field that the guest writes to as well."""
        self._edit(self._cool_deal(), **{FIELD: f"by a person: {self._text()}"})
        self.done["edits of a reaction's field"] += 1

    def _convert(self) -> None:
        """Convert one of the guest's leads, or a new one."""
        leads = self._call(
            "crm.item.list", entityTypeId=LEAD, filter={"!=stageId": "CONVERTED"}, start=-1
        )["items"]
        fields = {"title": self._text()}
        lead = leads[0] if leads else self._call("crm.item.add", entityTypeId=LEAD, fields=fields)
        number = lead.get("item", lead)["id"]
        made = self._portal.admin("convert", id=number, user=self._dice.choice(PEOPLE))["deal"]
        self._note(self._call("crm.item.get", id=made)["item"])
        self.done["leads converted"] += 1

    def _text(self) -> str:
        """Return a new text; three of ten look like references of a batch."""
        hostile = self._dice.choice(HOSTILE) if self._dice.random() < 0.3 else "text"  # noqa: PLR2004
        return f"{hostile} {self._dice.randrange(10**6)}"

    def _cool_deal(self) -> int:
        """Return a deal that is not hot: a reaction may write 100 times an hour to an item."""
        return self._dice.choice(self._alive[HOT:])

    def _move(self) -> None:
        self._edit(self._dice.choice(self._alive), stageId=self._dice.choice(STAGES))

    def _add(self) -> None:
        fields = {"title": f"deal {self._dice.randrange(10**6)}", "assignedById": 2}
        self._note(self._call("crm.item.add", fields=fields)["item"])
        self.done["added"] += 1

    def _delete(self) -> None:
        if number := self._victim():
            self._call("crm.item.delete", id=number)
            self._gone(number)
            self.silent.discard(number)

    def _delete_silently(self) -> None:
        if number := self._victim():
            self._portal.admin("delete", entityTypeId=DEAL, ids=[number])
            self._gone(number)
            self.silent.add(number)

    def _merge(self) -> None:
        first, other = self._dice.choice(self._alive[HOT:]), self._victim()
        if other and other != first:
            self._portal.admin("merge", entityTypeId=DEAL, ids=[first, other])
            self._note(self._call("crm.item.get", id=first)["item"])
            self._gone(other)
            self.silent |= {first, other}

    def _restore(self) -> None:
        for found in self._portal.admin("recycle-bin", "GET")[:1]:
            number = self._portal.admin("restore", id=found["id"])["id"]
            self._note(self._call("crm.item.get", id=number)["item"])
            self.done["restored"] += 1

    def _edit(self, number: int, **fields: Any) -> None:
        item = self._call("crm.item.update", id=number, fields=fields)["item"]
        if self._note(item):
            self.done["edited"] += 1
            self.silent.discard(number)

    def _call(self, method: str, **params: Any) -> Any:
        params = {"entityTypeId": DEAL} | params
        user = self._dice.choice(PEOPLE)
        return self._portal.admin("call", method=method, params=params, user=user)["result"]

    def _victim(self) -> int | None:
        """Return a deal that may be deleted, or None; won ones stay: their effects are counted."""
        spare = [number for number in self._alive[HOT:] if number not in self._won]
        return self._dice.choice(spare) if len(spare) > MIN_DEALS else None

    def _note(self, item: dict[str, Any]) -> bool:
        """Add a deal's state to its history; return whether it is new."""
        number, state = item["id"], edited_fields(item)
        states = self.history.setdefault(number, [])
        if not states:
            self._alive.append(number)
        if item["stageId"] == "WON":
            self._won.add(number)
        if states and states[-1] == state:
            return False
        states.append(state)
        return True

    def _gone(self, number: int) -> None:
        self._alive.remove(number)
        self.done["deleted"] += 1


def edited_fields(fields: Mapping[str, Any]) -> EditedFields:
    """Return the values of FIELDS; an empty one is None, whatever its spelling."""
    return tuple(fields.get(name) or None for name in FIELDS)

"""What people do to deals in a portal, at random, and the truth of it.

`history` holds every state that a deal has had, in order, by the fields that are edited here;
`silent` are the deals of whose last change no event tells.
"""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from local.demo import DemoPortal
from local.ordeal.guest import ASK, DEAL, FIELD, LEAD
from local.ordeal.listing import deals

FIELDS = ("title", "stageId", "opportunity", "comments")
STAGES = ("NEW", "PREPARATION", "EXECUTING", "WON", "WON")
HOT = 12  # deals that get half of the edits; their titles come again: A -> B -> A
FEWEST = 60  # deals that are left alive
# The first user is the webhook's: what that one does is a person's act as well.
PEOPLE = (1, 2, 3)
# What a batch would take for a reference to one of its results.
HOSTILE = (
    "$result[c0][item][title]",
    "$RESULT[c1]",
    "$total[x]",
    "$next[c0]",
    "$error[c0]",
    "50 % $result[",
)
HUGE = (100_000, 1_000_000)  # characters

type State = tuple[Any, ...]


class Acts:
    """One person who does one thing at a time; `done` counts what was changed."""

    def __init__(self, portal: DemoPortal, dice: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.history: dict[int, list[State]] = {}
        self.silent: set[int] = set()
        self._portal, self._dice = portal, dice
        self._alive: list[int] = []
        self._won: set[int] = set()
        for item in deals(portal):
            self._note(item)
        self._acts = {
            self._rename: 52,
            self._price: 12,
            self._say: 7,
            self._ask: 1,
            self._say_much: 0.3,
            self._describe: 4,
            self._convert: 1,
            self._move: 20,
            self._add: 10,
            self._delete: 4,
            self._delete_silently: 1,
            self._merge: 1,
            self._restore: 1,
        }

    def one(self, *, may_move: bool = True) -> None:
        """Do one thing; without `may_move` no deal reaches another stage."""
        (act,) = self._dice.choices(list(self._acts), list(self._acts.values()))
        if act == self._move and not may_move:
            act = self._rename
        act()

    def rename_hot(self) -> None:
        """Give a deal that is edited often one of a few titles."""
        self._edit(self._dice.choice(self._alive[:HOT]), title=self._dice.choice("abc"))

    def _rename(self) -> None:
        if self._dice.random() < 0.5:  # noqa: PLR2004  half of them
            self.rename_hot()
        else:
            self._edit(self._dice.choice(self._alive), title=f"{self._text()} deal")

    def _price(self) -> None:
        self._edit(self._dice.choice(self._alive), opportunity=self._dice.randint(1, 9999))

    def _say(self) -> None:
        self._edit(self._cool(), comments=self._dice.choice(["", self._text(), self._text()]))

    def _ask(self) -> None:
        """Ask the guest for a lead."""
        self._edit(self._cool(), comments=f"{ASK} {self._text()}")

    def _say_much(self) -> None:
        text = f"{self._text()} " * (self._dice.randint(*HUGE) // 10)
        self._edit(self._cool(), comments=text.strip())
        self.done["huge values"] += 1

    def _describe(self) -> None:
        """Edit the field that the guest writes to."""
        self._edit(self._cool(), **{FIELD: f"by a person: {self._text()}"})
        self.done["edits of a reaction's field"] += 1

    def _convert(self) -> None:
        """Convert a lead that the guest has made, or a person's."""
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
        """Return a new text, hostile at times."""
        hostile = self._dice.choice(HOSTILE) if self._dice.random() < 0.3 else "text"  # noqa: PLR2004
        return f"{hostile} {self._dice.randrange(10**6)}"

    def _cool(self) -> int:
        """Return a deal that is not edited often: a reaction may write a hundred times an hour."""
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
        """Choose a deal to lose: a won one is kept, so that its effects can be counted."""
        spare = [number for number in self._alive[HOT:] if number not in self._won]
        return self._dice.choice(spare) if len(spare) > FEWEST else None

    def _note(self, item: dict[str, Any]) -> bool:
        """Take in how a deal is now; says whether that is new."""
        number, state = item["id"], state_of(item)
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


def state_of(fields: Mapping[str, Any]) -> State:
    """Return the fields that are edited here; an empty one is None, however it is spelt."""
    return tuple(fields.get(name) or None for name in FIELDS)

"""Writes of the State table: a row that is stored whole, or changed, under which conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.aws_types import Item


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in DynamoDB's words, with the names and values that its request uses.

    An empty expression is no condition.
    """

    expression: str
    names: dict[str, str] = field(default_factory=dict)
    values: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on the row with a key, which is not written."""

    key: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Put:
    """A row to be stored whole; `checks` are conditions on other rows, for one with a condition."""

    item: Item
    condition: Condition | None = None
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """A change of the row with a key; `condition` has the names and values of `change` too."""

    key: str
    change: str
    condition: Condition


type Write = Put | Update
type Errors = list[Exception | None]  # of each write in its order, None where it is stored

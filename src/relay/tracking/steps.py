"""Rows of the portal's stage history -> the steps of an item that were not announced yet. Pure.

A row of the mirror notes which ids of the history were announced: all up to `floor`, and some above
it. Other ids are new. So a step that becomes visible after one with a higher id is still announced,
and a row that vanishes from the history changes nothing.
  floor       moves up to an id that a sweep found settled: no lower id can appear any more
  above       other announced ids; the put of a row is conditional, so one version announces a step
  not read    the log stays as it is, and the steps are announced by a later reading
Facts: crm.stagehistory.list, more-methods section 1.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from relay.portal.api import Json
from relay.tracking.commands import Item
from relay.tracking.projection import canonical_text

HISTORY_METHOD = "crm.stagehistory.list"
# Of one version; the oldest beyond it are left out, and the Change says so.
MOST_STEPS = 1000
# Ids above the floor that a row keeps. Sweeps move the floor every few minutes.
MOST_ABOVE = 2000


class Step(NamedTuple):
    """One move to a stage; `id` is the history's own."""

    id: int
    stage: str
    category: int | None  # the funnel; None for leads, which have none
    at: str

    @classmethod
    def of(cls, row: Item) -> "Step":
        """Return the step in a row of the history, whose ids may be texts."""
        lead = "STAGE_ID" not in row
        stage = row["STATUS_ID"] if lead else row["STAGE_ID"]
        category = None if lead else int(row.get("CATEGORY_ID") or 0)
        return cls(int(row["ID"]), str(stage), category, canonical_text(str(row["CREATED_TIME"])))

    def to_json(self) -> dict[str, Json]:
        """Return the step as a Change has it."""
        return {"stageId": self.stage, "categoryId": self.category, "at": self.at}


class StepLog(NamedTuple):
    """Which ids of the history were announced: all up to `floor`, and those in `above`."""

    floor: int = 0
    above: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "StepLog":
        """Return a stored log."""
        floor, *above = map(int, text.split())
        return cls(floor, tuple(above))

    def to_text(self) -> str:
        """Return the log as it is stored."""
        return " ".join(map(str, (self.floor, *self.above)))

    def has(self, step_id: int) -> bool:
        """Say whether a step was announced."""
        return step_id <= self.floor or step_id in self.above


def merge(log: StepLog, steps: Iterable[Step], settled: int) -> tuple[list[Step], StepLog]:
    """Return the steps to announce, in order, and the log once they are announced.

    `steps` are all that are visible above the log's floor; `settled` is an id that was settled
    before they were read.
    """
    new = sorted({step.id: step for step in steps if not log.has(step.id)}.values())
    floor = max(log.floor, settled)
    above = sorted(one for one in {*log.above, *(step.id for step in new)} if one > floor)
    if len(above) > MOST_ABOVE:
        floor, above = above[-MOST_ABOVE - 1], above[-MOST_ABOVE:]
    return new, StepLog(floor, tuple(above))


def to_text(steps: Sequence[Step]) -> str:
    """Return steps as they are stored, the newest MOST_STEPS; empty for none."""
    kept = [list(step) for step in steps[-MOST_STEPS:]]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if kept else ""


def parse(text: str) -> tuple[Step, ...]:
    """Return stored steps."""
    return tuple(Step(*one) for one in json.loads(text)) if text else ()

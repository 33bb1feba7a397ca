"""Fields of a write that the portal ignores: it takes any name, and says nothing. Pure."""

import difflib
from collections.abc import Iterator

from relay.echo.calls import Finished
from relay.echo.effects import is_map
from relay.field_names import plain

_ALIKE = 0.8  # the share of equal letters: `stage`, `stageId`
_LEFT_OUT = {"fm"}  # of answers to some versions


def ignored_fields(done: Finished) -> Iterator[tuple[str, str]]:
    """Yield the fields that a write sets and its answer does not have, each with what it may mean.

    `crm.item.*` answers all fields of the item. A task's methods leave some out: of these only
    what resembles another field counts.
    """
    answer, fields = done.result, done.params.get("fields")
    item = answer.get("item", answer.get("task")) if is_map(answer) else None
    if not is_map(answer) or not is_map(item) or not item or not is_map(fields):
        return
    names = {plain(name): name for name in item}
    for name in fields.keys() - _LEFT_OUT:
        close = difflib.get_close_matches(plain(name), names, 1, _ALIKE)
        if plain(name) not in names and (close or "item" in answer):
            meant = f"; did you mean {names[close[0]]}?" if close else ""
            yield name, f"the answer has no such field{meant}"

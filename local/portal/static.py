"""Methods that answer the same to everybody: enumerations and other lists that no call changes.

`data/answers.toml` has them by name: `enum` holds lines of id, name and the two codes, parted by
bars; `result` holds the answer itself, and `total` what stands beside it. `data/applications.toml`
has what webhooks may not: `refuse` an error as `code|text|status`, `names` the methods that answer
with it. `data/manifests.json` has what the older methods of tasks tell of themselves. A function of
the same name comes before all of these.
"""

import json
import tomllib
from functools import partial
from typing import Any

from local.portal.call import METHODS, Call, Method
from local.portal.errors import RestError
from local.portal.listing import Page
from local.portal.schema import DATA
from local.portal.table import Row
from local.portal.tokens import fill

_FILES = ("answers.toml", "applications.toml")
ANSWERS: Row = {
    name: data
    for file in _FILES
    for name, data in tomllib.loads((DATA / file).read_text(encoding="utf-8")).items()
}
MANIFESTS: Row = json.loads((DATA / "manifests.json").read_text(encoding="utf-8"))
_CODES = ("SYMBOL_CODE", "SYMBOL_CODE_SHORT")


def enum_of(name: str) -> list[Row]:
    """Return the rows of an enumeration; none of what is no enumeration."""
    return [_row(line) for line in ANSWERS[name].get("enum", "").strip().splitlines()]


def _row(line: str) -> Row:
    number, name, *codes = (part.strip() for part in line.split("|"))
    return {"ID": int(number), "NAME": name} | dict(zip(_CODES, codes or (None, None), strict=True))


def _answer(result: Any, call: Call, *, total: int | None = None) -> Any:
    if total is not None:
        return Page(_answer(result, call), total)
    if isinstance(result, dict):
        return {name: _answer(value, call) for name, value in result.items()}
    if isinstance(result, list):
        return [_answer(value, call) for value in result]
    return fill(call, result, 0)


def _refuse(error: str, call: Call) -> Any:
    code, text, status = error.split("|")
    raise RestError(code, text, int(status or call.portal.settings.app_only_status))


def register_answers() -> None:
    """Make a method of each."""
    for name, result in MANIFESTS.items():
        METHODS.setdefault(name.lower(), Method(name, "task", partial(_answer, result)))
    for name, data in ANSWERS.items():
        for one in data.get("names", "").split():
            METHODS[one.lower()] = Method(one, "basic", partial(_refuse, data["refuse"]))
        if "refuse" in data:
            continue
        result = data.get("result") if "result" in data else enum_of(name)
        scope = data.get("scope", name.partition(".")[0])
        total = data.get("total")
        METHODS.setdefault(name.lower(), Method(name, scope, partial(_answer, result, total=total)))

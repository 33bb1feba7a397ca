"""Faults on demand: every error of the table, before or after execution, for a share or a time."""

import random
import time
import tomllib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from local.portal.errors import RestError
from local.portal.family import Family
from local.portal.schema import DATA

if TYPE_CHECKING:
    from local.portal.portal import Portal

_DATA = tomllib.loads((DATA / "faults.toml").read_text(encoding="utf-8"))
# kind: status, code, text
ERRORS: dict[str, tuple[int, str, str]] = {
    kind: (int(status), code, text)
    for kind, (status, code, text) in ((k, row.split("|")) for k, row in _DATA["errors"].items())
}
TRANSPORT: dict[str, str] = _DATA["transport"]
_OF_ERRORS = ("code", "text", "status")
_GIVEN = dict.fromkeys(
    ("kind", "method", "share", "times", "for_seconds", "when", "seconds", *_OF_ERRORS)
)


def _of_section(method: str) -> str | None:
    names = method.split(".")
    keys = (".".join(names[:size]) for size in range(len(names), 0, -1))
    return next((_DATA["failed"][key] for key in keys if key in _DATA["failed"]), None)


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, how often and how long."""

    id: int
    kind: str
    method: str = "*"
    share: float = 1.0
    times: int | None = None
    until: float | None = None  # monotonic
    when: str = "before"
    seconds: float = 1.0
    code: str | int | None = None  # what is answered, where the kind alone does not say it
    text: str | None = None
    status: int | None = None
    hits: int = 0

    def strikes(self, method: str, when: str, generator: random.Random) -> bool:
        """Decide for one call, and count it."""
        if self.when != when or self.spent or not self._matches(method):
            return False
        if self.share < 1 and generator.random() >= self.share:
            return False
        self.hits += 1
        return True

    def _matches(self, method: str) -> bool:
        if self.method.endswith("*"):
            return method.startswith(self.method[:-1].lower())
        return method == self.method.lower()

    @property
    def spent(self) -> bool:
        """Whether it has happened often or long enough."""
        used = self.times is not None and self.hits >= self.times
        return used or (self.until is not None and time.monotonic() >= self.until)

    def error(self, method: str) -> RestError:
        """The error answer of a kind that is one."""
        status, code, text = ERRORS[self.kind]
        if self.kind == "failed" and (own := _of_section(method)):
            status, (code, text) = HTTPStatus.BAD_REQUEST, own.split("|")
        if self.code is not None:
            status, code, text = HTTPStatus.BAD_REQUEST, str(self.code), ""
        text = text if self.text is None else self.text
        return RestError(Family.code_of(code), text, self.status or status)

    def to_dict(self) -> dict[str, Any]:
        """As the page shows it."""
        left = None if self.until is None else max(0.0, self.until - time.monotonic())
        return asdict(self) | {"left": left}


def make_fault(number: int, given: dict[str, Any]) -> Fault:
    """Read a fault from JSON; ValueError says what is wrong with it."""
    kind = str(given.get("kind", ""))
    if kind not in ERRORS and kind not in TRANSPORT:
        raise ValueError(f"unknown kind {kind!r}; there are {', '.join([*ERRORS, *TRANSPORT])}")
    if unknown := sorted(given.keys() - _GIVEN):
        raise ValueError(f"a fault has no {unknown[0]!r}; there are {', '.join(_GIVEN)}")
    when = str(given.get("when", "before"))
    if when not in {"before", "after"}:
        raise ValueError("when must be before or after")
    share = float(given.get("share", 1.0))
    if not 0 <= share <= 1:
        raise ValueError("share must be from 0 to 1")
    times, lasts = given.get("times"), given.get("for_seconds")
    return Fault(
        id=number,
        kind=kind,
        method=str(given.get("method", "*")),
        share=share,
        times=None if times is None else int(times),
        until=None if lasts is None else time.monotonic() + float(lasts),
        when=when,
        seconds=float(given.get("seconds", 1.0)),
        **{name: given[name] for name in _OF_ERRORS if name in given},
    )


def add_fault(faults: list[Fault], given: dict[str, Any]) -> Fault:
    """Switch a fault on, under a number of its own."""
    fault = make_fault(1 + max((one.id for one in faults), default=0), given)
    faults.append(fault)
    return fault


def pick(portal: "Portal", kinds: Collection[str], method: str, when: str) -> Fault | None:
    """The first fault of some kinds that strikes this call; spent ones are forgotten."""
    portal.faults[:] = [fault for fault in portal.faults if not fault.spent]
    some = (fault for fault in portal.faults if fault.kind in kinds)
    return next((fault for fault in some if fault.strikes(method, when, portal.random)), None)

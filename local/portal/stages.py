"""Directories of a portal: funnels, their stages, and the other lists of `crm.status.list`."""

import json
from typing import Any

from local.portal.schema import DATA, FIRST_DYNAMIC, INVOICE
from local.portal.table import Table

_DIRECTORIES: dict[str, list[list[Any]]] = json.loads((DATA / "statuses.json").read_text("utf-8"))
_STAGE_TEMPLATE = {1: "STATUS", 2: "DEAL_STAGE", 7: "QUOTE_STATUS", INVOICE: "SMART_INVOICE"}


class Directories:
    """Statuses by directory, funnels by type."""

    def __init__(self) -> None:
        self.statuses = Table()  # the rows of crm.status
        self.categories: dict[int, list[dict[str, Any]]] = {}
        self._stages: dict[str, dict[str, str]] = {}
        for directory, rows in _DIRECTORIES.items():
            if directory not in {"SMART_INVOICE", "DYNAMIC"}:
                self._fill(directory, rows, None)
        self.add_category(2, "General", number=0)
        self.add_category(INVOICE, "General", number=1)

    def add_category(self, type_number: int, name: str, number: int | None = None) -> int:
        """Make a funnel with stages of its own."""
        rows = self.categories.setdefault(type_number, [])
        if number is None:
            number = 1 + max((row["id"] for row in rows), default=0)
        rows.append(
            {
                "id": number,
                "name": name,
                "sort": 100 * (len(rows) + 1),
                "entityTypeId": type_number,
                "isDefault": "Y" if not rows else "N",
            }
        )
        if type_number == 2:  # noqa: PLR2004  deals alone are shown with their origin
            rows[-1] |= {"originId": "", "originatorId": ""}
        if self.directory(type_number, number) not in self._stages:
            template = _STAGE_TEMPLATE.get(type_number, "DYNAMIC")
            self._fill(self.directory(type_number, number), _DIRECTORIES[template], number)
        return number

    def _fill(self, directory: str, rows: list[list[Any]], category: int | None) -> None:
        prefix = stage_prefix(directory)
        for index, (code, name, semantics, color) in enumerate(rows):
            self.add_status(directory, prefix + code, name, semantics, color, 10 * (index + 1))
            self.statuses.rows[self.statuses.ids[-1]]["CATEGORY_ID"] = category or None

    def add_status(  # noqa: PLR0913, PLR0917  a row has that many columns
        self,
        directory: str,
        code: str,
        name: str,
        semantics: str | None = None,
        color: str = "#39A8EF",
        sort: int = 10,
    ) -> None:
        """Add a stage, or an entry of another directory."""
        number = 101 + 2 * len(self.statuses)
        row: dict[str, Any] = {
            "ENTITY_ID": directory,
            "STATUS_ID": code,
            "NAME": name,
            "NAME_INIT": name,
        }
        row |= {"COLOR": color, "SEMANTICS": semantics, "SYSTEM": "Y", "SORT": sort}
        self.statuses.put(number, row | {"id": number, "CATEGORY_ID": None})
        self.index(row)

    def index(self, row: dict[str, Any]) -> None:
        """Take a stage up among those that items can be in."""
        stages = self._stages.setdefault(row["ENTITY_ID"], {})
        stages[row["STATUS_ID"]] = row.get("SEMANTICS") or "P"

    def forget(self, row: dict[str, Any]) -> None:
        """Take a stage away."""
        self._stages.get(row["ENTITY_ID"], {}).pop(row["STATUS_ID"], None)

    def directory(self, type_number: int, category: int) -> str:
        """The directory that holds the stages of a funnel."""
        if type_number == 2:  # noqa: PLR2004  deals
            return f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"
        if type_number >= FIRST_DYNAMIC:
            return f"DYNAMIC_{type_number}_STAGE_{category}"
        if type_number == INVOICE:
            return f"SMART_INVOICE_STAGE_{category}"
        return _STAGE_TEMPLATE.get(type_number, "")

    def default_category(self, type_number: int) -> int:
        """The funnel of an item that names none."""
        rows = self.categories.get(type_number)
        return rows[0]["id"] if rows else 0

    def has_category(self, type_number: int, number: int) -> bool:
        """Whether the funnel exists."""
        return any(row["id"] == number for row in self.categories.get(type_number, []))

    def stages(self, type_number: int, category: int) -> dict[str, str]:
        """Stage codes of a funnel in their order, with their semantics (P, S, F)."""
        return self._stages.get(self.directory(type_number, category), {})


def stage_prefix(directory: str) -> str:
    """Stage codes outside the first funnel carry its number: `C9:NEW`, `DT1268_52:NEW`."""
    if directory.startswith("DEAL_STAGE_"):
        return f"C{directory.removeprefix('DEAL_STAGE_')}:"
    if directory.startswith("DYNAMIC_"):
        _, number, _, category = directory.split("_")
        return f"DT{number}_{category}:"
    if directory.startswith("SMART_INVOICE_STAGE_"):
        return f"DT31_{directory.removeprefix('SMART_INVOICE_STAGE_')}:"
    return ""

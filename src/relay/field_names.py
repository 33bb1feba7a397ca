"""The spellings of a field's name: `STAGE_ID` and `stageId`, `UF_CRM_1` and `ufCrm_1`. Pure."""

import re
from collections.abc import Iterable

from relay.errors import SpellingError


def plain(name: str) -> str:
    """Return the one name for all spellings of a field's: `STAGE_ID`, `stageId` -> `stageid`."""
    return name.replace("_", "").lower()


def camel_case(name: str) -> str:
    """Return a name as the portal's newer methods spell it: `STAGE_ID` -> `stageId`."""
    return re.sub("_(.)", lambda one: one[1].upper(), name.lower())


def check_spelling(names: Iterable[str], name: str) -> None:
    """Raise SpellingError if a field is among the names in another spelling only.

    Two names in capitals are two fields: `UF_CRM_12`, `UF_CRM_1_2`.
    """
    similar = [one for one in names if plain(one) == plain(name)]
    if similar and name not in similar and not all(map(str.isupper, [name, *similar])):
        raise SpellingError(f"{name} is spelt {similar[0]} in a change")

"""The fields that a portal sets beside a written one, and their values.

A `derived` field is computed by the portal from the written one, and nobody can set it alone. Any
other field may be set by a person too, so it follows only with the value that the write causes:

| field | value | source |
|---|---|---|
| `movedTime`, `movedBy`, `statusChangedDate/By` | the time and the user of the write | core |
| `previousStageId` | the stage before: another one tells of a move in between | core |
| `closedate` | the day of the write, when the item reaches a final stage | core |
| `dateClosed`, `closedDate/By`, `dateStart` | time and user of the write, or empty | core |
| `probability` | 100 or empty with a final stage | core |
| `isManualOpportunity` | `Y` | rest-protocol 9 |
| `opportunity` | the total of the product rows, unless it is kept by hand | rest-protocol 9 |
| `companyIds`, `contactIds` | the written one alone ("single binding mode") | core |
| `companyId`, `contactId` | the first of those written | core |

Not here, though a write may cause them: `observers`, the stage in another funnel, `accomplices`,
`auditors`: the reading does not show which value follows.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from relay.change import Change
from relay.echo.note_text import ROWS
from relay.echo.same_value import is_same, moment
from relay.field_names import plain
from relay.product_rows import PRODUCT_ROWS

NEAR_SECONDS = 300  # between a note and the portal's stamp: a call's time, and two clocks
_DAY_SECONDS = 24 * 3600
_HALF_A_CENT = 0.005
_FINAL = {"S": "100", "F": None}


class Cause(NamedTuple):
    """A write that explains a change: the value of the field, the id of the user, the time."""

    value: object
    user: int
    at: int


def follows(name: str, change: Change, written: str, cause: Cause) -> bool:
    """Return whether a field has the value that the write of another one causes.

    `name` is the changed field's own name, `written` the plain name of the written field.
    """
    rule = FOLLOWS.get(written, {}).get(plain(name))
    if rule is None:
        return False
    value, when = change.after.get(name), moment(change.after.get(name))
    semantic = str(change.after.get("stageSemanticId"))
    elapsed = cause.at - when.timestamp() if when else math.inf
    is_now = abs(elapsed) <= NEAR_SECONDS
    is_today = -NEAR_SECONDS <= elapsed <= _DAY_SECONDS + NEAR_SECONDS
    is_writer = str(value) == str(cause.user)
    rows = list(cause.value.values()) if isinstance(cause.value, Mapping) else cause.value
    first = rows[0] if isinstance(rows, list) and rows else None
    return {
        "derived": True,
        "now": is_now,
        "none or now": value is None or is_now,
        "writer": is_writer,
        "none or writer": value is None or is_writer,
        "today in a final stage": semantic in _FINAL and is_today,
        "certain in a final stage": semantic in _FINAL and is_same(name, _FINAL[semantic], value),
        "former stage": bool(value == change.before.get("stageId")),
        "yes": value in ("Y", True),
        "alone": _numbers(value) == _numbers([cause.value]) - {"0", "", "None"},
        "first": is_same(name, first, value),
        "total": change.after.get("isManualOpportunity") == "N" and _is_total(value, change),
    }[rule]


def _is_total(value: object, change: Change) -> bool:
    rows = change.after.get(PRODUCT_ROWS) or []
    if not (value is None or isinstance(value, int | float)) or not isinstance(rows, list):
        return False
    total: float = sum(row.get("price", 0) * row.get("quantity", 0) for row in rows)
    return abs((value or 0) - total) < _HALF_A_CENT


def _numbers(value: object) -> set[str]:
    return {str(one) for one in value} if isinstance(value, list) else set()


# By the plain name of a written field: the fields that follow, and what their values have to be.
_MOVED = {"movedtime": "now", "movedby": "writer"}
FOLLOWS: dict[str, dict[str, str]] = {
    "stageid": _MOVED
    | {
        **dict.fromkeys(("stagesemanticid", "closed", "isreturncustomer", "isnew"), "derived"),
        **dict.fromkeys(("isconvert", "iswork", "iswon", "islose", "orderstage"), "derived"),
        "closedate": "today in a final stage",
        "previousstageid": "former stage",
        "probability": "certain in a final stage",
        "dateclosed": "none or now",
    },
    "categoryid": _MOVED,
    "opportunity": {"ismanualopportunity": "yes", "opportunityaccount": "derived"},
    "currencyid": dict.fromkeys(
        ("accountcurrencyid", "opportunityaccount", "taxvalueaccount"), "derived"
    ),
    "companyid": {"companyids": "alone", "isreturncustomer": "derived"},
    "companyids": {"companyid": "first", "isreturncustomer": "derived"},
    "contactid": {"contactids": "alone", "isreturncustomer": "derived"},
    "contactids": {"contactid": "first", "isreturncustomer": "derived"},
    "name": {"fullname": "derived"},
    "lastname": {"fullname": "derived"},
    "secondname": {"fullname": "derived"},
    ROWS: {
        "opportunity": "total",
        **dict.fromkeys(("opportunityaccount", "taxvalue", "taxvalueaccount"), "derived"),
    },
    "fm": {  # the marks, and the first of each kind and use
        **dict.fromkeys(("hasphone", "hasemail", "hasimol", "skype", "icq", "imol"), "derived"),
        **dict.fromkeys(("phone", "phonemobile", "phonework", "phonemailing"), "derived"),
        **dict.fromkeys(("email", "emailhome", "emailwork", "emailmailing"), "derived"),
    },
    "status": {
        "realstatus": "derived",
        "statuschangeddate": "now",
        "statuschangedby": "writer",
        "closeddate": "none or now",
        "closedby": "none or writer",
        "datestart": "none or now",
    },
}

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
| `companyIds`, `contactIds` | the written one alone ("single binding mode") | core |
| `companyId`, `contactId` | the first of those written | core |

Not here, though a write may cause them: `opportunity` (from product rows), `observers`, the stage
in another funnel, `accomplices`, `auditors`: the reading does not show which value follows.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from relay.change import Change
from relay.echo.same_value import is_same, moment

NEAR_SECONDS = 300  # between a note and the portal's stamp: a call's time, and two clocks
_DAY_SECONDS = 24 * 3600
_FINAL = {"S": "100", "F": None}


class Cause(NamedTuple):
    """A write that explains a change: the value of the field, the id of the user, the time."""

    value: object
    user: int
    at: int


Rule = Callable[[str, Change, Cause], bool]  # with the name of the field that follows


def _derived(_name: str, _change: Change, _cause: Cause) -> bool:
    return True


def _by_writer(name: str, change: Change, cause: Cause) -> bool:
    return str(change.after.get(name)) == str(cause.user)


def _now(name: str, change: Change, cause: Cause) -> bool:
    when = moment(change.after.get(name))
    return when is not None and abs(when.timestamp() - cause.at) <= NEAR_SECONDS


def _or_empty(rule: Rule) -> Rule:
    return lambda name, change, cause: change.after.get(name) is None or rule(name, change, cause)


def _today(name: str, change: Change, cause: Cause) -> bool:
    when = moment(change.after.get(name))
    if when is None or change.after.get("stageSemanticId") not in _FINAL:
        return False
    gone = cause.at - when.timestamp()
    return -NEAR_SECONDS <= gone <= _DAY_SECONDS + NEAR_SECONDS


def _former_stage(name: str, change: Change, _cause: Cause) -> bool:
    return bool(change.after.get(name) == change.before.get("stageId"))


def _certain(name: str, change: Change, _cause: Cause) -> bool:
    semantic = change.after.get("stageSemanticId")
    return semantic in _FINAL and is_same(name, _FINAL[semantic], change.after.get(name))


def _yes(name: str, change: Change, _cause: Cause) -> bool:
    return change.after.get(name) in ("Y", True)


def _alone(name: str, change: Change, cause: Cause) -> bool:
    return _numbers(change.after.get(name)) == _numbers([cause.value]) - {"0", "", "None"}


def _first(name: str, change: Change, cause: Cause) -> bool:
    rows = list(cause.value.values()) if isinstance(cause.value, Mapping) else cause.value
    first = rows[0] if isinstance(rows, list) and rows else None
    return is_same(name, first, change.after.get(name))


def _numbers(value: object) -> set[str]:
    return {str(one) for one in value} if isinstance(value, list) else set()


_MOVED: dict[str, Rule] = {"movedtime": _now, "movedby": _by_writer}
FOLLOWS: dict[str, dict[str, Rule]] = {
    "stageid": _MOVED
    | dict.fromkeys(
        (
            *("stagesemanticid", "closed", "isreturncustomer", "isnew", "isconvert"),
            *("iswork", "iswon", "islose", "orderstage"),
        ),
        _derived,
    )
    | {
        "closedate": _today,
        "previousstageid": _former_stage,
        "probability": _certain,
        "dateclosed": _or_empty(_now),
    },
    "categoryid": _MOVED,
    "opportunity": {"ismanualopportunity": _yes, "opportunityaccount": _derived},
    "currencyid": dict.fromkeys(
        ("accountcurrencyid", "opportunityaccount", "taxvalueaccount"), _derived
    ),
    "companyid": {"companyids": _alone, "isreturncustomer": _derived},
    "companyids": {"companyid": _first, "isreturncustomer": _derived},
    "contactid": {"contactids": _alone, "isreturncustomer": _derived},
    "contactids": {"contactid": _first, "isreturncustomer": _derived},
    "name": {"fullname": _derived},
    "lastname": {"fullname": _derived},
    "secondname": {"fullname": _derived},
    "fm": dict.fromkeys(  # the marks, and the first of each kind and use
        (
            *("hasphone", "hasemail", "hasimol", "phone", "phonemobile", "phonework"),
            *("phonemailing", "email", "emailhome", "emailwork", "emailmailing", "skype", "icq"),
            "imol",
        ),
        _derived,
    ),
    "status": {
        "realstatus": _derived,
        "statuschangeddate": _now,
        "statuschangedby": _by_writer,
        "closeddate": _or_empty(_now),
        "closedby": _or_empty(_by_writer),
        "datestart": _or_empty(_now),
    },
}

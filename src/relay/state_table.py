"""The State table's kinds of rows, and every DynamoDB request of the relay.

The State table has one string key, `pk`, made by the functions below. "At" is when DynamoDB may
remove a row; a row without it stays.

| key | holds | written by | at |
|---|---|---|---|
| `done#<reaction>#<id>` | writes of a reaction for one change or event | lease owner | 30 days |
| `newest#<reaction>#<portal>#<item>` | version handled last, some writes | the reaction | 30 days |
| `echo#<portal>#<item>#<hour>` | what reactions set, and their budget | reactions | 25 hours |
| `made#<portal>#<ids or stamp>` | that a reaction made it | reactions | 25 hours |
| `gone#<portal>#<item>` | that a reaction deleted it | reactions | 25 hours |
| `slots#<portal>` | when the bucket of requests is empty | whoever calls the portal | |
| `sweep#<portal>` | lease and progress of the sweeps | lease owner | |
| `seen#<portal>` | times of the last events | track, announce | |
| `schema#<portal>` | its fields and stages, as read last | the sweep under its lease | |
| `brake#<portal>` | number of disappearances in this hour | track, `make release` | |

| module | request | condition |
|---|---|---|
| state_requests | BatchGetItem | |
| state_requests | BatchWriteItem | none: a row has one owner, or is the same for all writers |
| state_requests | PutItem | `done#`: no row, or the owner that was read |
| state_requests | TransactWriteItems | of a robot's call also: no equal call within ten seconds |
| state_requests | UpdateItem | `echo#`: budget and room, or ids to take back; `made#`: none |
| portal.shared_slots | UpdateItem | `empty_at` is within the bucket |
| tracking.sweep_state | UpdateItem | the lease is over |
| tracking.sweep_state | PutItem | the lease is this sweep's |
| tracking.sweep_state | GetItem | |
| tracking.schema_watch | PutItem | none: a sweep holds its lease meanwhile |
| tracking.schema_watch | GetItem | |
| tracking.event_times | UpdateItem | none: times only grow by seconds |
| tracking.event_times | GetItem | |
| tracking.brake | UpdateItem | the count is the one that was read, and nothing is held |
| tracking.brake | GetItem | |
| tracking.mirror_rows | BatchGetItem | |
| tracking.mirror | Query | |
| tracking.mirror | PutItem | the row's `seq` is the one that was read (tests/put_rule.py) |
| tracking.mirror | UpdateItem | the same |
| history | BatchWriteItem | none: a row is the same whenever it is put |
| history | Query | |

All rows are in the State table but those of mirror, mirror_rows and history.
tests/unit/test_state_table.py holds both lists to the code.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from relay.aws_types import Item
from relay.errors import ConditionFailedError

DAY_SECONDS = 24 * 3600
CHECKPOINT_SECONDS = 30 * DAY_SECONDS  # queue and dead-letter queue keep a message 14 days each
LEDGER_SECONDS = 25 * 3600  # a stream that stood still for a day still finds them
HOUR_SECONDS = 3600
IDS_IN_ROW = 32  # with names of 20 letters less than 1 KB, a write unit


def checkpoint_key(reaction: str, record_id: str) -> str:
    """Return the key of what a reaction has written for a change or an event."""
    return f"done#{reaction}#{record_id}"


def newest_key(reaction: str, portal: str, item: str) -> str:
    """Return the key of the latest version of an item (`deal/5`) that a reaction has handled."""
    return f"newest#{reaction}#{portal}#{item}"


def ledger_key(portal: str, item: str, at: float) -> str:
    """Return the key of what reactions set in an item in the hour of a time (epoch seconds)."""
    return f"echo#{portal}#{item}#{int(at // HOUR_SECONDS)}"


def stamp_key(portal: str, stamp: str) -> str:
    """Return the key of the row of a create with a stamp."""
    return f"made#{portal}#{stamp}"


def created_ids_key(portal: str, entity: str, number: int) -> str:
    """Return the key of the row that says which of neighbouring ids reactions created."""
    return f"made#{portal}#{entity}/{number - number % IDS_IN_ROW}+"


def gone_key(portal: str, item: str) -> str:
    """Return the key of the row that says that a reaction deleted an item; ids are used once."""
    return f"gone#{portal}#{item}"


def slots_key(portal: str) -> str:
    """Return the key of a portal's limit on requests."""
    return f"slots#{portal}"


def sweep_key(portal: str) -> str:
    """Return the key of the progress of a portal's sweeps."""
    return f"sweep#{portal}"


def schema_key(portal: str) -> str:
    """Return the key of a portal's fields and stages."""
    return f"schema#{portal}"


def events_key(portal: str) -> str:
    """Return the key of the times of a portal's last events."""
    return f"seen#{portal}"


def brake_key(portal: str) -> str:
    """Return the key of the count of a portal's disappearances."""
    return f"brake#{portal}"


def key(pk: str) -> Item:
    """Return a key as the State table's requests take it."""
    return {"pk": {"S": pk}}


@contextmanager
def conditional() -> Iterator[None]:
    """Raise ConditionFailedError where DynamoDB refuses the condition of a request made within."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise ConditionFailedError(error.response.get("Item")) from error

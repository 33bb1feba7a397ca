"""Once a day: fields and stages of a portal that were renamed, retyped or removed -> one event.

State table: `schema#<portal>` with at (seconds since 1970), schema (compressed JSON) and gone, what
was removed lately, for `make doctor`. What can't be read keeps its former entry: absence is no
removal.
"""

import asyncio
import json
import time
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from relay.aws_types import Client
from relay.errors import CallError
from relay.event import SCHEMA_NAME, Event
from relay.field_names import camel_case, plain
from relay.kinds import OPTIONAL_KINDS, TASK, kind_of
from relay.portal import PortalApi
from relay.state_table import key, schema_key

DAY_SECONDS = 24 * 3600
RETRY_SECONDS = 3600  # after a portal that answered nothing
MOST_CHANGES, MOST_GONE = 500, 200  # of an event; remembered for doctor
RENAMED, RETYPED, REMOVED = "renamed", "retyped", "removed"
STATUSES = "statuses"  # stages of all funnels, and the values of other directories

# By part (a kind, or STATUSES) and id of a field or status: its title and its type.
type Schema = dict[str, dict[str, tuple[str, str]]]


class Difference(NamedTuple):
    """What became of a field or a stage; `part` is a kind, or a directory as DEAL_STAGE_3."""

    part: str
    id: str
    what: str
    before: str
    after: str


class Watched(NamedTuple):
    """What is stored of a portal."""

    at: float  # when it was read, seconds since 1970; 0 for never
    schema: Schema
    gone: dict[str, float]  # ids of fields and stages by when they were missed


class SchemaStore:
    """The rows of the State table."""

    def __init__(self, client: Client, table: str) -> None:
        self._client, self._table = client, table

    def read(self, portal: str) -> Watched:
        """Return what is stored of a portal."""
        answer = self._client.get_item(TableName=self._table, Key=key(schema_key(portal)))
        if not (row := answer.get("Item")):
            return Watched(0.0, {}, {})
        stored = json.loads(zlib.decompress(bytes(row["schema"]["B"])))
        schema = {
            part: {name: (title, kind) for name, (title, kind) in entries.items()}
            for part, entries in stored.items()
        }
        return Watched(float(row["at"]["N"]), schema, json.loads(row["gone"]["S"]))

    def write(self, portal: str, watched: Watched) -> None:
        """Store what was read of a portal."""
        text = json.dumps(watched.schema, ensure_ascii=False, separators=(",", ":"))
        self._client.put_item(
            TableName=self._table,
            Item={
                **key(schema_key(portal)),
                "at": {"N": f"{watched.at:.0f}"},
                "schema": {"B": zlib.compress(text.encode("utf-8", "surrogatepass"))},
                "gone": {"S": json.dumps(watched.gone)},
            },
        )


async def watch(
    portal: str,
    client: PortalApi,
    kinds: Iterable[str],
    store: SchemaStore,
    publish: Callable[[Event], None],
) -> int:
    """Read the schema if a day has passed; publish what differs, return how much that is.

    Raises botocore's errors.
    """
    stored, now = await asyncio.to_thread(store.read, portal), time.time()
    if now - stored.at < DAY_SECONDS:
        return 0
    read = await read_schema(client, kinds)
    at = now if read else now - DAY_SECONDS + RETRY_SECONDS
    schema = stored.schema | read
    found = differences(stored.schema, schema)
    if found:
        await asyncio.to_thread(publish, event_of(portal, found, now))
    gone = stored.gone | {one.id: now for one in found if one.what == REMOVED}
    there = {name for entries in schema.values() for name in map(_own_id, entries)}
    kept = {name: at for name, at in gone.items() if name not in there}
    latest = sorted(kept.items(), key=lambda one: -one[1])[:MOST_GONE]
    await asyncio.to_thread(store.write, portal, Watched(at, schema, dict(latest)))
    return len(found)


async def read_schema(client: PortalApi, kinds: Iterable[str]) -> Schema:
    """Return the parts that could be read, in one request."""
    names = sorted(set(kinds) - OPTIONAL_KINDS.keys())  # the portal lists no fields of those
    calls = [_fields(client, name) for name in names]
    read = await asyncio.gather(*calls, _statuses(client))
    return {
        name: part for name, part in zip([*names, STATUSES], read, strict=True) if part is not None
    }


async def _fields(client: PortalApi, name: str) -> dict[str, tuple[str, str]] | None:
    try:
        if name == TASK:
            answer = await client.call("tasks.task.getFields")
            fields = {camel_case(field): about for field, about in answer["fields"].items()}
        else:
            number = kind_of(name).entity_type_id
            answer = await client.call(
                "crm.item.fields", entityTypeId=number, useOriginalUfNames="Y"
            )
            fields = answer["fields"]
        return {
            field: (str(about.get("title") or ""), str(about.get("type") or ""))
            for field, about in fields.items()
        }
    except (CallError, KeyError, TypeError, AttributeError):
        return None


async def _statuses(client: PortalApi) -> dict[str, tuple[str, str]] | None:
    try:
        rows = await client.call("crm.status.list")  # all of them: it has no pages
        return {f"{row['ENTITY_ID']}/{row['STATUS_ID']}": (str(row["NAME"]), "") for row in rows}
    except (CallError, KeyError, TypeError):
        return None


def differences(before: Schema, after: Schema) -> list[Difference]:
    """Return what was renamed, retyped or removed; what is new breaks nothing.

    A field that is only spelt in another way is the same: an update of the portal spells user
    fields anew.
    """
    found = []
    for part, entries in before.items():
        now = after.get(part, {})
        added = now.keys() - entries.keys() if part != STATUSES else ()
        respelt = {plain(name): name for name in added}
        for name, (title, kind) in entries.items():
            directory = name.rpartition("/")[0] or part
            entry = now.get(name) or now.get(respelt.get(plain(name), ""))
            if entry is None:
                found.append(Difference(directory, _own_id(name), REMOVED, title, ""))
                continue
            if kind != entry[1]:
                found.append(Difference(directory, _own_id(name), RETYPED, kind, entry[1]))
            if title != entry[0]:
                found.append(Difference(directory, _own_id(name), RENAMED, title, entry[0]))
    return found


def _own_id(name: str) -> str:
    return name.rpartition("/")[2]


def event_of(portal: str, found: list[Difference], now: float) -> Event:
    """Return the event of differences; the same ones have one id, however often it is published."""
    digest = sha256(json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return Event(
        event_id=f"{portal}.schema.{digest.hexdigest()[:16]}.{int(now // DAY_SECONDS)}",
        portal=portal,
        name=SCHEMA_NAME,
        time=datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        payload={
            "changes": [one._asdict() for one in found[:MOST_CHANGES]],
            "more": max(len(found) - MOST_CHANGES, 0),
        },
    )

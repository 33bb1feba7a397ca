"""`make forget`: delete what the history keeps of an item; a person may ask for that."""

from dataclasses import replace
from functools import cache
from itertools import batched
from typing import Annotated

import typer

from ops.asked import ItemName, key_of
from ops.audit import open_audit
from ops.deployed import PortalName, Stack, client, find_stack
from ops.outcome import Outcome
from ops.past import Past
from ops.terminal import console, numbered, shown
from relay.history import BATCH, FORGOTTEN, PastChange, keys_of


def command(
    item: ItemName,
    portal: PortalName = "main",
    stack: Stack = "relay",
    *,
    go: Annotated[bool, typer.Option("--go", help="Delete it")] = False,
) -> Outcome:
    """Delete what the history keeps of an item; with GO=1, for it can't be undone."""
    key = key_of(portal, item)
    deployed = find_stack(stack)
    past = Past(client("dynamodb"), deployed)
    rows = list(past.history.of_item(portal, f"{key.entity}/{key.id}"))
    full = [one for one in rows if one.action != FORGOTTEN]
    changes = f"{item}: {numbered(len(full), 'change')}"
    if not full:
        console.print(shown(f"the history has nothing of {item} of portal {portal}"))
    elif go:
        audit = open_audit(cache(client), deployed.outputs["LogGroup"])
        delete(past, rows)
        audit.try_to_note("forgotten", [{"subject": item, "portal": portal, "changes": len(full)}])
        console.print(shown(f"{changes} forgotten; backups keep what was in them for 35 days"))
    else:
        console.print(shown(f"{changes} would be forgotten for good; GO=1 does it"))
    return Outcome({"item": item, "portal": portal, "changes": len(full), "forgotten": go})


def delete(past: Past, rows: list[PastChange]) -> None:
    """Delete an item's rows, the newest first; that one is kept without content.

    It says that something was forgotten, so that no state of before is guessed.
    """
    newest = rows[0]
    mark = replace(newest, action=FORGOTTEN, saved_by="", reaction="", steps=(), before={})
    past.dynamodb.put_item(TableName=past.history_table, Item=mark.to_item(0))
    for part in batched(rows[1:], BATCH, strict=False):
        left = [{"DeleteRequest": {"Key": _key(one.change_id)}} for one in part]
        while left:
            answer = past.dynamodb.batch_write_item(RequestItems={past.history_table: left})
            left = answer.get("UnprocessedItems", {}).get(past.history_table, [])


def _key(change_id: str) -> dict[str, dict[str, str]]:
    pk, sk = keys_of(change_id)
    return {"pk": {"S": pk}, "sk": {"S": sk}}

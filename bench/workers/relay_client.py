"""Our portal client at the work of bench.client."""

import asyncio
import os
from typing import Any

from relay.portal import Portal, Webhook
from relay.portal.slots import Pace

if "TABLE" in os.environ:  # what a list takes in memory is not boto3's
    import boto3
    from botocore.config import Config

    from relay.portal.shared_slots import SharedSlots


def portal() -> Portal:
    """Return a portal; with the limit that all processes share where there is a table."""
    webhook = Webhook.parse(os.environ["WEBHOOK"], allow_http=True)
    if "TABLE" not in os.environ:
        return Portal(webhook)
    short = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
    client = boto3.client("dynamodb", config=short)
    return Portal(webhook, slots=SharedSlots(client, os.environ["TABLE"], "bench", Pace()))


async def one_by_one(count: int) -> int:
    """Read items, one call after the other; return how many were read."""
    client = portal()
    return sum(
        [
            await _worked(client.call("crm.item.get", entityTypeId=2, id=1 + n % 12))
            for n in range(count)
        ]
    )


async def together(count: int) -> int:
    """Read items, all calls at the same time."""
    client = portal()
    calls = (client.call("crm.item.get", entityTypeId=2, id=1 + n % 12) for n in range(count))
    return sum(await asyncio.gather(*(_worked(call) for call in calls)))


async def by_ids(count: int) -> int:
    """Read items by their ids."""
    wanted = {"@id": list(range(1, count + 1))}
    items = portal().list("crm.item.list", entityTypeId=2, select=["id", "title"], filter=wanted)
    return len([item async for item in items])


async def everything(_: int) -> int:
    """Iterate over the whole list."""
    count = 0
    async for _item in portal().list("crm.item.list", entityTypeId=2, select=["*"]):
        count += 1
    return count


async def reactions(count: int) -> int:
    """Two dependent writes each, all reactions at the same time."""
    client = portal()

    async def react(number: int) -> int:
        fields = {"TITLE": f"call {number}", "RESPONSIBLE_ID": 1}
        task = await client.call("tasks.task.add", fields=fields)
        comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": f"task {task['task']['id']}"}
        await client.call("crm.timeline.comment.add", fields=comment)
        return 1

    return sum(await asyncio.gather(*(react(number) for number in range(count))))


async def _worked(call: Any) -> int:
    try:
        await call
    except Exception as error:  # noqa: BLE001  it is counted as lost
        print(f"# {type(error).__name__}: {error}", flush=True)
        return 0
    return 1


def run(work: str, count: int) -> int:
    """Do one work."""
    works = {f.__name__: f for f in (one_by_one, together, by_ids, everything, reactions)}
    done: int = asyncio.run(works[work](count))
    return done

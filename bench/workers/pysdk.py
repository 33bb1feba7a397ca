"""b24pysdk, the vendor's client, at the work of bench.client."""

import os

from b24pysdk import BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError, BitrixSDKException


def client() -> Client:
    """Return a client; it takes https only."""
    webhook = BitrixWebhook(domain=os.environ["DOMAIN"], webhook_token=os.environ["TOKEN"])
    return Client(webhook)


def one_by_one(count: int) -> int:
    """Read items, one call after the other."""
    bitrix, done = client(), 0
    for number in range(count):
        try:
            bitrix.crm.item.get(bitrix_id=1 + number % 12, entity_type_id=2).result  # noqa: B018
        except (BitrixAPIError, BitrixSDKException):
            continue
        done += 1
    return done


def together(count: int) -> int:
    """Read items in explicit batches, as this client has no other."""
    bitrix = client()
    asked = [bitrix.crm.item.get(bitrix_id=1 + n % 12, entity_type_id=2) for n in range(count)]
    return len(bitrix.call_batches(asked).result.result)


def by_ids(count: int) -> int:
    """Read items by their ids."""
    wanted = {"@id": list(range(1, count + 1))}
    asked = client().crm.item.list(entity_type_id=2, select=["id", "title"], filter=wanted)
    return len(asked.as_list().result)


def everything(_: int) -> int:
    """Iterate over the whole list."""
    asked = client().crm.item.list(entity_type_id=2, select=["*"])
    return sum(1 for _ in asked.as_list_fast().result)


def reactions(count: int) -> int:
    """Two dependent writes each."""
    bitrix = client()
    for number in range(count):
        fields = {"TITLE": f"call {number}", "RESPONSIBLE_ID": 1}
        task = bitrix.tasks.task.add(fields=fields).result["task"]["id"]
        comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": f"task {task}"}
        bitrix.crm.timeline.comment.add(fields=comment).result  # noqa: B018
    return count


def run(work: str, count: int) -> int:
    """Do one work."""
    works = {f.__name__: f for f in (one_by_one, together, by_ids, everything, reactions)}
    return works[work](count)

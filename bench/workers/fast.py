"""fast-bitrix24 at the work of bench.client."""

import os

from fast_bitrix24 import Bitrix


def client() -> Bitrix:
    """Return a client."""
    return Bitrix(os.environ["WEBHOOK"], verbose=False)


def one_by_one(count: int) -> int:
    """Read items, one call after the other."""
    bitrix, done = client(), 0
    for number in range(count):
        try:
            bitrix.call("crm.item.get", {"entityTypeId": 2, "id": 1 + number % 12})
        except Exception:  # noqa: BLE001, S112  it raises RuntimeError and aiohttp's errors
            continue
        done += 1
    return done


def together(count: int) -> int:
    """Read items, all in one go."""
    asked = [{"entityTypeId": 2, "id": 1 + number % 12} for number in range(count)]
    return len(client().call("crm.item.get", asked))


def by_ids(count: int) -> int:
    """Read items by their ids with `get_by_ID`, which sends one command an item."""
    ids = list(range(1, count + 1))
    return len(
        client().get_by_ID("crm.item.get", ids, ID_field_name="id", params={"entityTypeId": 2})
    )


def everything(_: int) -> int:
    """Read the whole list."""
    return len(client().get_all("crm.item.list", {"entityTypeId": 2, "select": ["*"]}))


def reactions(count: int) -> int:
    """Two dependent writes each, step by step for all of them."""
    bitrix = client()
    fields = [{"fields": {"TITLE": f"call {n}", "RESPONSIBLE_ID": 1}} for n in range(count)]
    tasks = bitrix.call("tasks.task.add", fields)
    comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}
    comments = [{"fields": comment | {"COMMENT": f"task {task}"}} for task in tasks]
    bitrix.call("crm.timeline.comment.add", comments)
    return count


def run(work: str, count: int) -> int:
    """Do one work."""
    works = {f.__name__: f for f in (one_by_one, together, by_ids, everything, reactions)}
    return works[work](count)

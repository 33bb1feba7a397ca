"""`requests` with retries, as most integrations are written, at the work of bench.client."""

import os
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class Plain:
    """A session that repeats 503 five times, with growing pauses."""

    def __init__(self) -> None:
        self.session = requests.Session()
        retry = Retry(5, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
        self.session.mount("http://", HTTPAdapter(max_retries=retry))

    def call(self, method: str, **params: Any) -> Any:
        """Return a result."""
        answer = self.session.post(os.environ["WEBHOOK"] + method, json=params, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def pages(self, **params: Any) -> Iterator[list[Any]]:
        """Yield the pages of a list."""
        start: int | None = 0
        while start is not None:
            answer = self.call("crm.item.list", entityTypeId=2, start=start, **params)
            yield answer["result"]["items"]
            start = answer.get("next")


def one_by_one(count: int) -> int:
    """Read items, one call after the other."""
    plain = Plain()
    done = 0
    for number in range(count):
        try:
            plain.call("crm.item.get", entityTypeId=2, id=1 + number % 12)
        except requests.RequestException:
            continue
        done += 1
    return done


def by_ids(count: int) -> int:
    """Read items by their ids, fifty a request."""
    plain = Plain()
    ids = list(range(1, count + 1))
    return sum(
        len(page)
        for at in range(0, count, 50)
        for page in plain.pages(select=["id", "title"], filter={"@id": ids[at : at + 50]})
    )


def everything(_: int) -> int:
    """Read the whole list."""
    return sum(len(page) for page in Plain().pages(select=["*"]))


def reactions(count: int) -> int:
    """Two dependent writes each."""
    plain = Plain()
    for number in range(count):
        fields = {"TITLE": f"call {number}", "RESPONSIBLE_ID": 1}
        task = plain.call("tasks.task.add", fields=fields)["result"]["task"]["id"]
        comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": f"task {task}"}
        plain.call("crm.timeline.comment.add", fields=comment)
    return count


def run(work: str, count: int) -> int:
    """Do one work; calls that wait together are made one by one."""
    works = {f.__name__: f for f in (one_by_one, by_ids, everything, reactions)}
    return (works | {"together": one_by_one})[work](count)

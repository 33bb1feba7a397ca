"""How soon after an edit is a reaction's work in the portal? `python -m bench.latency [TIMES]`.

Needs `make run` beside it. Deals are made and won as by a person, one at a time; a deal's time runs
from the edit to the comment that `follow_up` writes last: event, reading, announcing, a task, a
comment. The two batching windows of a second each, which AWS has as well, are in it.
"""

import json
import statistics
import sys
import time
import urllib.request
from typing import Any

from local.run import FOLDER

DEAL = 2
PAUSE_SECONDS = 2.0  # the relay is at rest again, and its share of the portal's limit is back
POLL_SECONDS = 0.05
LONGEST_SECONDS = 60.0


def call(portal_url: str, method: str, **params: Any) -> Any:
    """Return the result of a REST method, called without the limits of a webhook."""
    body = json.dumps({"method": method, "params": params}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{portal_url}/admin/call", body, headers)  # noqa: S310  ours
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  ours
        result = json.load(answer)
        return result.get("result", result)


def win(url: str, number: int) -> float:
    """Win a deal; returns the seconds until its timeline has the comment."""
    asked = {"ENTITY_TYPE": "deal", "ENTITY_ID": number}
    began = time.monotonic()
    call(url, "crm.item.update", entityTypeId=DEAL, id=number, fields={"stageId": "WON"})
    while not call(url, "crm.timeline.comment.list", filter=asked):
        if time.monotonic() - began > LONGEST_SECONDS:
            raise RuntimeError(f"deal {number} has no comment; is `follow_up` switched on?")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def main() -> int:
    """Measure and print; returns 1 where `make run` is not up."""
    try:
        url = json.loads((FOLDER / "stack.json").read_text("utf-8"))["portal_url"]
    except FileNotFoundError:
        print("start `make run` in another terminal first", file=sys.stderr)
        return 1
    took = []
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        title = f"Latency {number}"
        deal = call(url, "crm.item.add", entityTypeId=DEAL, fields={"title": title})["item"]
        time.sleep(PAUSE_SECONDS)
        took.append(win(url, deal["id"]))
        time.sleep(PAUSE_SECONDS)
    print(f"from a deal's edit to the reaction's comment, {len(took)} times, seconds:")
    print(
        f"  median {statistics.median(took):.1f}, quickest {min(took):.1f}, slowest {max(took):.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a reaction has written for changes, as its checkpoints have it."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from ops.deployed import Deployed
from relay.change import Change
from relay.reaction.checkpoint import Checkpoint
from relay.state_requests import READ, StateRequests
from relay.state_table import checkpoint_key

THREADS = 8  # requests at once


def checkpoints_of(
    dynamodb: Any, stack: Deployed, reaction: str, changes: Iterable[Change]
) -> dict[str, Checkpoint]:
    """Return the checkpoint of each change by its id, an empty one where nothing is recorded."""
    requests = StateRequests(dynamodb, stack.resource("StateTable"))
    keys = {one.change_id: checkpoint_key(reaction, one.change_id) for one in changes}
    with ThreadPoolExecutor(THREADS) as threads:
        parts = threads.map(requests.load, batched(keys.values(), READ, strict=False))
        rows = {key: row for part in parts for key, row in part.items()}
    now = time.time()
    return {name: Checkpoint.of(key, rows.get(key), now) for name, key in keys.items()}

"""`change.history()`: the changes of its item before it, from the history."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from relay import settings
from relay.change import Change, is_volatile
from relay.errors import ConfigurationError, StateError
from relay.history import FORGOTTEN, History, PastChange, keys_of, state_before
from relay.kinds import TASK
from relay.portal import PortalApi
from relay.reaction.run import Run

type Read = Callable[[int], Awaitable[Sequence[Change]]]


def reader_of(change: Change, reaction: str, portal: PortalApi | None, run: Run | None) -> Read:
    """Return the function that reads the past of a change's item for a reaction."""

    async def read(limit: int) -> Sequence[Change]:
        (table,) = settings.read("HISTORY_TABLE")
        history = History(settings.client("dynamodb"), table)
        # Calls of other records wait for it, as what is read may bring calls to share a request.
        hold = portal.busy() if portal else nullcontext()
        with hold, run.claims.call() if run else nullcontext():
            try:
                return await asyncio.to_thread(list, changes_before(history, change, limit))
            except StateError as trouble:
                raise (_refusal(trouble, reaction, change) or trouble) from trouble.__cause__

    return read


def changes_before(history: History, change: Change, limit: int) -> Iterator[Change]:
    """Yield the changes of an item before one of them, the newest first; blocks."""
    pk, sk = keys_of(change.change_id)
    born = sk.partition(".")[0]
    portal, _, item = pk.partition("/")
    later: PastChange | None = None
    state = dict(change.after)
    unknown = set(change.truncated)
    for past in history.of_item(portal, item, until=f"{sk}~", limit=limit + 1):
        if past.action == FORGOTTEN or keys_of(past.change_id)[1].partition(".")[0] != born:
            return
        if past.change_id == change.change_id:
            later = past
            continue
        if later is None:  # the history lacks the change itself: what it brought along is enough
            later = replace(past, before=change.before)
        state = state_before(state, later) or {}
        unknown -= state.keys()
        yield _as_change(change, past, state, unknown)
        later = past


def _as_change(
    change: Change, past: PastChange, state: dict[str, object], unknown: set[str]
) -> Change:
    before = past.before or {}
    # Fields that follow edits are known as they are today; of the past only who saved last is.
    state = {name: value for name, value in state.items() if not is_volatile(name)}
    if past.saved_by.isdecimal() and past.action != "deleted":
        task = change.entity == TASK
        state["changedBy" if task else "updatedBy"] = past.saved_by if task else int(past.saved_by)
    fields = {"added": state, "deleted": {}}.get(past.action, before)
    changed = sorted(name for name in fields if not is_volatile(name))
    return replace(
        change,
        change_id=past.change_id,
        action=past.action,
        version=past.version,
        time=datetime.fromtimestamp(past.at, UTC).isoformat(timespec="milliseconds"),
        origin=past.origin,
        via=past.via,
        changed=tuple(changed),
        before={} if past.action == "added" else before,
        steps=tuple(past.steps),
        passed=past.passed,
        after=state | {name: None for name in changed if name not in state},
        truncated=tuple(sorted(unknown)),
        reaction=past.reaction,
        superseded=True,
        past=None,
    )


def _refusal(trouble: StateError, reaction: str, change: Change) -> ConfigurationError | None:
    cause = trouble.__cause__
    if isinstance(cause, ClientError) and "AccessDenied" in cause.response["Error"]["Code"]:
        return ConfigurationError(
            f"{reaction} may not read the history of {change.entity}s: write `History: "
            f"{change.entity}` into its entry in template.yaml, then `make deploy`"
        )
    return None

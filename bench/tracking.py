"""What does tracking cost, and is it quick enough? `python -m bench.tracking`; 1 where it is not.

The handlers run in this process; portal and DynamoDB answer over HTTP from processes of their own,
so that the processor time is tracking's. Figures are medians of five, limits stand in brackets. The
portal has the request limits of a real one.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import batched
from logging import StreamHandler
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.tracking_relay import TrackingRelay, events_of, track_all
from local.aws import LocalAws, credentials
from local.demo import DemoPortal
from relay.aws_types import StreamRecord
from relay.tracking import announce, sweep, track
from relay.tracking.projection import project

SEEDED, HINTS, ROUNDS, POLLERS, ROWS = 10_000, 1000, 5, 5, 5
ANNOUNCED = 100  # the stream's BatchSize
HOUR_SECONDS, WEEK_SECONDS = 3600, 7 * 24 * 3600
SETTLE_SECONDS = 3  # items that have just changed are hinted once more


class Table:
    """Prints lines of figures; `missed` counts those beyond their limit."""

    def __init__(self) -> None:
        self.missed = 0

    def line(self, name: str, figure: float, unit: str, limit: float | None = None) -> None:
        """Print a figure with its limit."""
        wanted = "" if limit is None else f"({limit:g})"
        digits = 0 if float(figure).is_integer() else 2
        print(f"{name:50} {figure:10,.{digits}f} {unit:9} {wanted:>8}".rstrip(), flush=True)
        self.missed += limit is not None and figure > limit


def _silence_loggers() -> None:
    """Send the handlers' logs to nowhere."""
    nothing = Path(os.devnull).open("w")  # noqa: SIM115  for as long as the process lives
    for logger in (track.logger, sweep.logger, announce.logger):
        handler = logger.registered_handler
        if isinstance(handler, StreamHandler):
            handler.setStream(nothing)


@contextmanager
def _silent() -> Iterator[None]:
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing):
        yield


def _fill(relay: TrackingRelay, table: Table) -> list[int]:
    """Fill portal and mirror with deals that are a week old; return their ids."""
    relay.portal.admin("clock", skew_seconds=-WEEK_SECONDS)
    ids: list[int] = relay.portal.admin("seed", deals=SEEDED)["deals"]
    relay.portal.admin("clock", skew_seconds=0)
    time.sleep(SETTLE_SECONDS)
    with _silent():
        spent = [relay.spend(relay.sweep), relay.spend(relay.track_queue)]
        relay.sweep()
        relay.track_queue()
        relay.sweep()  # measures the offset of the time filter
        relay.track_queue()
    filled = sum(one.requests for one in spent)
    table.line("the first filling of 10,000: requests", filled, "", 24)
    return ids


def _edit(relay: TrackingRelay, ids: list[int]) -> None:
    relay.portal.admin("bulk", ids=ids)


def _batches(relay: TrackingRelay, table: Table, ids: list[int]) -> None:
    """Measure full batches of events of changed deals."""
    spent, puts = [], []
    for _ in range(ROUNDS):
        _edit(relay, ids)
        records = events_of(ids)
        with _silent():
            spent.append(relay.spend(partial(track_all, records)))
        puts.append(relay.spend(lambda: relay.put(len(ids))))
    table.line("1,000 changed deals: requests", max(one.requests for one in spent), "", 1)
    seconds = statistics.median(one.seconds for one in spent)
    table.line("from received to put", seconds, "s", 10)
    whole, put = (
        statistics.median(one.cpu for one in costs) * 1000 / len(ids) for costs in (spent, puts)
    )
    table.line("processor time of an item", whole, "ms")
    table.line("... of it boto3's put of a row", put, "ms")
    table.line("... and tracking's own", whole - put, "ms", 1)


def _pollers(relay: TrackingRelay, table: Table, ids: list[int]) -> None:
    """Measure a burst that five copies of track handle at once."""
    _edit(relay, ids)
    shares = [list(share) for share in batched(events_of(ids), len(ids) // POLLERS, strict=True)]
    with get_context("spawn").Pool(POLLERS, _silence_loggers) as pool:
        spent = relay.spend(lambda: pool.map(_poll, shares, chunksize=1))
    table.line("the same, taken up by five at once: requests", spent.requests, "", 5)


def _poll(records: list[dict[str, Any]]) -> None:
    with _silent():
        track_all(records)


def _whole(relay: TrackingRelay, table: Table, ids: list[int]) -> None:
    """Measure full batches of deals that moved, and whose product rows were replaced."""
    _move(relay, ids, "NEW")
    with _silent():
        track_all(events_of(ids))
    relay.stream.new()
    for name, stage, limit in (
        ("their first five rows", "PREPARATION", 4),
        ("other rows", "EXECUTING", 4),
    ):
        rows = [{"productName": f"{name} {at}", "price": at} for at in range(1, ROWS + 1)]
        for number in ids:
            given = {"ownerType": "D", "ownerId": number, "productRows": rows}
            relay.portal.admin("call", method="crm.item.productrow.set", params=given)
        _move(relay, ids, stage)
        with _silent():
            spent = relay.spend(partial(track_all, events_of(ids)))
        table.line(f"1,000 deals, a move and {name}: requests", spent.requests, "", limit)
    records = relay.stream.new()
    whole = [change for record in records if (change := announce.to_change(record))]
    complete = [one for one in whole if one.passed and "productRows" in one.changed]
    table.line("... of them not told whole", 2 * HINTS - len(complete), "", 0)
    table.line("processor time of a whole change", _announce(records) / len(whole), "ms")


def _move(relay: TrackingRelay, ids: list[int], stage: str) -> None:
    """Move deals to a stage; what they did before was more than five minutes ago."""
    with _silent():
        relay.sweep()  # finds the moves before settled
    track._documents.clear()  # noqa: SLF001  a minute passes
    relay.portal.admin("clock", skew_seconds=-HOUR_SECONDS)
    relay.portal.admin("bulk", ids=ids, fields={"stageId": stage})
    relay.portal.admin("clock", skew_seconds=0)


def _announce(records: Sequence[StreamRecord]) -> float:
    """Announce records; returns the processor time in ms. Raises RuntimeError where it fails."""
    spent = 0.0
    for batch in batched(records, ANNOUNCED, strict=False):
        with _silent():
            cpu = time.process_time()
            answer = announce.handler({"Records": list(batch)})
            spent += time.process_time() - cpu
        if answer["batchItemFailures"]:
            raise RuntimeError("a change was not announced")
    return spent * 1000


def _announced(relay: TrackingRelay, table: Table) -> None:
    """Measure announcing all changes of the other lines."""
    spent, count, ids = [], 0, set()
    for records in batched(relay.stream.new(), ANNOUNCED, strict=False):
        changes = [change for record in records if (change := announce.to_change(record))]
        count += len(changes)
        ids |= {change.change_id for change in changes}
        milliseconds = _announce(records)
        if changes:
            spent.append(milliseconds / len(changes))
    lost = SEEDED + HINTS * (ROUNDS + 1) - len(ids)
    table.line("of 16,000 changes: lost", lost, "", 0)
    table.line("... or announced twice", count - len(ids), "", 0)
    table.line("processor time of a change", statistics.median(spent), "ms")


def _sweeps(relay: TrackingRelay, table: Table, ids: list[int]) -> None:
    """Measure sweeps: without any change, and with every deal changed and no event."""
    with _silent():
        rest = relay.spend(relay.sweep)
    table.line("a sweep at rest: requests", rest.requests, "", 1)
    _edit(relay, ids)
    with _silent():
        found = relay.spend(relay.sweep)
    table.line("a sweep that finds 10,000 changed: requests", found.requests, "", 5)
    with _silent():
        read = relay.spend(relay.track_queue)
    table.line("reading them: requests", read.requests, "", 10)
    table.line("until all are put", read.seconds, "s")


def main() -> int:
    """Measure and print the table."""
    table = Table()
    _silence_loggers()
    with DemoPortal() as portal, LocalAws() as aws:
        os.environ |= credentials(aws.endpoint)
        relay = TrackingRelay(portal, aws)
        ids = _fill(relay, table)
        deal = portal.call("crm.item.get", entityTypeId=2, id=ids[0])["item"]
        print(f"deals of {len(deal)} fields, {len(project('deal', deal))} of them not empty")
        _sweeps(relay, table, ids)
        _batches(relay, table, ids[-HINTS:])
        _pollers(relay, table, ids[-HINTS:])
        _announced(relay, table)
        _whole(relay, table, ids[:HINTS])
        table.line("refused by the portal: too many requests", relay.counters()["refused"], "", 0)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())

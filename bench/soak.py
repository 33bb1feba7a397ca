"""`python -m bench.soak [SECONDS] [SEED]`: the fault suite's ordeal, longer and harder.

Any answer may be lost, those of creates too, and reactions are killed. Creates that may have run
are looked up after more than a minute, so it takes two minutes longer than the SECONDS of edits. A
reaction of its own (local/ordeal/guest.py) writes to the deals that people edit.
"""

import sys
import time

from rich.console import Console
from rich.table import Table

from local.aws import LocalAws
from local.demo import DemoPortal
from local.ordeal.guest_function import deploy_guest
from local.ordeal.plan import Plan, Report
from local.ordeal.scenario import Scenario
from local.run import connect
from local.stack import deploy

SECONDS, EDITS_PER_SECOND = 60, 30
GRACE_SECONDS = 3  # the deletion event of a vanished item is awaited, as on AWS


def main(arguments: list[str]) -> int:
    """Run an ordeal; print its counts and findings; return 1 where there are findings."""
    given = [int(argument) for argument in arguments]
    seconds, seed = (*given, *(SECONDS, 1)[len(given) :])
    plan = Plan(
        seed=seed,
        edits=seconds * EDITS_PER_SECOND,
        seconds=seconds,
        hard=True,
        patience_seconds=seconds + 240,
    )
    began = time.monotonic()
    report = soak(plan)
    table = Table(title=f"seed {seed}: {seconds} s of edits in {time.monotonic() - began:.0f} s")
    for head in ("what", "times"):
        table.add_column(head, justify="left" if head == "what" else "right")
    for what, times in sorted(report.counts.items()):
        table.add_row(what, str(times))
    Console().print(table)
    print("\n".join(report.findings), file=sys.stderr)
    return 1 if report.findings else 0


def soak(plan: Plan) -> Report:
    """Return the report of an ordeal with a stack of its own."""
    with LocalAws(enforce_iam=True) as aws, DemoPortal() as portal:
        stack = deploy(aws, PortalRate="20", PortalBurst="500", GraceSeconds=str(GRACE_SECONDS))
        portal.admin("settings", "PATCH", burst=0)
        connect(aws, portal, stack)
        deploy_guest(aws, stack)
        return Scenario(aws, portal, stack, plan).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

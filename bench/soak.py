"""`python -m bench.soak [SECONDS] [SEED]`: the fault suite's ordeal for longer, sparing nothing.

Any answer may be lost, that of a create too, and reactions are killed: what may have run is looked
for after more than a minute, so it takes two minutes longer than the SECONDS that it acts for. A
reaction of its own (local/ordeal/guest.py) writes to the deals that people write to.
"""

import sys
import time

from rich.console import Console
from rich.table import Table

from local.aws import LocalAws
from local.demo import DemoPortal
from local.ordeal.course import Course
from local.ordeal.invite import invite
from local.ordeal.plan import Plan, Report
from local.run import connect
from local.stack import deploy

SECONDS, ACTS_PER_SECOND = 60, 30
GRACE_SECONDS = 3  # what vanished is left to its event first, as on AWS


def main(arguments: list[str]) -> int:
    """Run it, print what was done and what does not hold; returns 1 if anything does not."""
    given = [int(argument) for argument in arguments]
    seconds, seed = (*given, *(SECONDS, 1)[len(given) :])
    plan = Plan(
        seed=seed,
        acts=seconds * ACTS_PER_SECOND,
        seconds=seconds,
        hard=True,
        patience_seconds=seconds + 240,
    )
    began = time.monotonic()
    report = soak(plan)
    table = Table(title=f"seed {seed}: {seconds} s of acts in {time.monotonic() - began:.0f} s")
    for head in ("what", "times"):
        table.add_column(head, justify="left" if head == "what" else "right")
    for what, times in sorted(report.told.items()):
        table.add_row(what, str(times))
    Console().print(table)
    print("\n".join(report.findings), file=sys.stderr)
    return 1 if report.findings else 0


def soak(plan: Plan) -> Report:
    """Return what became of an ordeal of a stack of its own."""
    with LocalAws(enforce_iam=True) as aws, DemoPortal() as portal:
        stack = deploy(aws, PortalRate="20", PortalBurst="500", GraceSeconds=str(GRACE_SECONDS))
        portal.admin("settings", "PATCH", burst=0)
        connect(aws, portal, stack)
        invite(aws, stack)
        return Course(aws, portal, stack, plan).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

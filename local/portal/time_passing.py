"""Time that passes for a portal, and for nobody else."""

from local.portal.portal import Portal


def pass_time(portal: Portal, seconds: float) -> None:
    """Let time pass for a portal: its clock, its limits, the faults that end, webhooks' expiry."""
    if seconds < 0:
        raise ValueError(f"time passes forwards only: give 0 seconds or more, not {seconds:g}")
    portal.clock.skew_seconds += seconds
    portal.bucket.at -= seconds
    for fault in portal.faults:
        if fault.until is not None:
            fault.until -= seconds

"""Spans of time as an operator reads them."""


def age(seconds: float) -> str:
    """Return a span in its largest unit of which it has at least two: `3 h`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"

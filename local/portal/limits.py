"""The two limits of REST: requests in a leaky bucket, execution time in one-minute baskets."""

from dataclasses import dataclass, field

WINDOW_SECONDS = 600  # [limits.md] ten one-minute baskets
BASKET_SECONDS = 60


@dataclass(slots=True)
class Bucket:
    """Each request adds one, `rate` drain a second, above `burst` the next one is refused."""

    level: float = 0.0
    at: float = 0.0
    refused: int = 0

    def admit(self, now: float, burst: int, rate: float) -> bool:
        """Take a request in, if there is room; a refused one adds nothing."""
        if burst <= 0:
            return True
        self.level = max(0.0, self.level - max(0.0, now - self.at) * rate)
        self.at = now
        if self.level + 1 > burst:
            self.refused += 1
            return False
        self.level += 1
        return True


@dataclass(slots=True)
class Baskets:
    """Execution seconds of one method through one webhook, by the minute of their first call."""

    filled: list[list[float]] = field(default_factory=list)  # [begin, seconds]

    def total(self, now: float) -> float:
        """Seconds in the window; baskets older than ten minutes leave."""
        while self.filled and now >= self.filled[0][0] + WINDOW_SECONDS:
            self.filled.pop(0)
        return sum(seconds for _, seconds in self.filled)

    def add(self, now: float, seconds: float) -> None:
        """Charge an execution; a basket's ten minutes start at its first call."""
        if not self.filled or now >= self.filled[-1][0] + BASKET_SECONDS:
            self.filled.append([now, 0.0])
        self.filled[-1][1] += seconds

    def reset_at(self, now: float) -> int:
        """When the oldest basket leaves; the sum may stay above zero."""
        self.total(now)
        return int((self.filled[0][0] if self.filled else now) + WINDOW_SECONDS)


@dataclass(slots=True)
class Operating:
    """All baskets of a portal: other methods and other webhooks are unaffected."""

    baskets: dict[tuple[str, str], Baskets] = field(default_factory=dict)

    def of(self, webhook: str, method: str) -> Baskets:
        """The baskets of a method through a webhook."""
        return self.baskets.setdefault((webhook, method), Baskets())

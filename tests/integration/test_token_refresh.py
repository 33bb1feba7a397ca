"""Warm environments under a flood of forged requests: reads of SSM, delays of a new token."""

import random

import pytest
from botocore.exceptions import ClientError

from relay.ingress.tokens import REFRESH_SECONDS, TokenCache

REQUESTS_PER_SECOND = 200  # what the gateway lets through (template: RequestsPerSecond)
SSM_PER_SECOND = 40
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetParametersByPath")
STORED_AT, END = 60.0, 120.0


class Flood:
    """Environments that share an SSM and a clock; each forged request reaches one at random."""

    def __init__(self, environments):
        self.now, self.reads, self.throttled, self.bucket = 0.0, 0, 0, float(SSM_PER_SECOND)
        self.filled_at, self.counts_at, self.random = 0.0, {}, random.Random(environments)
        self.caches = [TokenCache(self.read, lambda: self.now) for _ in range(environments)]

    def read(self):
        """Answer forty reads a second, as SSM does; the new token is stored at STORED_AT."""
        gained = (self.now - self.filled_at) * SSM_PER_SECOND
        self.bucket, self.filled_at = min(self.bucket + gained, SSM_PER_SECOND), self.now
        if self.bucket < 1:
            self.throttled += 1
            raise THROTTLED
        self.bucket -= 1
        self.reads += 1
        return {"main": "new\nold" if self.now >= STORED_AT else "old"}

    def run(self):
        """Run forged requests until END; note when each environment accepts the token."""
        for cache in self.caches:  # cold starts, spread over ten seconds
            self.now = self.random.uniform(0, 10)
            cache.tokens()
            self.filled_at, self.bucket = 0.0, float(SSM_PER_SECOND)
        self.reads = self.throttled = 0
        self.now = self.filled_at = 10.0
        while self.now < END:
            self.now += 1 / REQUESTS_PER_SECOND
            at = self.random.randrange(len(self.caches))
            self.caches[at].refresh()
            if "new" in self.caches[at].tokens()["main"]:
                self.counts_at.setdefault(at, self.now)


@pytest.mark.parametrize("environments", [1, 10, 200])
def test_a_stored_token_counts_everywhere_and_ssm_is_not_used_up(environments):
    """Each environment that gets a request 5 s after the token was stored accepts the token.

    All of them together ask SSM less than 40 times a second.
    """
    flood = Flood(environments)
    flood.run()
    seconds = END - 10
    assert flood.throttled == 0
    assert flood.reads / seconds <= environments / (REFRESH_SECONDS + environments / 200) * 1.1
    assert flood.reads / seconds < SSM_PER_SECOND
    # The look needs a request: in 200 environments one comes about each second.
    wait = environments / REQUESTS_PER_SECOND
    late = sorted(at - STORED_AT for at in flood.counts_at.values())
    assert len(late) == environments
    assert late[len(late) // 2] <= REFRESH_SECONDS
    assert late[-1] <= REFRESH_SECONDS + 10 * wait


def test_more_environments_than_ssm_can_serve_ask_more_seldom():
    """Of a thousand environments most read SSM, and most accept the token in a minute."""
    flood = Flood(1000)
    flood.run()
    assert flood.throttled < flood.reads
    assert len(flood.counts_at) > 800

"""The application tokens of one environment: read from SSM seldom, kept while SSM is down.

A token counts 5 s after it was stored, in every environment: an unknown token causes a read where
the last read is older. Where SSM throttles, each environment reads less often.

SSM answers 40 reads a second for the whole account, and hundreds of environments may start at once.
So a first read that is throttled is repeated after random pauses, for FIRST_READ_SECONDS at most:
so about 80 environments get through, and requests to the others are spilled.
"""

import hmac
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from relay import settings
from relay.secret_cache import KEEP_SECONDS, SecretCache

REFRESH_SECONDS = 5  # between two reads for unknown tokens, or while no token is stored
FIRST_READ_SECONDS = 2.0  # in which a throttled first read is repeated; a sender waits for it
LONGEST_PAUSE_SECONDS = 0.5
THROTTLED = "ThrottlingException"
OLDER_USED = "an older token came"  # `make rotate` searches the log for this
OLDER_SECONDS = 60  # between two such lines of an environment about a portal
MAX_SPILLED = 10  # requests with an unknown token that are spilled between two reads that fail

logger = Logger(service="ingress", location=None)

type Tokens = Mapping[str, Sequence[str]]


class TokenCache:
    """The stored tokens by portal; `read` is called at most as often as the constants say.

    It returns each portal's tokens, one a line, and raises botocore's errors.
    """

    branch = "application-tokens"

    def __init__(
        self,
        read: Callable[[], Mapping[str, str]] | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read_once = read or (lambda: settings.secrets(self.branch))
        self._now, self._sleep = now, sleep
        self._patience = FIRST_READ_SECONDS
        self._cache = SecretCache(self._read_patiently, now)
        self._tokens: Tokens = {}
        self._older_logged: dict[str, float] = {}
        self._spilled = 0
        self._spilled_after = 0  # so many failed reads in a row

    @property
    def failed(self) -> BotoCoreError | ClientError | None:
        """The last read's error, None where it worked."""
        return self._cache.error

    @property
    def of_one_portal(self) -> bool:
        """Whether the tokens that were read last are those of one portal."""
        return len(self._tokens) == 1

    def tokens(self) -> Tokens:
        """Return the tokens by portal; empty where none is stored or none could ever be read."""
        return self._read(KEEP_SECONDS if any(self._tokens.values()) else REFRESH_SECONDS)

    def refresh(self) -> bool:
        """Read the tokens because one is unknown; return whether they differ from before."""
        before = self._tokens
        return self._read(REFRESH_SECONDS) != before

    def note_use(self, portal: str, token: bytes) -> None:
        """Log, at most once a minute, that a portal's valid token is not its newest one."""
        newest, *older = self._tokens[portal]
        if not older or hmac.compare_digest(token, newest.encode()):
            return
        if self._now() - self._older_logged.get(portal, -OLDER_SECONDS) >= OLDER_SECONDS:
            self._older_logged[portal] = self._now()
            logger.warning(OLDER_USED, extra={"portal": portal})

    def may_spill(self) -> bool:
        """Count a request with an unknown token; return whether it may be spilled.

        It may while SSM fails, because its token may have been stored since. Only a few requests
        are spilled until the next read: in a flood most are forged.
        """
        if self._spilled_after != self._cache.failures:
            self._spilled, self._spilled_after = 0, self._cache.failures
        self._spilled += 1
        return self.failed is not None and self._spilled <= MAX_SPILLED

    def _read_patiently(self) -> Tokens:
        """Return the tokens in SSM; the first time, while it throttles, it is asked repeatedly."""
        end, self._patience = self._now() + self._patience, 0.0
        while True:
            try:
                texts = self._read_once()
            except ClientError as error:
                pause = random.uniform(0, LONGEST_PAUSE_SECONDS)
                is_throttled = error.response["Error"]["Code"] == THROTTLED
                if not is_throttled or self._now() + pause > end:
                    raise
                self._sleep(pause)
            else:
                return {
                    portal: [token for line in text.splitlines() if (token := line.strip())]
                    for portal, text in texts.items()
                }

    def _read(self, max_age: float) -> Tokens:
        with suppress(BotoCoreError, ClientError):  # no read has worked yet
            self._tokens = self._cache.values(max_age)
        return self._tokens

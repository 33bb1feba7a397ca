"""The application tokens, read from SSM seldom and kept while SSM is down."""

import time
from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from relay import settings

KEEP_SECONDS = 300
UNKNOWN_TOKEN_SECONDS = 60  # one extra look a minute, however many forged tokens come
RETRY_SECONDS = 15  # after a failed look: a hanging SSM must not slow every request
EMPTY_SECONDS = 5  # while there are none: the first token should count soon

type Tokens = Mapping[str, Sequence[str]]


def read_tokens() -> Tokens:
    """Return every portal's tokens, newest look at SSM; raises botocore's errors."""
    return {
        portal: [token for line in text.splitlines() if (token := line.strip())]
        for portal, text in settings.secrets("application-tokens").items()
    }


class TokenCache:
    """The tokens of one environment; `read` is asked at most as often as the constants say.

    `failed` is the last error of `read`, None after a look that worked.
    """

    def __init__(
        self, read: Callable[[], Tokens] = read_tokens, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._now = read, now
        self._tokens: Tokens = {}
        self._fresh_until = self._next_look = -1.0
        self.failed: BotoCoreError | ClientError | None = None

    def tokens(self) -> Tokens:
        """Return the tokens; empty where there are none or none could ever be read."""
        if self._now() >= self._fresh_until:
            self._look()
        return self._tokens

    def look_again(self) -> bool:
        """Look anew because of an unknown token; says whether there is anything new to compare."""
        before, now = self._tokens, self._now()
        if now < self._next_look:
            return False
        self._next_look = now + UNKNOWN_TOKEN_SECONDS
        self._look()
        return self._tokens != before

    def _look(self) -> None:
        try:
            self._tokens = self._read()
        except (BotoCoreError, ClientError) as error:
            self.failed = error
            self._fresh_until = self._now() + RETRY_SECONDS
        else:
            self.failed = None
            found = any(self._tokens.values())
            self._fresh_until = self._now() + (KEEP_SECONDS if found else EMPTY_SECONDS)

"""No connection to anywhere while a reaction is rehearsed: it shall have no effect."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


class OfflineError(OSError):
    """Raised where code that is rehearsed connects to another system."""


class Network:
    """The connections of this process: closed for code that is rehearsed, opened for ours.

    `refused` says that one was refused, also where the code has caught the error.
    """

    def __init__(self) -> None:
        self.refused = False
        self._closed = False

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse new connections within."""
        connect = socket.socket.connect

        def guarded(connection: socket.socket, address: tuple[str, int]) -> None:
            if self._closed:
                self.refused = True
                raise OfflineError("no connection is made in a rehearsal")
            connect(connection, address)

        self._closed = True
        try:
            with patch.object(socket.socket, "connect", guarded):
                yield
        finally:
            self._closed = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let connections through within, whether or not they are refused around it."""
        before, self._closed = self._closed, False
        try:
            yield
        finally:
            self._closed = before

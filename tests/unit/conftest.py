"""Unit tests talk to nobody."""

import pytest_socket


def pytest_runtest_setup():
    """Refuse sockets, but for the pair that an event loop wakes itself with."""
    pytest_socket.disable_socket(allow_unix_socket=True)

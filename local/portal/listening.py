"""Sockets that listen on this machine only, and what https needs."""

import socket
from pathlib import Path

HOST = "127.0.0.1"  # never another: everybody who reaches it may do everything


def listen(port: int) -> socket.socket:
    """Listen on a port, 0 for a free one; raises OSError where it is taken."""
    # asyncio switches Nagle's delay off only where the protocol is named: 40 ms an answer
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    listener.listen(1024)
    return listener


def certificates(folder: Path, ca_file: Path) -> tuple[Path, Path]:
    """Make a certificate and its key, signed by a new authority; return their paths."""
    try:
        from local.portal.tls import make_certificates  # noqa: PLC0415  only https needs cryptography
    except ModuleNotFoundError:
        text = "https needs the package cryptography: install bitrix24-portal[https]"
        raise RuntimeError(text) from None
    return make_certificates(folder, ca_file)

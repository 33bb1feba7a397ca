"""A fault of TLS before the request was sent is a call that never ran; a later one may have run."""

import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor

import certifi
import pytest

from local.portal.tls import make_certificates
from relay.errors import MayHaveRunError, OperatorError, TransientError
from relay.portal.http import Connection

GARBAGE = b"\x17\x03\x03\x00\x05nonsense that no key has sealed"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return the files of a CA's certificate, and of a server's certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    return folder / "ca.pem", *make_certificates(folder, folder / "ca.pem")


@pytest.fixture
def post(certificates, monkeypatch):
    """Return the function that posts to a server which handles its one connection so."""

    def send(handle, authority=certificates[0]):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))

        def serve():
            with listener.accept()[0] as accepted:
                handle(accepted)

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:
            served = threads.submit(serve)
            url = f"https://localhost:{listener.getsockname()[1]}/rest/1/secret/x.json"
            connection = Connection()
            try:
                connection.post("crm.item.add", url, b"{}", 5)
            finally:
                connection.session.close()
                served.result(5)

    return send


@pytest.fixture
def handshake(certificates):
    """Return the function with which a server makes the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates[1:])
    return lambda connection: context.wrap_socket(connection, server_side=True)


def reset(connection):
    """Break a connection off with a TCP reset."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("handle", [lambda connection: connection.sendall(b"no TLS at all"), reset])
def test_a_handshake_that_fails_is_a_call_that_never_ran(post, handle):
    """A server without TLS, and a reset in the handshake, let a create be sent again."""
    with pytest.raises(TransientError, match="NOT_CONNECTED"):
        post(handle)


def test_a_tls_fault_after_the_request_may_have_run(post, handshake):
    """A create whose request was read is not sent again when the answer can't be decrypted."""

    def break_after_request(connection):
        with handshake(connection) as secured:
            assert secured.recv(65_536).startswith(b"POST /rest/")
            with socket.socket(fileno=secured.detach()) as raw:
                raw.sendall(GARBAGE)

    with pytest.raises(MayHaveRunError, match="NO_ANSWER"):
        post(break_after_request)


def test_an_unknown_certificate_needs_an_operator(post, handshake):
    """A certificate of an authority that nobody trusts is reported as such."""

    def shake(connection):
        with pytest.raises(ssl.SSLError):
            handshake(connection)

    with pytest.raises(OperatorError, match="BAD_CERTIFICATE"):
        post(shake, certifi.where())

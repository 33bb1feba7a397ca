"""A simulated portal on a free port, and a handler that remembers what it is told."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
import requests

from local.portal.server import PortalServer


@pytest.fixture(scope="module")
def shared():
    """Start one server for a module: starting costs more than most tests."""
    with PortalServer(https_port=0, secret="integration1") as server:
        yield server


@pytest.fixture
def server(shared):
    """Hand out the module's server with its limits, faults and rights as they were."""
    portal = shared.portal
    portal.settings.change({"burst": 0, "operating_limit": 0.0})
    before = portal.settings.to_dict()
    yield shared
    portal.settings.change(before)
    portal.faults.clear()
    portal.denials.clear()
    portal.former_domains.clear()
    portal.outgoing.clear()


@pytest.fixture
def http(server):
    """Call a method over a session that is closed at the end."""
    with requests.Session() as session:

        def call(method, **options):
            options.setdefault("timeout", 10)
            return session.post(server.webhook_url + method, **options)

        yield SimpleNamespace(call=call, session=session)


@pytest.fixture
def admin(server):
    """Call the admin API."""
    with requests.Session() as session:

        def call(verb, path, **given):
            answer = session.request(verb, f"{server.url}/admin/{path}", json=given, timeout=15)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield call


@pytest.fixture
def handler():
    """Listen for events: `bodies` it got, `wait` before it answers, `status` it answers with."""
    received = SimpleNamespace(bodies=[], heads=[], wait=0.0, status=200)
    pause = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Remember, wait, answer."""

        def do_POST(self):
            """Take an event."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.bodies.append(body)
            received.heads.append(dict(self.headers))
            pause.wait(received.wait)
            self.send_response(received.status)
            self.end_headers()

        def log_message(self, *_args):
            """Keep quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    received.url = f"http://127.0.0.1:{listener.server_port}/bitrix24"
    received.ids = lambda: [parse_qs(body)["data[FIELDS][ID]"][0] for body in received.bodies]
    yield received
    pause.set()
    listener.shutdown()
    thread.join()
    listener.server_close()

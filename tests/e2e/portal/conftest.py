"""A portal on a page, and a stand-in for the relay that does its steps in a few lines."""

import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
import requests

from local.portal.server import PortalServer


class StandIn:
    """Hears events, reads the deal, tells the strip each step, writes a comment; outwaits a 503."""

    def __init__(self, server):
        self.server, self.stopped = server, threading.Event()
        self.work = queue.SimpleQueue()
        self.workers = [threading.Thread(target=self.run) for _ in range(3)]
        for worker in self.workers:
            worker.start()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            """Answer at once, work afterwards."""

            def do_POST(self):
                """Take an event."""
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(200)
                self.end_headers()
                for number in parse_qs(body).get("data[FIELDS][ID]", []):  # none of a robot
                    stand_in.work.put(number)

            def log_message(self, *_args):
                """Keep quiet."""

        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.05,))
        self.thread.start()
        url = f"http://127.0.0.1:{self.listener.server_port}/bitrix24"
        server.portal.add_outgoing(url, ["ONCRMDEALUPDATE"], title="Relay")

    def run(self):
        """Work until there is nothing more to do."""
        while (number := self.work.get()) is not None:
            if not self.stopped.is_set():
                self.relay(number)

    def step(self, name, number, **detail):
        """Tell the strip."""
        record = {"step": name, "subject": f"deal/{number}", "time": time.time(), "detail": detail}
        requests.post(f"{self.server.url}/admin/steps", json=record, timeout=5)

    def call(self, method, params):
        """Call until the portal lets it through."""
        while not self.stopped.is_set():
            answer = requests.post(self.server.webhook_url + method, json=params, timeout=5)
            if answer.status_code == 200:
                return answer.json()["result"]
            self.stopped.wait(0.1)
        return None

    def relay(self, number):
        """Do what the relay does with one event."""
        self.step("verified", number)
        self.step("published", number)
        found = self.call("crm.item.list", {"entityTypeId": 2, "filter": {"@id": [number]}})
        if not found:
            return
        after = found["items"][0]["stageId"]
        self.step("changed", number, changed=["stageId"], after={"stageId": after})
        self.step("reacted", number, reaction="follow_up")
        comment = {"ENTITY_TYPE": "deal", "ENTITY_ID": number, "COMMENT": f"Moved to {after}"}
        self.call("crm.timeline.comment.add", {"fields": comment})

    def stop(self):
        """End."""
        self.stopped.set()
        for _ in self.workers:
            self.work.put(None)
        for worker in self.workers:
            worker.join()
        self.listener.shutdown()
        self.thread.join()
        self.listener.server_close()


@pytest.fixture
def portal():
    """Start a portal with a relay behind it."""
    with PortalServer(secret="browser1234", limits=False) as server:
        stand_in = StandIn(server)
        yield server
        stand_in.stop()


@pytest.fixture
def page(browser, portal):
    """Open the page in English; an error in its scripts fails the test."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(portal.url)
    tab.set_default_timeout(20_000)
    tab.locator(".deal").first.wait_for()
    yield tab
    context.close()
    assert errors == []

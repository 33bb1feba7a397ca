"""The simulated portal as a server in a thread: `with PortalServer() as server: ...`."""

import asyncio
import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

import uvicorn

from local.portal.admin_actions import ACTIONS
from local.portal.app import make_app
from local.portal.listening import HOST, certificates, listen
from local.portal.outbox import Delivery
from local.portal.portal import Portal
from local.portal.run import run_method
from local.portal.seed import seed
from local.portal.seed_file import seed_from
from local.portal.state import load, save
from local.portal.time_passing import pass_time
from local.portal.world import World

_START_SECONDS = 20
Result = TypeVar("Result")


class PortalServer:
    """One server on 127.0.0.1, one portal to begin with, a webhook that may do everything."""

    def __init__(  # noqa: PLR0913  each is a choice of its own
        self,
        *,
        port: int = 0,
        https_port: int | None = None,
        domain: str = "demo.bitrix24.example",
        secret: str = "",
        ca_file: Path | None = None,
        limits: bool = True,
        seeded: bool = True,
    ) -> None:
        self.world = World()
        self.portal: Portal = self.world.add("main", domain)
        if not limits:
            self.portal.settings.burst = 0
            self.portal.settings.operating_limit = 0
        if seeded:
            seed(self.portal)
        self.webhook = self.portal.add_incoming(1, secret, title="Everything")
        self._folder = tempfile.TemporaryDirectory(prefix="portal-")
        self._socket = listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.https_port: int | None = None
        self.ca_file: Path | None = None
        self._servers = [(self._server(), self._socket)]
        if https_port is not None:
            self.ca_file = ca_file or Path(self._folder.name) / "ca.pem"
            certificate, key = certificates(Path(self._folder.name), self.ca_file)
            tls_socket = listen(https_port)
            self.https_port = tls_socket.getsockname()[1]
            options = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
            self._servers.append((self._server(**options), tls_socket))
        self._thread = threading.Thread(target=self._run, name="simulated portal", daemon=True)
        self._failure: BaseException | None = None

    def _server(self, **options: Any) -> uvicorn.Server:
        config = uvicorn.Config(
            make_app(self.world),
            log_level="warning",
            access_log=False,  # the secret is in the path
            lifespan="off",
            http="h11",
            timeout_graceful_shutdown=1,
            server_header=False,
            **options,
        )
        return uvicorn.Server(config)

    @property
    def webhook_url(self) -> str:
        """The address of the first webhook over http; ends with a slash."""
        return self.url + self.webhook.path()

    @property
    def https_url(self) -> str:
        """The server's address over https; its certificate is signed by `ca_file`."""
        return f"https://{HOST}:{self.https_port}"

    def start(self) -> Self:
        """Start, and return when requests are taken."""
        self._thread.start()
        deadline = threading.Event()
        for _ in range(_START_SECONDS * 100):
            if all(server.started for server, _ in self._servers):
                return self
            if self._failure is not None or not self._thread.is_alive():
                break
            deadline.wait(0.01)
        raise RuntimeError("the simulated portal did not start") from self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001  start() raises it in the caller's thread
            self._failure = failure

    async def _serve(self) -> None:
        for portal in self.world.portals.values():
            portal.outbox.loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(server.serve(sockets=[listener]) for server, listener in self._servers)
        )
        for portal in self.world.portals.values():
            await portal.outbox.close()

    def run(self, action: Callable[[], Result]) -> Result:
        """Do something to a portal between two requests, from any thread, and return its result."""
        loop = self.portal.outbox.loop
        if loop is None:
            return action()
        done: Future[Result] = Future()

        def act() -> None:
            try:
                done.set_result(action())
            except BaseException as failure:  # noqa: BLE001  raised in the caller's thread
                done.set_exception(failure)

        loop.call_soon_threadsafe(act)
        return done.result(_START_SECONDS)

    def call(self, method: str, **params: Any) -> Any:
        """Return the `result` of a REST method, called with the first webhook; raises RestError.

        No request is sent, so no limit and no fault of the transport applies.
        """
        return self.run(lambda: run_method(self.portal, self.webhook, method, params)["result"])

    def seed(self, path: str | Path) -> None:
        """Add what a small file lists (seed_file.py)."""
        self.run(lambda: seed_from(self.portal, Path(path)))

    def save(self, path: str | Path) -> None:
        """Write all that the portal holds to a file."""
        self.run(lambda: save(self.portal, Path(path)))

    def load(self, path: str | Path) -> None:
        """Go back to what a file of `save` holds, its webhooks and their secrets too."""
        self.run(lambda: load(self.portal, Path(path)))
        self.webhook = next(iter(self.portal.incoming.values()), self.webhook)

    def fault(self, kind: str, **given: Any) -> None:
        """Let something go wrong: a kind of faults.py; method, share, times, for_seconds, …."""
        self.run(lambda: ACTIONS["POST", "faults"](self.portal, {"kind": kind, **given}))

    def pass_time(self, seconds: float) -> None:
        """Move the portal's clock and limits on."""
        self.run(lambda: pass_time(self.portal, seconds))

    def events(self, seconds: float = 10) -> list[Delivery]:
        """Wait until no event is under way; return those that were sent, oldest first."""
        self.run(lambda: None)  # what was queued a moment ago is under way now
        until = time.monotonic() + seconds
        while not self.portal.outbox.idle and time.monotonic() < until:
            time.sleep(0.01)
        return list(self.portal.outbox.done)

    def add_portal(self, name: str, domain: str) -> Portal:
        """Make a second portal on this server; its webhooks' secrets tell it apart."""
        portal = self.world.add(name, domain)
        portal.outbox.loop = self.portal.outbox.loop
        return portal

    def stop(self) -> None:
        """Stop, and wait until it has."""
        self.world.closing = True
        for server, _ in self._servers:
            server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(10)
        for _, listener in self._servers:
            listener.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def join(self, seconds: float) -> bool:
        """Wait for its end; says whether it still runs."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_raised: object) -> None:
        self.stop()

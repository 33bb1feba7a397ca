"""`python -m local.portal`: a Bitrix24 on your desk until Ctrl-C."""

import argparse
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

from local.portal.listening import HOST
from local.portal.server import PortalServer

_SECRET = "PORTAL_WEBHOOK_SECRET"  # noqa: S105  the name of a variable
_RATES = {"standard": (50, 2.0), "enterprise": (250, 5.0), "unlimited": (0, 0.0)}


def main() -> int:
    """Start, say where, and stay until a signal comes."""
    options = _arguments()
    secret = os.environ.get(_SECRET, "")
    if secret and not re.fullmatch(r"[A-Za-z0-9]{8,64}", secret):
        print(f"{_SECRET} must be 8 to 64 letters and digits", file=sys.stderr)
        return 2
    try:
        server = _make(options, secret)
    except (OSError, RuntimeError) as error:
        print(_trouble(options, error), file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"the portal can't begin with that file: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with server:
        if options.state_file:
            _write_state(options.state_file, server)
        print(f"portal {server.url}/", flush=True)
        if options.state_file:
            print(f"webhook {options.state_file}", flush=True)
        while not stop.wait(0.5) and server.join(0):
            pass
    if options.keep:
        server.save(options.keep)
    if options.state_file:
        options.state_file.unlink(missing_ok=True)
    return 0


def _trouble(options: argparse.Namespace, error: OSError | RuntimeError) -> str:
    if isinstance(error, RuntimeError):
        return str(error)
    ports = f"{options.port}" + (f" or {options.https_port}" if options.https_port else "")
    return f"port {ports} is taken ({error.strerror}); --port 0 finds one"


def _make(options: argparse.Namespace, secret: str) -> PortalServer:
    """Make a server that holds what it is to begin with; ValueError where a file can't be read."""
    server = PortalServer(
        port=options.port,
        https_port=options.https_port,
        domain=options.domain,
        secret=secret,
        ca_file=options.ca_file,
        seeded=not options.empty,
    )
    server.portal.settings.burst, server.portal.settings.rate = _RATES[options.plan]
    try:
        if options.seed:
            server.seed(options.seed)
        if options.keep and options.keep.exists():
            server.load(options.keep)
    except OSError as error:
        raise ValueError(error) from None
    return server


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.portal", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="http, 127.0.0.1 only; 0: a free one")
    parser.add_argument("--https-port", type=int, help="https beside it; 0: a free one")
    parser.add_argument("--ca-file", type=Path, help="where to put the certificate of its CA")
    parser.add_argument("--domain", default="demo.bitrix24.example", help="what events say")
    parser.add_argument("--state-file", type=Path, help="where to write its addresses (mode 600)")
    parser.add_argument("--plan", choices=_RATES, default="standard", help="limit on requests")
    parser.add_argument("--empty", action="store_true", help="without the demo data")
    parser.add_argument("--seed", type=Path, help="a TOML or JSON file: what it has beside them")
    parser.add_argument("--keep", type=Path, help="its state: loaded from there, saved at the end")
    return parser.parse_args()


def _write_state(path: Path, server: PortalServer) -> None:
    """Addresses, the secret one among them: for its owner's eyes, and complete when it appears."""
    state = {
        "pid": os.getpid(),
        "portal_url": server.url,
        "portal_https": f"{HOST}:{server.https_port}" if server.https_port else None,
        "portal_ca": str(server.ca_file.absolute()) if server.ca_file else None,
        "portal_domain": server.portal.domain,
        "webhook_url": server.webhook_url,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())

"""How quick is ingress? Its init against that of a bare function, and a warm call's own time.

Both functions are compiled and run under AWS's own runtime interface, alternately; the figures are
medians. SSM is a server on this machine; the time of its answer is shown apart.
"""

import json
import statistics
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cold_starts import cold_start, compiled_copy
from local.aws import credentials
from local.emulator import RUNTIME
from ops.build import BUILD, ROOT, build

ROUNDS = 5
CALLS = 2000

TIMED = """
import time
from relay import settings
read, spent = settings.secrets, []
def timed(branch):
    settings.client("ssm")
    begun = time.perf_counter()
    try:
        return read(branch)
    finally:
        spent.append(time.perf_counter() - begun)
settings.secrets = timed
from relay.ingress.app import handler as answer
def handler(event, context):
    answer(event, context)
    return sum(spent) * 1000
"""
WARM = """
import json, os, statistics, sys, time
sys.path.insert(0, ".")
sys.stdout = open(os.devnull, "w")  # the loggers keep it
from relay.ingress.accept import arrival_of
from relay.ingress.app import receive
from relay.ingress.robot_cache import RobotCache
from relay.ingress.tokens import TokenCache
class Sns:
    def publish(self, **message): pass
sns = Sns()
token = "faketoken0faketoken1faketoken200"
tokens = TokenCache(lambda: {"main": token})
robots = RobotCache(dict)
request = json.loads(sys.argv[1])
spent = []
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    answer = receive(request, arrival_of(request), tokens, robots, lambda service: sns)
    spent.append(time.perf_counter() - begun)
assert answer["statusCode"] == 200, answer
print(statistics.median(spent) * 1000, file=sys.__stdout__)
"""


class _Ssm(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        parameter = {"Name": "/relay/bench/application-tokens/main", "Value": "token"}
        body = json.dumps({"Parameters": [parameter]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def _ssm() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ssm)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def inits() -> tuple[list[float], list[float], list[float]]:
    """Return milliseconds: a bare function's inits, ingress's, and SSM's part of those."""
    bare, ingress, answers = [], [], []
    event = json.loads((ROOT / "events" / "http_forged.json").read_text("utf-8"))
    with compiled_copy("IngressFunction", timed=TIMED) as artefact, _ssm() as endpoint:
        variables = {
            **credentials(endpoint),
            "SECRETS_PREFIX": "/relay/bench",
            "EVENTS_TOPIC_ARN": "arn:aws:sns:eu-central-1:000000000000:bench",
            "SPILL_QUEUE_URL": f"{endpoint}/spill",
            "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
        }
        for _ in range(ROUNDS):
            bare.append(cold_start("bare.handler", {}, variables, artefact)[0])
            milliseconds, answer = cold_start("timed.handler", event, variables, artefact)
            ingress.append(milliseconds)
            answers.append(float(str(answer)))
    return bare, ingress, answers


def warm_call() -> float:
    """Return the milliseconds of a warm call that publishes, without the network."""
    event = (ROOT / "events" / "http_deal_updated.json").read_text("utf-8")
    done = subprocess.run(  # noqa: S603
        [RUNTIME, "-I", "-c", WARM, event, str(CALLS)],
        cwd=BUILD / "IngressFunction",
        env={
            "AWS_DEFAULT_REGION": "eu-central-1",
            "EVENTS_TOPIC_ARN": "arn:aws:sns:eu-central-1:000000000000:bench",
            "POWERTOOLS_METRICS_NAMESPACE": "Relay/bench",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure and print the table."""
    build("local", quiet=True)
    bare, ingress, answers = inits()
    apart = [whole - answer for whole, answer in zip(ingress, answers, strict=True)]
    table = Table(title=f"ingress, medians of {ROUNDS}, alternating")
    for column in ("", "ms", "of the bare function"):
        table.add_column(column, justify="right" if column else "left")
    median = statistics.median(bare)
    table.add_row("init of a bare function with one SNS client", f"{median:.0f}", "1.00")
    for name, figures in (("init of ingress", ingress), ("… without SSM's answer", apart)):
        value = statistics.median(figures)
        table.add_row(name, f"{value:.0f}", f"{value / median:.2f}")
    table.add_row("a warm call's own time", f"{warm_call():.2f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()

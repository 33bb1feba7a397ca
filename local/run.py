"""`make run`: the whole bundle on this machine, until Ctrl-C.

Starts the embedded AWS and the simulated portal, deploys the stack with SAM, connects the two, and
prints the journal, line by line. What is saved meanwhile runs within seconds (local/live.py).
"""

import argparse
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local.aws import REGION, LocalAws, PortInUseError, in_use
from local.demo import DemoPortal
from local.journal import Journal
from local.live import LiveStack
from local.stack import STACK, Stack, deploy, store_secrets
from ops.baseline import fill
from ops.build import ROOT
from ops.filter_findings import filter_findings
from ops.robot import address
from ops.terminal import console
from relay.state_table import key, slots_key

FOLDER = ROOT / ".local"
PORTAL = "main"
ROBOT_PARAMETERS = "sum={=Document:OPPORTUNITY}&title={{=urlencode({=Document:TITLE})}}"
START_SECONDS = 30.0


def main() -> int:
    """Run until Ctrl-C; return 1, with a remedy printed, where something can't start."""
    options = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have let both be ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as running:
            aws, demo, stack = _start(running, options)
            live = running.enter_context(LiveStack(aws, stack))
            running.callback(console.print, "\nending; a second Ctrl-C does not wait")
            Journal(aws, demo, stack, live).follow()
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
    except PortInUseError as error:
        console.print(f"[red]{error}[/]")
        return 1
    except subprocess.CalledProcessError as error:
        output = f"{error.stdout or ''}{error.stderr or ''}".strip()
        console.print(output[-4000:], markup=False)
        console.print("[red]SAM could not build or deploy the template[/]: its output is above;")
        console.print("`make check` finds mistakes in the template and the code")
        return 1
    except RuntimeError as error:
        console.print(str(error), markup=False, style="red")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run")
    parser.add_argument("--aws-port", type=int, default=4566)
    parser.add_argument("--portal-port", type=int, default=8024)
    parser.add_argument("--https-port", type=int, default=8025)
    return parser.parse_args()


def _start(running: ExitStack, options: argparse.Namespace) -> tuple[LocalAws, DemoPortal, Stack]:
    ports = [
        (options.aws_port, "the embedded AWS", "AWS_PORT"),
        (options.portal_port, "the portal", "PORTAL_PORT"),
        (options.https_port, "the portal's https", "HTTPS_PORT"),
    ]
    for port, purpose, variable in ports:
        if in_use(port):
            raise PortInUseError(port, purpose, variable)
    with _step("embedded AWS"):
        aws = running.enter_context(LocalAws(options.aws_port))
    with _step("simulated portal"):
        demo = running.enter_context(DemoPortal(options.portal_port, options.https_port))
    with _step("stack: sam build, sam deploy"):
        stack = deploy(aws)
    for finding in filter_findings(ROOT):
        console.print(finding.line())
    with _step("token and webhook URL"):
        token = connect(aws, demo, stack)
    with _step("mirror of the portal"):
        fill(aws.client, stack.resources, PORTAL, lambda _: None, START_SECONDS)
    running.callback(_forget, _remember(aws, demo, stack, token))
    _explain(demo, stack)
    return aws, demo, stack


@contextmanager
def _step(name: str) -> Iterator[None]:
    with console.status(name):
        yield
    console.print(f"[green]ready[/]  {name}")


def connect(aws: LocalAws, demo: DemoPortal, stack: Stack) -> str:
    """Connect portal and stack, as `make connect` does; return the application token."""
    token, robots = secrets.token_hex(16), secrets.token_hex(16)
    url = demo.state["webhook_url"]
    store_secrets(
        aws,
        {
            f"application-tokens/{PORTAL}": token,
            f"webhook-urls/read/{PORTAL}": url,
            f"webhook-urls/write/{PORTAL}": url,
            f"robots/{PORTAL}": robots,
        },
    )
    # A new portal's bucket of requests is empty; without this row the relay would take it for full.
    aws.client("dynamodb").put_item(
        TableName=stack.resources["StateTable"],
        Item={**key(slots_key(PORTAL)), "empty_at": {"N": "0"}},
    )
    demo.admin("outgoing", url=stack.hook_url, token=token, title="relay")
    handler = address(stack.hook_url, PORTAL, robots, "start_from_robot")
    demo.admin("robots/address", url=f"{handler}?{ROBOT_PARAMETERS}")
    return token


def _remember(aws: LocalAws, demo: DemoPortal, stack: Stack, token: str) -> list[Path]:
    """Write the addresses and secrets of the stack to files of mode 600; return their paths."""
    addresses = {
        "endpoint": aws.endpoint,
        "region": REGION,
        "stack": STACK,
        "portal": PORTAL,
        "hook_url": stack.hook_url,
        **{
            name: demo.state[name]
            for name in ("portal_url", "portal_https", "portal_ca", "portal_domain", "webhook_url")
        },
        "application_token": token,
        "events_topic_arn": stack.outputs["EventsTopicArn"],
        "changes_topic_arn": stack.outputs.get("ChangesTopicArn"),
    }
    FOLDER.mkdir(exist_ok=True)
    contact = f'url = "{demo.state["webhook_url"]}crm.contact.add"\nsilent\nwrite-out = "\\n"\n'
    files = {"stack.json": json.dumps(addresses, indent=2) + "\n", "new-contact": contact}
    for name, text in files.items():
        path = FOLDER / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
    return [FOLDER / name for name in files]


def _forget(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def _explain(demo: DemoPortal, stack: Stack) -> None:
    console.print()
    console.print(f"  portal   {demo.url}/   the simulated Bitrix24, in a browser")
    console.print(f"  hook     {stack.hook_url}")
    console.print("  secrets  .local/stack.json (token and webhook URL, readable by you only)")
    console.print()
    console.print("Make an event - a new contact:")
    console.print("  curl -K .local/new-contact -d 'fields[NAME]=Ada' -d 'fields[LAST_NAME]=King'")
    console.print(f"See its effect - a comment and a notification: {demo.url}/ or below")
    console.print("\nA saved reaction or template.yaml runs within seconds, and nothing is lost.")
    console.print("The journal, in UTC (Ctrl-C ends everything):")


if __name__ == "__main__":
    sys.exit(main())

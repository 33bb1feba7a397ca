"""`make listen`: live changes of a deployed stack, and a local reaction run on each.

A queue of its own gets what is published from then on, and goes when the command ends. Dry, a
reaction reads the portal and lists what it would write. With WRITE=1 it runs as Lambda would run
it, with its checkpoints: a change that the deployed one has handled is not written twice.
"""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import typer

from ops import change_line
from ops.build import ROOT
from ops.deployed import Deployed, Stack, client, find_stack
from ops.filter_policy import Policy, matches
from ops.mapping import logical_id
from ops.outcome import print_document
from ops.portals import open_portal
from ops.stopping import Stop
from ops.subscription import subscription
from ops.template_file import read_template
from ops.temporary_queue import TemporaryQueue, remove_left
from ops.terminal import console, shown
from ops.try_reaction import LiveReaction, Tried, set_environment
from relay.change import Change
from relay.errors import NotOursError
from relay.event import TYPE_PREFIXES, Event
from relay.portal import Portal

WAIT_SECONDS = 1
LETTERS = 200  # of a write's parameters


def command(
    on: Annotated[str, typer.Option(help="deal, deal.updated, an event's code")] = "",
    run: Annotated[str, typer.Option(help="A reaction of this folder: call_ada")] = "",
    stack: Stack = "relay",
    *,
    write: Annotated[bool, typer.Option("--write", help="Let it write to the portal")] = False,
) -> None:
    """Show live changes until Ctrl-C; run a local reaction on each, dry unless WRITE=1."""
    if write and not run:
        raise SystemExit("WRITE=1 needs RUN=<reaction>: nothing else writes")
    reaction = LiveReaction(run) if run else None
    found = find_stack(stack)
    topic, policy = _subscription(on, run)
    arn = found.outputs[f"{topic}Arn"]
    sqs, sns = client("sqs"), client("sns")
    prefix = f"{found.name}-listen-"
    remove_left(sqs, sns, arn, prefix)
    with (
        Stop() as stop,
        TemporaryQueue(sqs, sns, arn, f"{prefix}{time.time_ns()}", policy) as queue,
    ):
        listener = _Listener(found, queue, reaction, policy, write=write)
        console.print("listening; Ctrl-C ends it, and deletes its queue")
        while not stop:
            for message in queue.messages(WAIT_SECONDS):
                listener.take(message)
                if stop:
                    break


def _subscription(on: str, run: str) -> tuple[str, dict[str, Any]]:
    """Return the topic and the filter policy that were asked for; exits for none that exists."""
    if on:
        try:
            subscribed = subscription(on)
        except ValueError as error:
            raise SystemExit(str(error)) from None
        return subscribed.topic, {"type": subscribed.policy["type"]}
    if run:
        entries = read_template(ROOT / "template.yaml")["Mappings"]["Reaction"]
        if not (entry := entries.get(logical_id(run))):
            raise SystemExit(
                f"{run} has no entry in template.yaml; ON=deal.updated says what it gets"
            )
        return entry["Topic"], json.loads(entry["Filter"])
    return "ChangesTopic", {}


class _Listener:
    """Shows messages, and runs a reaction on them."""

    def __init__(
        self,
        stack: Deployed,
        queue: TemporaryQueue,
        reaction: LiveReaction | None,
        policy: Policy,
        *,
        write: bool,
    ) -> None:
        self._queue, self._reaction, self._policy, self._write = queue, reaction, policy, write
        if write:
            set_environment(stack, queue.url)
        self._portal = cache(lambda name: self._open(stack, name))

    def _open(self, stack: Deployed, name: str) -> Portal:
        return open_portal(client("ssm"), client("dynamodb"), stack, name)

    def take(self, message: Mapping[str, Any]) -> None:
        """Show a message, run the reaction, and delete the message unless it comes back."""
        attributes = message.get("MessageAttributes", {})
        if "reason" in attributes:  # the reaction, run with WRITE=1, has given it up
            console.print(shown(f"          given up: {attributes['reason']['StringValue']}"))
            self._queue.delete(message)
            return
        try:
            document = json.loads(message["Body"])
            line = _line(document)
        except (NotOursError, ValueError, TypeError, KeyError, AttributeError) as stray:
            console.print(shown(f"a message that is no change: {stray!r:.200}"))
            self._queue.delete(message)
            return
        if not matches(self._policy, document):
            self._queue.delete(message)  # a new filter takes AWS up to 15 minutes
            return
        console.print(shown(line))
        tried = self._try(message) if self._reaction else None
        if console.quiet:
            print_document(document | _document(tried))
        if tried and self._write and tried.error:
            return
        self._queue.delete(message)

    def _try(self, message: Mapping[str, Any]) -> Tried | None:
        if not self._reaction:
            return None
        began = time.monotonic()
        if self._write:
            tried = self._reaction.run(message, "the queue")
        else:
            tried = self._reaction.try_dry(message["Body"], self._portal)
        for method, params in tried.writes:
            text = json.dumps(params, ensure_ascii=False, default=str)
            console.print(shown(f"          would write {method} {text[:LETTERS]}"))
        ended = tried.error or ("not its records" if tried.skipped else "handled")
        milliseconds = (time.monotonic() - began) * 1000
        console.print(shown(f"          {ended}, {milliseconds:.0f} ms"))
        return tried


def _line(document: Mapping[str, Any]) -> str:
    clock = str(document["time"])[11:19]
    if str(document["type"]).startswith(TYPE_PREFIXES):
        event = Event.from_cloudevent(document)
        return f"{clock}  {event.name} {event.subject or ''}".rstrip()
    change = Change.from_cloudevent(document)
    return f"{clock}  {change_line.words(change)}\n          CHANGE={change.change_id}"


def _document(tried: Tried | None) -> dict[str, object]:
    if tried is None:
        return {}
    writes = [{"method": method, "params": params} for method, params in tried.writes]
    return {"reaction": {"writes": writes, "error": tried.error or None, "skipped": tried.skipped}}

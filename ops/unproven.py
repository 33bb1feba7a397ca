"""Why the event of a marked contact did not come, as far as the log of the stack tells."""

import time
from collections.abc import Callable
from typing import Any

from ops.deployed import Deployed
from ops.log_search import Line, Span, search

EVENT_NAME = "ONCRMCONTACTADD"
QUIET = {"WARNING", "ERROR"}  # levels at which neither events nor refusals are logged
INGRESS = {"ingress", "republish"}
CLOCK_SECONDS = 5.0  # by which this machine's clock may be ahead of AWS's


def why(
    client: Callable[[str], Any], stack: Deployed, portal: str, contact: str, since: float
) -> str:
    """Return the likely cause, and what to do; `since` (epoch s) is when it was written."""
    span = Span(since - CLOCK_SECONDS, time.time())
    lines = [
        line
        for text in ("published", "refused", "spilled")
        for line in search(client("logs"), stack.outputs["LogGroup"], text, [span])
        if line.get("service") in INGRESS and line.get("message") == text
    ]
    for line in lines:
        if line.get("subject") == f"contact/{contact}" and line.get("event_name") == EVENT_NAME:
            return _of_published(line, portal, contact)
    refused = [one for one in lines if one.get("code") == "not_verified" and not one.get("route")]
    if refused:
        return (
            f"requests with an unknown token were refused meanwhile ({len(refused)}): copy the "
            f"outgoing webhook's token again, `make rotate PORTAL={portal}`"
        )
    if spilled := [one for one in lines if one.get("message") == "spilled"]:
        return (
            "requests were stored to be published later, the event may be one of them: "
            f"{spilled[-1].get('reason')}; `make doctor` says more"
        )
    if others := {one.get("event_name") for one in lines if one.get("portal") == portal} - {
        EVENT_NAME
    }:
        names = ", ".join(sorted(others)[:3])
        return f"other events came ({names}), but no {EVENT_NAME}: tick it in the outgoing webhook"
    hook = stack.outputs["HookUrl"]
    text = f"no event came: is the outgoing webhook's handler {hook}, with {EVENT_NAME} ticked?"
    level = stack.parameters.get("LogLevel", "")
    if level in QUIET:
        text += f" (LogLevel is {level}: the log does not tell what came)"
    return text


def _of_published(line: Line, portal: str, contact: str) -> str:
    owner = line.get("portal")
    if owner != portal:
        return (
            f"its event bore a token of portal {owner}: the token belongs to another portal, "
            f"`make rotate PORTAL={portal}` takes the right one"
        )
    return (
        "its event came, but it is not in the mirror yet: "
        f"`make trace ITEM=contact/{contact} PORTAL={portal}`"
    )

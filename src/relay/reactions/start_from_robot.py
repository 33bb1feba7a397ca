"""A robot calls -> its item's timeline gets a comment with what the administrator typed."""

from typing import Any

from relay.event import Event
from relay.portal import PortalApi
from relay.reaction import reaction


def text_of(value: Any) -> str:
    """Return a parameter's value as one line: values of a list, or of names in brackets."""
    if isinstance(value, dict):
        value = list(value.values())
    return ", ".join(map(text_of, value)) if isinstance(value, list) else str(value)


@reaction
async def start_from_robot(event: Event, portal: PortalApi) -> None:
    """Robot `start_from_robot` -> crm.timeline.comment.add."""
    document = event.document
    if event.name != "robot.start_from_robot" or document is None:  # a changed filter takes minutes
        return
    typed = [f"{name}: {text_of(value)}" for name, value in event.params.items()]
    await portal.call(
        "crm.timeline.comment.add",
        fields={
            "ENTITY_TYPE": document.kind,
            "ENTITY_ID": document.id,
            "COMMENT": "\n".join(["A robot called.", *typed]),
        },
    )


handler = start_from_robot.handler

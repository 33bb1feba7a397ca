"""What a new reaction begins as: a file that works, and its test."""

from ops.subscription import Subscription
from relay.change import Change

_REACTION = '''"""{on} -> somebody is told."""

from relay.{module} import {kind}
from relay.portal import PortalApi
from relay.reaction import reaction


@reaction
async def {name}({module}: {kind}, portal: PortalApi) -> None:
    """{arrow}."""
    await portal.call(
        "im.notify.system.add",
        USER_ID={person},
        MESSAGE=f"{message}",
    )


handler = {name}.handler
'''

_TEST = '''"""relay.reactions.{name}: which methods it calls, with what."""

import asyncio

from relay.portal.fake import FakePortal
from relay.reactions.{name} import {name}
from tests.samples import load


def test_somebody_is_told():
    """The responsible person, or user 1, reads what happened."""
    portal = FakePortal({{"im.notify.system.add": 1}})
    asyncio.run({name}(load("sqs_{name}"), portal))
    assert portal.calls == [
        ("im.notify.system.add", {{"USER_ID": 1, "MESSAGE": "{said}"}}),
    ]
'''


def reaction_and_test(name: str, on: str, found: Subscription) -> tuple[str, str]:
    """Return the texts of a reaction's file and of its test."""
    sample = found.sample
    if isinstance(sample, Change):
        side = "before" if sample.action == "deleted" else "after"
        field = "responsibleId" if sample.entity == "task" else "assignedById"
        texts = {
            "module": "change",
            "kind": "Change",
            "person": f'change.{side}["{field}"]',
            "message": "{change.entity} {change.id} was {change.action}",
        }
        said = f"{sample.entity} {sample.id} was {sample.action}"
    else:
        texts = {
            "module": "event",
            "kind": "Event",
            "person": "1",
            "message": "{event.name} {event.id}",
        }
        said = f"{sample.name} {sample.id}"
    arrow = f"{on} -> im.notify.system.add"
    written = _REACTION.format(name=name, on=on, arrow=arrow, **texts)
    return written, _TEST.format(name=name, said=said)

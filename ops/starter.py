"""What a new reaction begins as: a file that works, and its test."""

import json
from collections.abc import Sequence

from ops.subscription import Subscription
from relay.change import Change

MOST_LETTERS = 69  # of a field and a value, so that their line has at most 100

_REACTION = '''"""{on} -> somebody is told."""

from relay.{module} import {kind}
from relay.portal import PortalApi
from relay.reaction import reaction
{constants}

@reaction
async def {name}({module}: {kind}, portal: PortalApi) -> None:
    """{arrow}."""
    # What a changed filter keeps away comes for up to 15 minutes all the same.
{checks}
    await portal.call(
        "im.notify.system.add",
        USER_ID={person},
        MESSAGE=f"{message}",
    )


handler = {name}.handler
'''

_TEST = '''"""relay.reactions.{name}: which methods it calls, with what."""

import asyncio
from dataclasses import replace

from relay.portal.fake import FakePortal
from relay.reactions.{name} import {name}
from tests.samples import load

SAMPLE = load("sqs_{name}")


def test_somebody_is_told():
    """The responsible person, or user 1, reads what happened."""
    portal = FakePortal({{"im.notify.system.add": 1}})
    asyncio.run({name}(SAMPLE, portal))
    assert portal.calls == [
        ("im.notify.system.add", {{"USER_ID": 1, "MESSAGE": "{said}"}}),
    ]


def test_what_the_filter_keeps_away_calls_nothing():
    """A changed filter takes minutes, so the reaction looks again."""
    portal = FakePortal()
    asyncio.run({name}(replace(SAMPLE, {other}), portal))
    assert portal.calls == []
'''


def reaction_and_test(name: str, on: str, found: Subscription) -> tuple[str, str]:
    """Return the texts of a reaction's file and of its test."""
    sample = found.sample
    if isinstance(sample, Change):
        constants, checks = _checks(found)
        on = ", ".join(f"{sample.entity}.{action}" for action in found.actions)
        side = "before" if sample.action == "deleted" else "after"
        field = "responsibleId" if sample.entity == "task" else "assignedById"
        texts = {
            "module": "change",
            "kind": "Change",
            "person": f'change.{side}["{field}"]',
            "message": "{change.entity} {change.id} was {change.action}",
            "constants": constants,
            "checks": checks,
        }
        another = "added" if "deleted" in found.actions else "deleted"
        other = "changed=()" if found.fields else f'action="{another}"'
        said = f"{sample.entity} {sample.id} was {sample.action}"
    else:
        texts = {
            "module": "event",
            "kind": "Event",
            "person": "1",
            "message": "{event.name} {event.id}",
            "constants": "",
            "checks": f'    if event.name != "{sample.name}":\n        return',
        }
        other = 'name="ONANOTHER"'
        said = f"{sample.name} {sample.id}"
    arrow = f"{on} -> im.notify.system.add"
    written = _REACTION.format(name=name, on=on, arrow=arrow, **texts)
    return written, _TEST.format(name=name, said=said, other=other)


def _checks(found: Subscription) -> tuple[str, str]:
    """Return the constants, and the lines, with which a reaction looks at what its filter asks."""
    entity = f'change.entity != "{found.sample.entity}"'
    one_action = f'change.action != "{found.actions[0]}"'
    several = 'change.action == "deleted"'
    checks = [f"{entity} or {one_action if len(found.actions) == 1 else several}"]
    constants = ""
    if len(found.fields) > 1:
        constants = _constant("FIELDS", found.fields)
        checks.append("not any(map(change.moved, FIELDS))")
    elif len(found.values) > 1:
        constants = f'\nFIELD = "{found.fields[0]}"' + _constant("TO", found.values)
        checks.append("not any(change.moved(FIELD, to=one) for one in TO)")
    elif found.fields:
        field = f'"{found.fields[0]}"'
        to = _literal(found.values[0]) if found.values else ""
        if len(field + to) > MOST_LETTERS:
            constants = f"\nFIELD = {field}\nTO = {to}\n"
            field, to = "FIELD", to and "TO"
        checks.append(f"not change.moved({field}{', to=' * bool(to)}{to})")
    return constants, "\n".join(f"    if {check}:\n        return" for check in checks)


def _constant(name: str, values: Sequence[int | str]) -> str:
    return f"\n{name} = (\n" + "".join(f"    {_literal(one)},\n" for one in values) + ")\n"


def _literal(value: int | str) -> str:
    return json.dumps(value, ensure_ascii=False)

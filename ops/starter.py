"""The text of a new reaction's file, which works, and of its test."""

import json
from collections.abc import Sequence

from ops.subscription import Subscription
from relay.change import Change

MAX_LETTERS = 69  # of a field and a value, so that their line has at most 100

_REACTION = '''"""{on} -> the responsible person gets a notification."""

from relay.{module} import {kind}
from relay.portal import PortalApi
from relay.reaction import reaction
{constants}

@reaction
async def {name}({module}: {kind}, portal: PortalApi) -> None:
    """{arrow}."""
    # For up to 15 minutes after the filter was changed, other changes may still come.
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


def test_the_responsible_person_gets_a_notification():
    """The responsible person, or user 1, gets one notification."""
    portal = FakePortal({{"im.notify.system.add": 1}})
    asyncio.run({name}(SAMPLE, portal))
    assert portal.calls == [
        ("im.notify.system.add", {{"USER_ID": 1, "MESSAGE": "{text}"}}),
    ]


def test_what_the_filter_excludes_calls_nothing():
    """A record that the filter excludes, but that comes while it changes, causes no call."""
    portal = FakePortal()
    asyncio.run({name}(replace(SAMPLE, {other}), portal))
    assert portal.calls == []
'''


def reaction_and_test(name: str, on: str, subscribed: Subscription) -> tuple[str, str]:
    """Return the texts of a reaction's file and of its test."""
    sample = subscribed.sample
    if isinstance(sample, Change):
        constants, checks = _checks(subscribed)
        on = ", ".join(f"{sample.entity}.{action}" for action in subscribed.actions)
        side = "before" if sample.action == "deleted" else "after"
        field = "responsibleId" if sample.entity in {"task", "activity"} else "assignedById"
        texts = {
            "module": "change",
            "kind": "Change",
            "person": f'change.{side}["{field}"]',
            "message": "{change.entity} {change.id} was {change.action}",
            "constants": constants,
            "checks": checks,
        }
        another = "added" if "deleted" in subscribed.actions else "deleted"
        other = "changed=()" if subscribed.fields else f'action="{another}"'
        other = "passed=()" if subscribed.passed is not None else other
        text = f"{sample.entity} {sample.id} was {sample.action}"
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
        text = f"{sample.name} {sample.id}"
        if sample.params:
            texts["message"] = "{event.subject} {event.params}"
            text = f"{sample.subject} {sample.params}"
    arrow = f"{on} -> im.notify.system.add"
    reaction = _REACTION.format(name=name, on=on, arrow=arrow, **texts)
    return reaction, _TEST.format(name=name, text=text, other=other)


def _checks(subscribed: Subscription) -> tuple[str, str]:
    """Return the constants and the lines with which a reaction repeats its filter's conditions."""
    entity = f'change.entity != "{subscribed.sample.entity}"'
    one_action = f'change.action != "{subscribed.actions[0]}"'
    several = 'change.action == "deleted"'
    checks = [f"{entity} or {one_action if len(subscribed.actions) == 1 else several}"]
    constants = ""
    if len(subscribed.fields) > 1:
        constants = _constant("FIELDS", subscribed.fields)
        checks.append("not any(map(change.moved, FIELDS))")
    elif len(subscribed.values) > 1:
        constants = f'\nFIELD = "{subscribed.fields[0]}"' + _constant("TO", subscribed.values)
        checks.append("not any(change.moved(FIELD, to=one) for one in TO)")
    elif subscribed.passed:
        constants = _constant("TO", subscribed.passed)
        checks.append("not set(TO) & set(change.passed)")
    elif subscribed.passed is not None:
        checks.append("not change.passed")
    elif subscribed.fields:
        field = f'"{subscribed.fields[0]}"'
        to = _literal(subscribed.values[0]) if subscribed.values else ""
        if len(field + to) > MAX_LETTERS:
            constants = f"\nFIELD = {field}\nTO = {to}\n"
            field, to = "FIELD", to and "TO"
        checks.append(f"not change.moved({field}{', to=' * bool(to)}{to})")
    return constants, "\n".join(f"    if {check}:\n        return" for check in checks)


def _constant(name: str, values: Sequence[float | str]) -> str:
    return f"\n{name} = (\n" + "".join(f"    {_literal(one)},\n" for one in values) + ")\n"


def _literal(value: float | str) -> str:
    return json.dumps(value, ensure_ascii=False)

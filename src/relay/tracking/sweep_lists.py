"""Ids and times of a kind of items, page by page in the order of ids: 2,500 in a request."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from relay.errors import CallError
from relay.kinds import kind_of
from relay.portal import PortalApi
from relay.portal.batch import MAX_COMMANDS
from relay.tracking.commands import PAGE, items_of, list_command, reference
from relay.tracking.projection import is_template, project


class Listed(NamedTuple):
    """What a list tells of an item; `updated` as the mirror spells it."""

    id: int
    updated: str


class Page(NamedTuple):
    """The items after an id, up to the last that was asked for; `last` is None at the end."""

    items: list[Listed]
    last: int | None


async def first_page(portal: PortalApi, entity: str, after: int, since: str | None) -> Page:
    """Return one page; it travels together with those of other kinds."""
    method, params = list_command(entity, after=after, since=since)
    return _page(entity, items_of(entity, await portal.call(method, **params)))


async def next_pages(portal: PortalApi, entity: str, after: int, since: str | None) -> Page:
    """Return up to 50 pages: each command goes on after the last id of the one before it."""
    commands = {}
    for number in range(MAX_COMMANDS):
        start = reference(entity, f"p{number - 1}") if number else after
        commands[f"p{number}"] = list_command(entity, after=start, since=since)
    answers = await portal.batch(commands, return_errors=True)
    items: list[Listed] = []
    last: int | None = after
    for number in range(MAX_COMMANDS):
        answer = answers[f"p{number}"]
        if isinstance(answer, CallError):
            if not number:
                raise answer
            # Everything up to the page before is known; the rest is asked for again.
            return Page(items, last)
        page = _page(entity, items_of(entity, answer))
        items += page.items
        last = page.last
        if last is None:
            # What follows a short page refers to an item that is not there: it says nothing.
            break
    return Page(items, last)


def _page(entity: str, raw: list[dict[str, Any]]) -> Page:
    name = kind_of(entity).updated_field
    items = [
        Listed(int(item["id"]), str(project(entity, {name: item.get(name)}).get(name, "")))
        for item in raw
        if not is_template(item)
    ]
    return Page(items, int(raw[-1]["id"]) if len(raw) >= PAGE else None)


def epoch(updated: str) -> float:
    """Return a time as the mirror spells it in seconds since 1970; 0 for none."""
    try:
        return datetime.fromisoformat(updated).astimezone(UTC).timestamp()
    except ValueError:
        return 0

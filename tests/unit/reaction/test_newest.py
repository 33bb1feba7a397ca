"""relay.reaction.newest: a change that comes after a later one says so."""

from dataclasses import replace

from relay import settings
from relay.change import Change
from relay.errors import TransientError
from relay.reaction import reaction
from relay.reaction.deadline import RESERVE_SECONDS
from tests.batches import handle, noting
from tests.samples import change_of, event_of

CHANGE = change_of()
EVENT = event_of()
SOON = RESERVE_SECONDS + 0.1


def test_a_change_older_than_a_handled_one_says_so(portal):
    """Order across batches is not promised, but a reaction can tell; a new mirror begins anew."""
    seen = []
    note = noting(seen)
    for its in (
        change_of(version=3),
        change_of(version=2),
        change_of(version=4),
        replace(CHANGE, change_id="main.deal.5.c.1"),
    ):
        assert handle(note, its.to_json()) == []
    assert [its.superseded for its in seen] == [False, True, False, False]
    assert not portal.sqs.sent


def test_one_item_that_waits_does_not_hold_up_its_next_change(portal):
    """The next one runs; the one before it will know that it is superseded."""
    seen = []

    @reaction
    async def pick(change: Change) -> None:
        """Wait for one."""
        if change.version == 2 and not seen:
            seen.append(change)
            raise TransientError("m", "QUERY_LIMIT_EXCEEDED")
        seen.append(change)

    assert handle(pick, change_of(version=2).to_json(), change_of(version=3).to_json()) == ["m0"]
    assert handle(pick, change_of(version=2).to_json()) == []
    assert [(its.version, its.superseded) for its in seen] == [(2, False), (3, False), (2, True)]
    assert settings.flag("ALLOW_HTTP") is False
    assert not portal.sqs.sent

"""relay.reaction.newest: a change that comes after a later one says so."""

import time

from relay.change import Change
from relay.errors import TransientError
from relay.reaction import reaction
from tests.batches import handle, noting
from tests.samples import change_of


def of_new_mirror(version):
    """Return a change after the mirror was made anew: versions begin at 1."""
    return change_of(version=version, change_id=f"main.deal.5.c.{version}")


def test_a_change_older_than_a_handled_one_is_superseded(portal):
    """A change is `superseded` if a later version was handled; a new mirror begins anew."""
    received = []
    note = noting(received)
    for one in (
        change_of(version=3),
        change_of(version=2),
        change_of(version=4),
        change_of(version=4),
        change_of(version=3),
        of_new_mirror(2),
        of_new_mirror(1),
    ):
        assert handle(note, one.to_json()) == []
    late = [one.superseded for one in received]
    assert late == [False, True, False, False, True, False, True]
    assert not portal.sqs.sent


def test_a_change_that_waits_does_not_hold_up_the_next_one(portal):
    """The next change of an item runs although the former waits; the former is superseded then."""
    received = []

    @reaction
    async def pick(change: Change) -> None:
        """Wait for one."""
        if change.version == 2 and not received:
            received.append(change)
            raise TransientError("m", "QUERY_LIMIT_EXCEEDED")
        received.append(change)

    assert handle(pick, change_of(version=2).to_json(), change_of(version=3).to_json()) == ["m0"]
    assert handle(pick, change_of(version=2).to_json()) == []
    assert [(one.version, one.superseded) for one in received] == [
        (2, False),
        (3, False),
        (2, True),
    ]
    assert not portal.sqs.sent


def test_a_change_that_failed_supersedes_none(portal):
    """An older change that comes after a failed one is not superseded: nothing was handled."""
    received = []

    @reaction
    async def fail_once(change: Change) -> None:
        """Fail for the first change."""
        received.append(change)
        if len(received) == 1:
            raise ZeroDivisionError

    assert handle(fail_once, change_of(version=3).to_json()) == ["m0"]
    assert handle(fail_once, change_of(version=2).to_json()) == []
    assert [one.superseded for one in received] == [False, False]
    assert not portal.sqs.sent


def test_the_handled_version_is_stored_for_a_month_and_by_later_versions_only(portal):
    """A repeat and an older change store nothing; the row goes some time after its last write."""
    for version in (3, 3, 2):
        assert handle(noting([]), change_of(version=version).to_json()) == []
    ((key, row),) = portal.sqs.table.rows.items()
    assert (key, row["version"]) == ("newest#note#main#deal/5", {"N": "3"})
    assert 29 < (int(row["expires"]["N"]) - time.time()) / 86400 <= 30
    assert portal.sqs.table.asked.count("BatchWriteItem") == 1

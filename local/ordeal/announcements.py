"""The Changes that were announced after the mirror was filled."""

from collections import Counter
from collections.abc import Iterable, Mapping

from local.ordeal import judge
from local.ordeal.judge import DealState
from relay.change import Change


class Announcements:
    """All announcements in the order in which they came, repeated ones included.

    `begin` is the mirror's state of each deal when it was filled.
    """

    def __init__(self) -> None:
        self.begin: dict[str, DealState] = {}
        self._of_deals: list[Change] = []
        self._others: list[Change] = []

    def take(self, changes: Iterable[Change]) -> None:
        """Add announced Changes."""
        for change in changes:
            (self._of_deals if change.entity == "deal" else self._others).append(change)

    def by_deal(self, findings: list[str]) -> dict[str, list[Change]]:
        """Return each deal's Changes after `begin`, in the order of their versions."""
        return {
            deal: [one for one in changes if one.version > self._begin_of(deal).version]
            for deal, changes in judge.distinct(self._of_deals, findings).items()
        }

    def _begin_of(self, deal: str) -> DealState:
        return self.begin.get(deal, DealState())

    def ends(self, findings: list[str]) -> dict[str, DealState]:
        """Return the state to which each deal's Changes lead."""
        return self.begin | {
            deal: judge.chain(self._begin_of(deal), changes, findings)
            for deal, changes in self.by_deal(findings).items()
        }

    def behind(self, mirror: Mapping[str, DealState]) -> list[str]:
        """Return the deals whose state in the mirror is not announced yet."""
        ends = self.ends([])
        return [
            deal
            for deal, state in mirror.items()
            if judge.differs(state.form, ends.get(deal, DealState()).form)
        ]

    def won(self) -> list[Change]:
        """Return the Changes that the reaction has to act on, each once."""
        return _distinct(change for change in self._of_deals if judge.is_won(change))

    def all(self) -> list[Change]:
        """Return the Changes of all kinds, each once."""
        return _distinct(self._of_deals + self._others)

    def counts(self) -> dict[str, int]:
        """Return the numbers of announced, repeated and relay-written Changes."""
        ids = Counter(change.change_id for change in self._of_deals)
        return {
            "announced": len(ids),
            "announced once more": ids.total() - len(ids),
            "written by a reaction": sum(change.origin == "relay" for change in self.all()),
        }


def _distinct(changes: Iterable[Change]) -> list[Change]:
    return list({change.change_id: change for change in changes}.values())

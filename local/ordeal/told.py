"""What is announced from the moment on at which the mirror was looked at."""

from collections import Counter
from collections.abc import Iterable

from local.ordeal import judge
from local.ordeal.judge import Known
from relay.change import Change


class Told:
    """All announcements of deals as they came, those that came twice too."""

    def __init__(self) -> None:
        self.begin: dict[str, Known] = {}
        self.others: list[Change] = []
        self._announced: list[Change] = []

    def take(self, changes: Iterable[Change]) -> None:
        """Take in what has been announced."""
        for change in changes:
            (self._announced if change.entity == "deal" else self.others).append(change)

    def by_deal(self, findings: list[str]) -> dict[str, list[Change]]:
        """Return each deal's Changes since then, in order."""
        return {
            deal: [its for its in changes if its.version > self.at_first(deal).version]
            for deal, changes in judge.distinct(self._announced, findings).items()
        }

    def at_first(self, deal: str) -> Known:
        """Return what was known of a deal then."""
        return self.begin.get(deal, Known())

    def ends(self, findings: list[str]) -> dict[str, Known]:
        """Return where the Changes of each deal have led to."""
        return self.begin | {
            deal: judge.chain(self.at_first(deal), changes, findings)
            for deal, changes in self.by_deal(findings).items()
        }

    def behind(self, mirror: dict[str, Known]) -> list[str]:
        """Return the deals of which the mirror knows more than was announced."""
        ends = self.ends([])
        return [
            deal
            for deal, known in mirror.items()
            if judge.differs(known.form, ends.get(deal, Known()).form)
        ]

    def won(self) -> list[Change]:
        """Return the Changes that the reaction is to act on, each once."""
        return list({its.change_id: its for its in self._announced if judge.is_won(its)}.values())

    def all(self) -> list[Change]:
        """Return all that was announced, each once, of whatever kind."""
        return list({its.change_id: its for its in self._announced + self.others}.values())

    def counts(self) -> dict[str, int]:
        """Return how much was announced, and how much of it once more."""
        ids = Counter(change.change_id for change in self._announced)
        return {
            "announced": len(ids),
            "announced once more": ids.total() - len(ids),
            "written by a reaction": sum(its.origin == "relay" for its in self.all()),
        }

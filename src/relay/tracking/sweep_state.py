"""How far the sweeps of each portal are: one document a portal, written by the lease's holder.

State table: `sweep#<portal>` with owner, lease_until (seconds since 1970) and document (JSON).
"""

import json
from dataclasses import asdict, dataclass, field, fields

from relay.aws_types import Client, Item
from relay.errors import ConditionFailedError, LostLeaseError
from relay.portal.api import Result
from relay.state_table import conditional, key, sweep_key
from relay.tracking.row import MOST_ID

READING, DONE, REFUSED = "reading", "done", "refused"
# The modes of lists. The first filling: all ids get a hint, then those without a row are counted.
BASELINE, COMPLETION = "baseline", "completion"
# Each sweep: items that changed since the last sweep, and items with new ids.
CHANGED, NEW = "changed", "new"
# Once a day all ids are compared with the mirror's; every few days all items are read.
AUDIT, RECONCILE = "audit", "reconcile"


@dataclass(slots=True)
class KindProgress:
    """How far the sweeps of one kind are; times are seconds since 1970 by the portal's clock."""

    baseline: str | None = None  # READING once all ids were listed, DONE once each has a row
    swept_at: float = 0  # start of the last whole sweep
    highest_id: int = 0  # that was ever listed
    item_count: int = 0  # listed, or known, in the last list of all ids
    missing_rows: int | None = None  # items of it without a row yet
    no_progress: bool = False  # as many in the sweep before
    audited_at: float = 0  # when all ids were compared with the mirror's
    reconciled_at: float = 0  # when all items were read
    refused: bool = False  # the portal does not offer this kind to the webhook
    parts: str = ""  # that the mirror's rows were filled with, in their order
    # An id of the stage history up to which every row was visible, and its item compared.
    settled_step: int | None = None
    steps_refused: bool = False  # the portal gives no stage history of this kind to the webhook


@dataclass(slots=True)
class ListJob:
    """One list of a sweep; a list that was not finished is continued by the next sweep."""

    entity: str
    mode: str  # why the kind is listed: one of the modes above
    after: int = 0  # the id after which the list goes on
    since: str = ""  # the time of change from which on items are listed, empty: all
    up_to_id: int = MOST_ID  # items above it belong to another list
    hint_missing: bool = False  # items without a row get another
    item_count: int = 0
    missing_rows: int = 0
    highest_id: int = 0
    started_at: float | None = None  # the sweep's start by the portal's clock
    parts: str = ""  # that are filled in by this list
    done: bool = False
    failed: str | None = None  # how the next sweep treats a list that could not be read


@dataclass(slots=True)
class SweepDocument:
    """What the sweeps of one portal keep from one to the next."""

    kinds: dict[str, KindProgress] = field(default_factory=dict)
    jobs: list[ListJob] = field(default_factory=list)
    types_asked_at: float = 0  # for its kinds, by our clock
    # By time_filter_of: the seconds to add to a time in a filter, and when they were measured.
    filter_offsets: dict[str, tuple[int, float]] = field(default_factory=dict)
    zone_offset_seconds: float = 0  # of the portal's time zone
    clock_ahead_seconds: float = 0  # how far ours is ahead of the portal's

    def is_baselined(self, entity: str) -> bool:
        """Say whether the first filling of a kind is complete: each of its items has a row."""
        return entity in self.kinds and self.kinds[entity].baseline == DONE

    @property
    def zone(self) -> int | None:
        """The offset of the portal's clock in seconds; None before a sweep has ended."""
        known = any(kind.swept_at for kind in self.kinds.values())
        return int(self.zone_offset_seconds) if known else None

    def settled_step(self, entity: str) -> int | None:
        """Return the kind's settled step; None before a sweep has read its stage history."""
        return self.kinds[entity].settled_step if entity in self.kinds else None

    def progress(self) -> dict[str, str]:
        """Return how far each kind's baseline is: `refused`, `done` or `7 of 12`."""
        progress = {}
        for name, kind in self.kinds.items():
            count = kind.item_count
            missing = count if kind.missing_rows is None else kind.missing_rows
            counted = DONE if kind.baseline == DONE else f"{count - missing} of {count}"
            progress[name] = REFUSED if kind.refused else counted
        return progress

    def to_json(self) -> str:
        """Return the document as it is stored."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "SweepDocument":
        """Return a stored document; what only newer code knows is left out."""
        document = _from_stored(cls, json.loads(text))
        kinds, offsets = document.kinds.items(), document.filter_offsets.items()
        document.kinds = {name: _from_stored(KindProgress, kind) for name, kind in kinds}
        document.jobs = [_from_stored(ListJob, job) for job in document.jobs]
        document.filter_offsets = {name: (seconds, at) for name, (seconds, at) in offsets}
        return document


def _from_stored[T: (KindProgress, ListJob, SweepDocument)](cls: type[T], stored: Result) -> T:
    return cls(**{one.name: stored[one.name] for one in fields(cls) if one.name in stored})


class SweepState:
    """The documents and leases in the State table."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def acquire(self, portal: str, owner: str, now: float, seconds: float) -> SweepDocument | None:
        """Take the lease for some seconds; returns the document, None if another owner holds it."""
        try:
            with conditional():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=key(sweep_key(portal)),
                    UpdateExpression="SET #owner = :owner, lease_until = :until",
                    ConditionExpression="attribute_not_exists(lease_until) OR lease_until < :now",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={
                        ":owner": {"S": owner},
                        ":until": {"N": str(int(now + seconds))},
                        ":now": {"N": str(int(now))},
                    },
                    ReturnValues="ALL_NEW",
                )
        except ConditionFailedError:
            return None
        return _document(answer["Attributes"])

    def save(
        self, portal: str, owner: str, document: SweepDocument, lease_until: float = 0
    ) -> None:
        """Write the document and the lease's end, 0 to give it back; raises LostLeaseError."""
        try:
            with conditional():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **key(sweep_key(portal)),
                        "owner": {"S": owner},
                        "lease_until": {"N": str(int(lease_until))},
                        "document": {"S": document.to_json()},
                    },
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
        except ConditionFailedError as error:
            raise LostLeaseError(f"another sweep of {portal} has taken over") from error

    def read(self, portal: str) -> SweepDocument:
        """Return the document, whoever holds the lease."""
        answer = self._client.get_item(TableName=self._table, Key=key(sweep_key(portal)))
        return _document(answer.get("Item", {}))


def _document(row: Item) -> SweepDocument:
    return SweepDocument.from_json(row["document"]["S"]) if "document" in row else SweepDocument()

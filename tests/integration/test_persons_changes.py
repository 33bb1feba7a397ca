"""No person's change is taken for a reaction's, whatever both write: random writes and edits.

A model of a portal stores values by the types of its fields, in a zone of its own. A reaction
writes in any spelling, a person edits as the same user, before or after it; one reading sees both.
If the person's part shows in what was read, the change is the person's; if there is none, it is an
echo, because every spelling here is one that a portal understands.
"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from relay.change import Fields
from relay.echo.detect import is_echo
from relay.tracking.difference import difference
from relay.tracking.projection import project
from tests.ledger import rows_of, update
from tests.samples import change_of

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
USER = 7
FINAL = {"WON": "S", "LOSE": "F"}
TEXTS = [
    *("", "0", "1", "7", "007", "1e3", "1000", "1000.0", "1_000", "nan", "N", "Y", "n", "true"),
    *("500100732259", "500100732250", "79991234567", "79991234569", "1|EUR", "1.0|EUR"),
    *("2026-03-01", "2026-03-01 09:00", "2026-03-01 18:00"),
    *("a" * 70, "a" * 70 + "b", "٣", "$result[a]"),
]
DAYS = [f"2026-03-0{number}" for number in range(1, 5)]
NUMBERS = ["0", "5", "5.00", "1000", "1000.5", "-7"]


def text(value, _zone):
    """Store a text."""
    return str(value)


def number(value, _zone):
    """Store a number."""
    return float(Decimal(str(value)))


def flag(value, _zone):
    """Store yes or no."""
    return "Y" if str(value).lower() in {"y", "1", "true"} else "N"


def day(value, zone):
    """Store a day: the portal's midnight."""
    when = datetime.fromisoformat(value)
    when = when.astimezone(zone) if when.tzinfo else when
    return datetime(when.year, when.month, when.day, tzinfo=zone).isoformat()


def moment(value, zone):
    """Store a time."""
    return datetime.fromisoformat(value).astimezone(zone).isoformat()


def link(value, _zone):
    """Store the number of something."""
    return int(value or 0)


def rows(values, _zone):
    """Store several texts."""
    return [value for value in values if value != ""]


SPELT_DAYS = st.sampled_from(DAYS) | st.builds(
    "{}T{}:00:00Z".format, st.sampled_from(DAYS), st.just("12")
)
TYPES = {
    "title": (text, st.sampled_from(TEXTS)),
    "ufCrmText": (text, st.sampled_from(TEXTS)),
    "ufCrmNumber": (number, st.sampled_from([*NUMBERS, 5, 5.5])),
    "opportunity": (number, st.sampled_from([*NUMBERS, 5, 5.5])),
    "opened": (flag, st.sampled_from(["Y", "N", 1, 0, "1", "0", True, False])),
    "ufCrmFlag": (flag, st.sampled_from(["Y", "N", True, False])),
    "closedate": (day, SPELT_DAYS),
    "begindate": (day, SPELT_DAYS),
    "ufCrmTime": (
        moment,
        st.builds("{}T{}:00{}".format, st.sampled_from(DAYS), st.sampled_from(["09", "18"]),
                  st.sampled_from(["Z", "+03:00", ":30-05:00"])),
    ),
    "assignedById": (link, st.sampled_from([1, "1", 2, "2", 0, "0"])),
    "companyId": (link, st.sampled_from([1, "1", 2, 0, ""])),
    "observers": (rows, st.lists(st.sampled_from([1, 2, 3]), unique=True, max_size=3)),
    "ufCrmMany": (rows, st.lists(st.sampled_from(TEXTS), unique=True, max_size=3)),
    "stageId": (text, st.sampled_from(["NEW", "A", "WON", "LOSE"])),
}  # fmt: skip
WRITES = st.fixed_dictionaries({}, optional={name: values for name, (_, values) in TYPES.items()})
ZONES = st.sampled_from([-9, -5, 0, 3, 5.75, 13, 14]).map(
    lambda hours: timezone(timedelta(hours=hours))
)


class Portal:
    """One deal, and what the portal sets beside what is written."""

    def __init__(self, zone):
        self.zone = zone
        self.item = {"stageId": "NEW", "stageSemanticId": "P", "companyIds": []}

    def save(self, fields, at, *, user=USER):
        """Store fields, as core does."""
        before = dict(self.item)
        for name, value in fields.items():
            self.item[name] = TYPES[name][0](value, self.zone)
        now = datetime.fromtimestamp(at, self.zone).replace(microsecond=0).isoformat()
        if self.item["stageId"] != before["stageId"]:
            self.item |= {
                "movedTime": now,
                "movedBy": user,
                "previousStageId": before["stageId"],
                "stageSemanticId": FINAL.get(self.item["stageId"], "P"),
            }
            if self.item["stageId"] in FINAL:
                self.item["closedate"] = day(now, self.zone)
        if "companyId" in fields:
            self.item["companyIds"] = [self.item["companyId"]] if self.item["companyId"] else []
        if "opportunity" in fields:
            self.item["isManualOpportunity"] = "Y"
        self.item |= {"updatedBy": user, "updatedTime": now}


def judge(before, after, notes):
    """Return whether the change between two readings is an echo; None if there is none."""
    before, after = project("deal", before), project("deal", after)
    changed = difference(before, after)
    if not changed:
        return None
    change = change_of(
        time=datetime.fromtimestamp(NOW + 9, UTC).isoformat(timespec="milliseconds"),
        changed=tuple(changed),
        before=Fields({name: before.get(name) for name in changed}),
        after=Fields(after),
    )
    return is_echo(notes, change)


def noted(*writes):
    """Return the rows of the ledger after these writes, a second apart."""
    notes = (
        update(fields, number=number, user_id=USER, now=NOW + number)
        for number, fields in enumerate(writes)
    )
    return rows_of(*notes)


quick = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(start=WRITES, write=WRITES, zone=ZONES)
def test_what_a_reaction_wrote_alone_is_an_echo(start, write, zone):
    """Every spelling that a portal understands is told, with what follows from it."""
    portal = Portal(zone)
    portal.save(start, NOW - 3600)
    before = dict(portal.item)
    portal.save(write, NOW + 1)
    assert judge(before, portal.item, noted(write)) in (None, True)


@quick
@given(
    start=WRITES,
    write=WRITES,
    edit=WRITES,
    first=st.booleans(),
    zone=ZONES,
    user=st.sampled_from([USER, 42]),
)
def test_what_a_person_did_beside_it_is_the_persons(start, write, edit, first, zone, user):  # noqa: PLR0913, PLR0917
    """Wherever a field has changed to what the write alone would not have left in it.

    But a person may set a day to what a reaction wrote, and the portal overwrote at once.
    """
    assume("closedate" not in write or write.get("stageId") not in FINAL)
    alone, portal = Portal(zone), Portal(zone)
    for each in (alone, portal):
        each.save(start, NOW - 3600)
    before = dict(portal.item)
    alone.save(write, NOW + 2)
    saves = [(edit, user), (write, USER)] if first else [(write, USER), (edit, user)]
    for at, (fields, who) in enumerate(saves):
        portal.save(fields, NOW + 1 + at, user=who)
    read, expected = project("deal", portal.item), project("deal", alone.item)
    changed = set(difference(project("deal", before), read)) - {"movedTime"}
    visible = changed & set(difference(expected, read))
    if visible:
        assert judge(before, portal.item, noted(write)) is False, visible


@quick
@given(start=WRITES, write=WRITES, edit=WRITES, zone=ZONES)
def test_a_person_who_edits_after_a_reading_is_never_the_reaction(start, write, edit, zone):
    """The reading in between has seen the write: only another value differs from it.

    But a person may set a day to what a reaction wrote, and the portal overwrote at once.
    """
    assume("closedate" not in write or write.get("stageId") not in FINAL)
    portal = Portal(zone)
    portal.save(start, NOW - 3600)
    portal.save(write, NOW + 1)
    before = dict(portal.item)
    portal.save(edit, NOW + 4)
    assert judge(before, portal.item, noted(write)) in (None, False)

"""The portal's own time: its zone, its error, and how it reads dates."""

import time
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_FORMATS = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")


class Clock:
    """A clock in the server's zone; `skew_seconds` puts it wrong on purpose."""

    def __init__(self, offset_hours: float = 3.0) -> None:
        self.zone = timezone(timedelta(hours=offset_hours))
        self.skew_seconds = 0.0

    def now(self) -> float:
        """Unix seconds as this portal believes them to be."""
        return time.time() + self.skew_seconds

    def stamp(self, seconds: float | None = None) -> str:
        """ISO-8601 with the server's offset, to the second [api-reference/data-types.md]."""
        return _stamp(int(self.now() if seconds is None else seconds), self.zone)

    def day(self, seconds: float) -> str:
        """The day of a moment, as a date-only field holds it (see `parse`)."""
        return _day(int(seconds), self.zone)

    def site_stamp(self) -> str:
        """The present as pages of the site write it: `05/17/2023 04:09:23 pm`."""
        moment = datetime.fromtimestamp(self.now(), self.zone)
        return moment.strftime("%m/%d/%Y %I:%M:%S %p").lower()

    def parse(self, value: object, *, shift_hours: float = 0.0, date_only: bool = False) -> str:
        """Bring a date as people write it into the form that is stored, or raise ValueError.

        A date-only field comes back as midnight UTC in the server's zone: the offset artefact
        `2024-08-30T02:00:00+02:00` of the samples [crm-deal-get.md].
        """
        text = str(value).strip()
        moment = _read(text)
        if date_only:
            moment = _midnight(moment)
        elif moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        moment += timedelta(hours=shift_hours)
        return moment.astimezone(self.zone).isoformat(timespec="seconds")


@lru_cache(maxsize=4)
def _stamp(seconds: int, zone: timezone) -> str:
    return datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")


@lru_cache(maxsize=4)
def _day(seconds: int, zone: timezone) -> str:
    moment = _midnight(datetime.fromtimestamp(seconds, zone))
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)


def _read(text: str) -> datetime:
    for pattern in _FORMATS if text[1:3].count(".") else ():  # strptime takes ten times as long
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007  the caller adds the zone
        except ValueError:
            continue
    moment = datetime.fromisoformat(text)
    if not 1 < moment.year < 9999:  # noqa: PLR2004  room for offsets on both sides
        raise ValueError("year out of range")
    return moment

"""Calendar months (UTC) in milliseconds since the epoch: what a table of ticks is divided by."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple


class Month(NamedTuple):
    """A month of the calendar, `month` from 1 to 12."""

    year: int
    month: int

    @property
    def start_ms(self) -> int:
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        return self.after(1).start_ms

    def after(self, months: int) -> "Month":
        years, month = divmod(self.month - 1 + months, 12)
        return Month(self.year + years, month + 1)

    @classmethod
    def of(cls, timestamp_ms: int) -> "Month | None":
        """The month of a time; None before FIRST and from LAST on, which have one partition each."""
        if not FIRST.start_ms <= timestamp_ms < LAST.start_ms:
            return None
        moment = datetime.fromtimestamp(timestamp_ms // 1000, UTC)
        return cls(moment.year, moment.month)


# The exchange's first trades are of 2016; what lies outside of these is no time of a market, and still has its place.
FIRST = Month(2016, 1)
LAST = Month(2100, 1)


def months_of(timestamps_ms: Iterable[int]) -> set[Month]:
    """The months of many times, which commonly are a few seconds apart."""
    times = sorted(timestamps_ms)
    found: set[Month] = set()
    end_ms = times[0] if times else 0
    for timestamp_ms in times:
        if timestamp_ms >= end_ms and (month := Month.of(timestamp_ms)) is not None:
            found.add(month)
            end_ms = month.end_ms
    return found

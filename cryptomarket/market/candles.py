"""Candles: what prices did in equal stretches of time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cryptomarket.market.ticks import Source

# A price that comes in so long after its candle has ended was not in time for whoever looked at the closed candle.
GRACE_MS = 10_000
_MINUTE_MS = 60_000


class Resolution(StrEnum):
    """How long a candle is: minutes, or a day that begins at midnight UTC
    (docs.deribit.com/api-reference/market-data/public-get_tradingview_chart_data).
    """

    MINUTE_1 = "1"
    MINUTE_3 = "3"
    MINUTE_5 = "5"
    MINUTE_10 = "10"
    MINUTE_15 = "15"
    MINUTE_30 = "30"
    HOUR_1 = "60"
    HOUR_2 = "120"
    HOUR_3 = "180"
    HOUR_6 = "360"
    HOUR_12 = "720"
    DAY_1 = "1D"

    @property
    def length_ms(self) -> int:
        """The length in milliseconds."""
        return 24 * 60 * _MINUTE_MS if self is Resolution.DAY_1 else int(self.value) * _MINUTE_MS

    def start_of(self, timestamp_ms: int) -> int:
        """When the candle begins that a time belongs to, in milliseconds since the epoch. All lengths divide a day."""
        return timestamp_ms - timestamp_ms % self.length_ms

    def end_of(self, timestamp_ms: int) -> int:
        """When it ends: the first millisecond that is not of it."""
        return self.start_of(timestamp_ms) + self.length_ms


class PricePoint(NamedTuple):
    """A price of one exchange time; when it was heard, in microseconds; and where it comes from."""

    timestamp_ms: int
    price: Decimal
    received_us: int
    source: str = Source.STREAM.value


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices of [start_ms, end_ms): the first, the highest, the lowest and the last of `ticks` ones, the earliest
    and the latest of them by the exchange's time.

    `source` is `stream` when all of them are; else the least believed one. `is_revised` says that one came in more
    than GRACE_MS after the end. `is_synthetic` marks a candle in which nothing happened, and somebody filled in.
    """

    start_ms: int
    end_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    ticks: int
    first_ms: int
    last_ms: int
    source: str = Source.STREAM.value
    is_revised: bool = False
    is_synthetic: bool = False


_LESS_BELIEVED = {Source.STREAM.value: 0, Source.COLLECTED.value: 1, Source.BACKFILL.value: 2}


def begin(point: PricePoint, resolution: Resolution) -> Candle:
    """The candle of one price."""
    start_ms = resolution.start_of(point.timestamp_ms)
    end_ms = start_ms + resolution.length_ms
    price, at_ms = point.price, point.timestamp_ms
    return Candle(
        start_ms, end_ms, price, price, price, price, 1, at_ms, at_ms, point.source, _is_late(point, end_ms)
    )  # fmt: skip


def fold(candle: Candle, point: PricePoint) -> Candle:
    """The candle with one more price of its time, whenever it comes: an earlier one becomes the open, a later one the
    close. Of one millisecond, the first folded is the first, and the last folded is the last.

    Raises ValueError for a price of another time.
    """
    at_ms, price = point.timestamp_ms, point.price
    if not candle.start_ms <= at_ms < candle.end_ms:
        raise ValueError(f"{at_ms} is not in [{candle.start_ms}, {candle.end_ms})")
    is_first, is_last = at_ms < candle.first_ms, at_ms >= candle.last_ms
    return replace(
        candle,
        open=price if is_first else candle.open,
        high=max(candle.high, price),
        low=min(candle.low, price),
        close=price if is_last else candle.close,
        ticks=candle.ticks + 1,
        first_ms=at_ms if is_first else candle.first_ms,
        last_ms=at_ms if is_last else candle.last_ms,
        source=max(candle.source, point.source, key=_LESS_BELIEVED.__getitem__),
        is_revised=candle.is_revised or _is_late(point, candle.end_ms),
    )


def _is_late(point: PricePoint, end_ms: int) -> bool:
    return point.received_us >= (end_ms + GRACE_MS) * 1000


class Folding:
    """Folds prices that come in the order of their time, many a second: the same as `fold`, without an object each.

    Feed it pieces with `add`, which yields the candles that are over, and take the last one with `rest`.
    """

    def __init__(self, resolution: Resolution) -> None:
        self._resolution = resolution
        self._candle: Candle | None = None

    def add(self, points: Iterable[PricePoint]) -> Iterator[Candle]:
        """Takes points on, not earlier than those before. Yields each candle when a later one has begun."""
        mine: list[PricePoint] = []
        end_ms = 0 if self._candle is None else self._candle.end_ms
        for point in points:
            if point.timestamp_ms >= end_ms:
                self._take(mine)
                yield from self.rest()
                mine = []
                end_ms = self._resolution.end_of(point.timestamp_ms)
            mine.append(point)
        self._take(mine)

    def rest(self) -> Iterator[Candle]:
        """The candle that is not over, if there is one. What is added afterwards begins anew."""
        if self._candle is not None:
            yield self._candle
            self._candle = None

    def _take(self, points: list[PricePoint]) -> None:
        if points:
            of_these = _candle_of(points, self._resolution)
            self._candle = of_these if self._candle is None else joined(self._candle, of_these)


def _candle_of(points: list[PricePoint], resolution: Resolution) -> Candle:
    """The candle of points of one candle, in order."""
    first, last = points[0], points[-1]
    start_ms = resolution.start_of(first.timestamp_ms)
    end_ms = start_ms + resolution.length_ms
    prices = [point.price for point in points]
    sources = {point.source for point in points}
    return Candle(
        start_ms,
        end_ms,
        first.price,
        max(prices),
        min(prices),
        last.price,
        len(points),
        first.timestamp_ms,
        last.timestamp_ms,
        max(sources, key=_LESS_BELIEVED.__getitem__),
        max(point.received_us for point in points) >= (end_ms + GRACE_MS) * 1000,
    )


def joined(earlier: Candle, later: Candle) -> Candle:
    """One candle of two parts of it, all prices of the first not later than those of the second."""
    return replace(
        earlier,
        high=max(earlier.high, later.high),
        low=min(earlier.low, later.low),
        close=later.close,
        ticks=earlier.ticks + later.ticks,
        last_ms=later.last_ms,
        source=max(earlier.source, later.source, key=_LESS_BELIEVED.__getitem__),
        is_revised=earlier.is_revised or later.is_revised,
    )

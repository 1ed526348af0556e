"""Numbers about a range of prices: statistics and candles, folded from the stored ticks."""

from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from cryptomarket.clock import Clock
from cryptomarket.errors import Impossible
from cryptomarket.history.answers import Answer, is_closed
from cryptomarket.history.folding import folded
from cryptomarket.history.look_repository import Look
from cryptomarket.history.questions import BOUNDS, missing
from cryptomarket.history.reach import Heard, Reach, Span, range_of
from cryptomarket.history.repository import Repository
from cryptomarket.history.totals_repository import Priced, Totals
from cryptomarket.market.candles import GRACE_MS, Candle, PricePoint, Resolution
from cryptomarket.market.ticks import Source
from cryptomarket.market.wire import encode

MAX_CANDLES = 10_000
CANDLES_UNLESS_SAID = 1000
AVERAGE_DIGITS = 28
# Sums are exact: no price of a market has so many digits, before and after the point together.
_EXACT = Context(prec=250)
# A larger number than any price has an exponent.
_PLAIN_DIGITS = 100
_AVERAGE = Context(prec=AVERAGE_DIGITS)


class Statistics:
    """Counts what it is fed with, in order."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Priced | None = None
        self.last: Priced | None = None
        self.min: Decimal | None = None
        self.max: Decimal | None = None
        self._sum = Decimal(0)

    def add(self, points: list[PricePoint]) -> None:
        if not points:
            return
        prices = [point.price for point in points]
        lowest, highest = min(prices), max(prices)
        self.min = lowest if self.min is None else min(self.min, lowest)
        self.max = highest if self.max is None else max(self.max, highest)
        self.first = self.first or Priced(*points[0][:2])
        self.last = Priced(*points[-1][:2])
        self.count += len(points)
        with localcontext(_EXACT):
            self._sum = sum(prices, self._sum)

    @property
    def totals(self) -> Totals:
        """What all of it comes to."""
        return Totals(self.count, self.min, self.max, self._sum, self.first, self.last)


def counted(look: Look, ticker: str, start_ms: int, end_ms: int, *, newest_id: int) -> Totals:
    """What the believed prices of [start_ms, end_ms) come to, counted one by one."""
    found = Statistics()
    for piece in look.prices(ticker, start_ms, end_ms, newest_id=newest_id):
        found.add(piece)
    return found.totals


def believed(look: Look, ticker: str, start_ms: int, end_ms: int, *, newest_id: int) -> Totals:
    """The same, by the database where it counts exactly."""
    source = Source.STREAM if look.counts_stream_alone(ticker, start_ms, end_ms) else None
    found = look.totals(ticker, start_ms, end_ms, newest_id=newest_id, source=source)
    return counted(look, ticker, start_ms, end_ms, newest_id=newest_id) if found is None else found


def plain(number: Decimal | None) -> Decimal | None:
    """The one spelling of a number, whoever has counted it: without zeros behind the point that say nothing."""
    if not number:
        return None if number is None else Decimal(0)
    short = number.normalize(_EXACT)
    is_long = short.as_tuple().exponent < 0 or short.adjusted() >= _PLAIN_DIGITS  # type: ignore[operator]
    return short if is_long else short.quantize(Decimal(1), context=_EXACT)


def average(found: Totals) -> Decimal | None:
    """To AVERAGE_DIGITS digits."""
    return _AVERAGE.divide(found.sum, Decimal(found.count)) if found.count else None


class CandlesQuestion(NamedTuple):
    """Which candles of a ticker. None is "not said": the last ones, until now."""

    ticker: str
    resolution: Resolution
    start_ms: int | None
    end_ms: int | None


class Figures:
    """Answers as JSON, in which prices are exact. What prices have made of them is told in constant memory, whatever
    the range.
    """

    def __init__(self, repository: Repository, reach: Reach, *, clock: Clock) -> None:
        self._repository = repository
        self._reach = reach
        self._clock = clock

    async def stats(self, ticker: str, start_ms: int | None, end_ms: int | None) -> Answer:
        """How many prices a range has, the lowest, highest, average, first and last. Raises Impossible."""
        heard = await self._reach.heard(ticker)
        return await self._repository.look(lambda look: self._stats(look, ticker, start_ms, end_ms, heard))

    def _stats(self, look: Look, ticker: str, start_ms: int | None, end_ms: int | None, heard: Heard) -> Answer:
        span = self._reach.span(look, ticker, start_ms, end_ms, heard)
        missed = missing(look, ticker, span)
        found = believed(look, ticker, span.start_ms, span.end_ms, newest_id=span.newest_id)
        body = encode(
            {
                "ticker": ticker,
                "start": span.start_ms,
                "end": span.end_ms,
                "bounds": BOUNDS,
                **missed,
                "count": found.count,
                "min": plain(found.min),
                "max": plain(found.max),
                "avg": plain(average(found)),
                "first": _told(found.first),
                "last": _told(found.last),
            }
        )
        return self._answer(body, span, missed, is_start_said=start_ms is not None)

    async def candles(self, ticker: str, resolution: Resolution, start_ms: int | None, end_ms: int | None) -> Answer:
        """The candles that overlap a range, each whole; those without a price are left out. Raises Impossible."""
        heard = await self._reach.heard(ticker)
        asked = CandlesQuestion(ticker, resolution, start_ms, end_ms)
        return await self._repository.look(lambda look: self._candles(look, asked, heard))

    def _candles(self, look: Look, asked: CandlesQuestion, heard: Heard) -> Answer:
        ticker, resolution, start_ms, end_ms = asked
        now_ms = heard.asked_ms
        extent = self._reach.extent(look, ticker, heard)
        start, end = range_of(start_ms, end_ms, first_ms=extent.first_ms, now_ms=now_ms)
        if start_ms is None:
            # As many candles as that, up to the one of now.
            newest_ms = resolution.end_of(max(min(end, now_ms), 1) - 1)
            start = max(start, newest_ms - CANDLES_UNLESS_SAID * resolution.length_ms)
        first_ms, last_ms = whole(resolution, start, end)
        known_ms = last_ms if last_ms <= now_ms else max(end, now_ms)
        span = self._reach.judged(look, ticker, first_ms, known_ms, extent, heard)
        candles = folded(look, ticker, resolution, first_ms, last_ms, newest_id=span.newest_id)
        missed = missing(look, ticker, span)
        # What the writer still has would change a candle, and count as heard in time.
        over_ms = heard.asked_ms - GRACE_MS if heard.is_all_stored else 0
        closed_ms = max(span.settled_ms or 0, over_ms)
        body = encode(
            {
                "ticker": ticker,
                "resolution": resolution,
                "start": start,
                "end": end,
                "bounds": BOUNDS,
                "count": len(candles),
                **missed,
                "data": [candle_told(candle, is_closed=candle.end_ms <= closed_ms) for candle in candles],
            }
        )
        return self._answer(body, span, missed, is_start_said=start_ms is not None)

    def _answer(self, body: bytes, span: Span, missed: dict[str, object], *, is_start_said: bool) -> Answer:
        complete, now_ms = bool(missed["complete"]), self._clock.wall_ms()
        closed = is_closed(complete=complete, is_start_said=is_start_said, end_ms=span.end_ms, now_ms=now_ms)
        return Answer(body, closed and span.is_settled)


def whole(resolution: Resolution, start_ms: int, end_ms: int) -> tuple[int, int]:
    """From the beginning of the range's first candle to the end of its last one. Raises Impossible for too many."""
    if start_ms == end_ms:
        return start_ms, end_ms
    first_ms, last_ms = resolution.start_of(start_ms), resolution.end_of(end_ms - 1)
    count = (last_ms - first_ms) // resolution.length_ms
    if count > MAX_CANDLES:
        raise Impossible(
            f"The range has {count} candles of this resolution, and an answer at most {MAX_CANDLES}: "
            "ask for less, or for longer candles.",
            field="start",
        )
    return first_ms, last_ms


def _told(point: Priced | None) -> dict[str, object] | None:
    return None if point is None else {"timestamp": point.timestamp_ms, "price": point.price}


def candle_told(candle: Candle, *, is_closed: bool) -> dict[str, object]:
    """A candle as callers see it."""
    return {
        "timestamp": candle.start_ms,
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "ticks": candle.ticks,
        "closed": is_closed,
        "revised": candle.is_revised,
        "source": candle.source,
        "synthetic": candle.is_synthetic,
    }

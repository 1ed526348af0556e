"""Whether our candles are the exchange's own: both told of one range, and where they differ."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptomarket.clock import Clock
from cryptomarket.deribit.charts import Charts
from cryptomarket.errors import ExchangeFatal, UnknownTicker
from cryptomarket.history.figures import whole
from cryptomarket.history.folding import folded
from cryptomarket.history.look_repository import Look
from cryptomarket.history.questions import MAX_GAPS
from cryptomarket.history.reach import NOWHERE, range_of
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import StoredGap
from cryptomarket.market.candles import GRACE_MS, Candle, Resolution
from cryptomarket.market.differences import Comparison, Difference, Verdict, compare
from cryptomarket.market.instruments import Directory, Instrument, Kind

CANDLES_UNLESS_SAID = 60
MAX_TICKERS = 200
"""Bound: tickers of one run."""

MAX_DIFFERENCES = 20
MAX_REFUSED = 5
"""Bounds: of a report, which is kept with its run. All are counted, and so many are told."""

Told = dict[str, object]


class Stretch(NamedTuple):
    """Which candles. None is "not said": the last closed ones, until now."""

    resolution: Resolution
    start_ms: int | None
    end_ms: int | None


class _Ours(NamedTuple):
    """Our candles of [start_ms, end_ms), which is empty where we have no ticks, and the gaps in it."""

    start_ms: int
    end_ms: int
    candles: list[Candle]
    gaps: Sequence[StoredGap]


@dataclass(frozen=True, slots=True)
class CandleCheck:
    """Compares, and changes nothing."""

    charts: Charts
    directory: Directory
    repository: Repository
    clock: Clock

    async def check(self, names: Collection[str], asked: Stretch) -> Told:
        """How the closed candles of these tickers agree with the exchange's: counts, and the first differences. What
        lies before our first whole candle is not compared. An index has no candles at the exchange, and is counted
        only; a ticker that the exchange refuses is told.

        Raises Impossible for a range that can't be, ExchangeRetryable, ExchangeUnavailable and DatabaseUnavailable.
        """
        start_ms, end_ms = self._closed(asked)
        counts, refused, told = Counter[str](), dict[str, str](), list[Told]()
        seen: set[str] = set()
        for name in sorted(names)[:MAX_TICKERS]:
            try:
                instrument = await self.directory.resolve(name)
                if instrument.name in seen:
                    continue
                seen.add(instrument.name)
                if instrument.kind is Kind.INDEX:
                    counts["indices"] += 1
                    continue
                found, gaps = await self._compared(instrument, asked.resolution, start_ms, end_ms)
            except (UnknownTicker, ExchangeFatal) as refusal:
                refused[name] = str(refusal)
                continue
            differences = found.differences
            counts.update(tickers=1, candles=found.candles, agreeing=found.candles - len(differences))
            counts.update(difference.verdict.value for difference in differences)
            told += [_told(instrument.name, difference, gaps) for difference in differences[:MAX_DIFFERENCES]]
        counted = ("tickers", "indices", "candles", "agreeing", *(verdict.value for verdict in Verdict))
        return {
            "resolution": asked.resolution.value,
            "start": start_ms,
            "end": end_ms,
            **{name: counts[name] for name in counted},
            "differences": told[:MAX_DIFFERENCES],
            "refused": dict(list(refused.items())[:MAX_REFUSED]),
        }

    def _closed(self, asked: Stretch) -> tuple[int, int]:
        """The candles that overlap the range, each whole, without those that are not closed. Raises Impossible."""
        resolution, now_ms = asked.resolution, self.clock.wall_ms()
        closed_ms = resolution.start_of(now_ms - GRACE_MS)
        said_ms = asked.start_ms
        if said_ms is None:
            until_ms = closed_ms if asked.end_ms is None else min(closed_ms, asked.end_ms)
            said_ms = max(0, until_ms - CANDLES_UNLESS_SAID * resolution.length_ms)
        start, end = range_of(said_ms, asked.end_ms, first_ms=None, now_ms=now_ms)
        start_ms, end_ms = whole(resolution, start, min(end, now_ms))
        return start_ms, max(start_ms, min(end_ms, closed_ms))

    async def _compared(
        self, instrument: Instrument, resolution: Resolution, start_ms: int, end_ms: int
    ) -> tuple[Comparison, Sequence[StoredGap]]:
        ours = await self.repository.look(lambda look: _ours(look, instrument.name, resolution, start_ms, end_ms))
        if ours.start_ms >= ours.end_ms:
            return Comparison(0, []), []
        theirs = await self.charts.candles(instrument, resolution, ours.start_ms, ours.end_ms)
        return compare(ours.candles, theirs), ours.gaps


def _ours(look: Look, ticker: str, resolution: Resolution, start_ms: int, end_ms: int) -> _Ours:
    extent = look.extent(ticker, stored_up_to=NOWHERE)
    if extent.first_ms is None:
        return _Ours(end_ms, end_ms, [], [])
    # Of the candle in which we began to listen we know a part.
    begun_ms = max(start_ms, resolution.end_of(extent.first_ms - 1))
    candles = folded(look, ticker, resolution, begun_ms, end_ms, newest_id=extent.newest_id)
    return _Ours(begun_ms, end_ms, candles, look.gaps(ticker, begun_ms, end_ms, limit=MAX_GAPS))


def _told(ticker: str, difference: Difference, gaps: Sequence[StoredGap]) -> Told:
    in_gap = any(gap.from_ms < difference.end_ms and gap.to_ms > difference.start_ms for gap in gaps)
    told: Told = {
        "ticker": ticker,
        "timestamp": difference.start_ms,
        "verdict": difference.verdict.value,
        "in_gap": in_gap,
        "synthetic": difference.is_synthetic,
    }
    if difference.prices:
        told["prices"] = {name: price._asdict() for name, price in difference.prices.items()}
    return told

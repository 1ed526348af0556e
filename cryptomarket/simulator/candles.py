"""Candles of any resolution at any time, from the same paths as everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.prices import Market, to_tick
from cryptomarket.simulator.quotes import Quotes
from cryptomarket.simulator.spelling import Json

RESOLUTIONS_S: Final[dict[str, int]] = {
    **{str(minutes): minutes * 60 for minutes in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    "1D": 86_400,
}
_LONGEST: Final = 5_000
"""Candles in one answer; longer ranges lose their beginning."""
_SAMPLES: Final = 6
_COLUMNS: Final = ("ticks", "open", "high", "low", "close", "volume", "cost")


@dataclass(frozen=True, slots=True)
class Candle:
    """Open time in ms, prices, volume in base coin and cost in quote currency."""

    tick_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    cost: float


class Candles:
    """Builds candles. Their prices are marks on the tick grid, read at fixed moments of the candle. One without a trade
    is filled in as the exchange does it: at the close before, with a volume of 0.
    """

    def __init__(self, quotes: Quotes, volume_per_day: Callable[[Listing, int], float]) -> None:
        self._quotes = quotes
        self._volume_per_day = volume_per_day

    def at(self, listing: Listing, opens_s: int, length_s: int, now_us: int) -> Candle:
        """The candle as it looks now; a running one has seen only part of its moments."""
        before, number = self._before(listing, opens_s, length_s)
        last_us = min((opens_s + length_s) * 1_000_000 - 1, now_us)
        if self._quotes.trade_number(listing, last_us) == number:
            return Candle(opens_s * 1000, before, before, before, before, 0, 0)
        until_s = min(opens_s + length_s, now_us / 1e6)
        moments = [opens_s + length_s * part / _SAMPLES for part in range(_SAMPLES)]
        seen = [moment for moment in moments if moment < until_s] + [until_s]
        prices = [before, *(self._price(listing, moment) for moment in seen[1:])]
        share = (until_s - opens_s) / 86_400
        volume = round(self._volume_per_day(listing, opens_s * 1_000_000) * share, 8)
        return Candle(
            opens_s * 1000, prices[0], max(prices), min(prices), prices[-1], volume, round(volume * prices[-1], 2)
        )

    def _before(self, listing: Listing, opens_s: int, length_s: int) -> tuple[float, int | None]:
        """Where the last candle with a trade before this one closed, and the number of that trade."""
        number = self._quotes.trade_number(listing, opens_s * 1_000_000 - 1)
        traded_s = opens_s - 1 if number is None else self._quotes.trade_us(listing, number) // 1_000_000
        return self._price(listing, traded_s // length_s * length_s + length_s), number

    def _price(self, listing: Listing, moment_s: float) -> float:
        return to_tick(self._quotes.mark(listing, moment_s)[0], listing.tick_size)

    def chart(self, listing: Listing, start_ms: int, end_ms: int, resolution: str, now_us: int) -> dict[str, Json]:
        """The answer of ``public/get_tradingview_chart_data``: equally long arrays, oldest first."""
        length_s = RESOLUTIONS_S[resolution]
        first_s = max(start_ms, listing.creation_ms - 366 * 86_400_000) // 1000 // length_s * length_s
        last_s = min(end_ms, now_us // 1000) // 1000 // length_s * length_s
        opens = range(max(first_s, last_s - (_LONGEST - 1) * length_s), last_s + 1, length_s)
        if listing.trades_s is None or not opens:
            empty: dict[str, Json] = {name: [] for name in _COLUMNS}
            return {"status": "no_data", **empty}
        candles = [self.at(listing, opens_s, length_s, now_us) for opens_s in opens]
        return {
            "status": "ok",
            "ticks": [candle.tick_ms for candle in candles],
            "open": [candle.open for candle in candles],
            "high": [candle.high for candle in candles],
            "low": [candle.low for candle in candles],
            "close": [candle.close for candle in candles],
            "volume": [candle.volume for candle in candles],
            "cost": [candle.cost for candle in candles],
        }


def volatility_candles(market: Market, index: str, start_ms: int, end_ms: int, length_s: int) -> dict[str, Json]:
    """``public/get_volatility_index_data``: newest thousand candles, and where to go on before them."""
    first_s = start_ms // 1000 // length_s * length_s
    last_s = end_ms // 1000 // length_s * length_s
    opens = range(max(first_s, last_s - 999 * length_s), last_s + 1, length_s)
    rows: list[Json] = []
    for opens_s in opens:
        values = [market.volatility(index, opens_s + length_s * part / 4) for part in range(5)]
        rows.append([opens_s * 1000, values[0], max(values), min(values), values[-1]])
    earlier = bool(opens) and opens[0] > first_s
    return {"data": rows, "continuation": opens[0] * 1000 - 1 if earlier else None}

"""The exchange's own candles, by request.

Source: docs.deribit.com/api-reference/market-data/public-get_tradingview_chart_data
"""

from decimal import Decimal

import msgspec

from cryptomarket.deribit.history import Requester
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.candles import Candle, Resolution
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import Source

AT_ONCE = 1000
"""Candles of one question. The exchange has a limit of its own, beyond which it leaves out the oldest."""


class _Chart(msgspec.Struct, frozen=True):
    status: str
    ticks: list[int] = []
    open: list[Decimal] = []
    high: list[Decimal] = []
    low: list[Decimal] = []
    close: list[Decimal] = []
    volume: list[Decimal] = []


_decoder = msgspec.json.Decoder(_Chart)


class Charts:
    """Raises what `Records` raises."""

    def __init__(self, requester: Requester, *, timeout_s: float = 10.0) -> None:
        self._requester = requester
        self._timeout_s = timeout_s

    async def candles(self, instrument: Instrument, resolution: Resolution, start_ms: int, end_ms: int) -> list[Candle]:
        """The candles that begin in [start_ms, end_ms), oldest first, with `source` backfill; the newest may be open
        still. How many trades each is made of is not told, so `ticks` is 0, and its times are those of its ends.

        The exchange fills candles in where nothing was traded: without volume, at the close before. They are
        `is_synthetic`. An index has no candles, and asking for them is a mistake.
        """
        if instrument.kind is Kind.INDEX:
            raise ValueError("an index has no candles at the exchange")
        found: list[Candle] = []
        step_ms = AT_ONCE * resolution.length_ms
        for from_ms in range(resolution.start_of(start_ms), end_ms, step_ms):
            page = await self._page(instrument.name, resolution, from_ms, min(end_ms, from_ms + step_ms))
            found += [candle for candle in page if max(start_ms, from_ms) <= candle.start_ms < end_ms]
        return found

    async def _page(self, name: str, resolution: Resolution, start_ms: int, end_ms: int) -> list[Candle]:
        params: dict[str, object] = {
            "instrument_name": name,
            # One more before: whether the first was filled in is told by the close of its predecessor.
            "start_timestamp": max(0, start_ms - resolution.length_ms),
            "end_timestamp": end_ms - 1,
            "resolution": resolution.value,
        }
        result = await self._requester.request("public/get_tradingview_chart_data", params, timeout_s=self._timeout_s)
        try:
            return [candle for candle in _read(_decoder.decode(result), resolution) if candle.start_ms < end_ms]
        except (msgspec.DecodeError, ValueError) as error:
            raise ExchangeUnavailable(f"The exchange's answer can't be read: {error}") from error


def _read(chart: _Chart, resolution: Resolution) -> list[Candle]:
    """Raises ValueError for columns of different lengths."""
    candles: list[Candle] = []
    rows = zip(chart.ticks, chart.open, chart.high, chart.low, chart.close, chart.volume, strict=True)
    for start_ms, first, high, low, last, volume in rows:
        before = candles[-1].close if candles else last
        is_filled_in = not volume and first == high == low == last == before
        end_ms = start_ms + resolution.length_ms
        candles.append(
            Candle(
                start_ms, end_ms, first, high, low, last, 0, start_ms, end_ms - 1, Source.BACKFILL.value,
                is_synthetic=is_filled_in,
            )
        )  # fmt: skip
    return candles

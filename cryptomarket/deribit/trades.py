"""Trades of the past, by request: what there is of an instrument in a time that nobody heard.

Source: docs.deribit.com/api-reference/market-data/public-get_last_trades_by_instrument_and_time
"""

from dataclasses import replace
from decimal import Decimal

import msgspec

from cryptomarket.clock import Clock
from cryptomarket.deribit.history import Requester
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND, Tick

PAGE = 1000


class _Trade(msgspec.Struct, frozen=True):
    timestamp: int
    price: Decimal
    mark_price: Decimal | None = None
    index_price: Decimal | None = None


class _Page(msgspec.Struct, frozen=True):
    trades: list[_Trade]
    has_more: bool = False


_decoder = msgspec.json.Decoder(_Page)


class Trades:
    """Raises what `Records` raises."""

    def __init__(self, requester: Requester, *, clock: Clock, timeout_s: float = 10.0) -> None:
        self._requester = requester
        self._clock = clock
        self._timeout_s = timeout_s

    async def between(self, instrument: Instrument, start_ms: int, end_ms: int, *, limit: int) -> list[Tick]:
        """The trades of [start_ms, end_ms) as ticks of which no more is known than a trade tells, oldest first; the
        first `limit` of them. An index has no trades, and asking for them is a mistake.
        """
        if instrument.kind is Kind.INDEX:
            raise ValueError("an index has no trades")
        found: list[_Trade] = []
        from_ms = start_ms
        while from_ms < end_ms and len(found) < limit:
            page = await self._page(instrument.name, from_ms, end_ms)
            found += page.trades
            if not page.has_more or not page.trades:
                break
            # A millisecond of more trades than a page holds keeps those of the page.
            from_ms = page.trades[-1].timestamp + 1
        return [self._tick(instrument, trade) for trade in found[:limit]]

    async def _page(self, name: str, start_ms: int, end_ms: int) -> _Page:
        params: dict[str, object] = {
            "instrument_name": name,
            "start_timestamp": start_ms,
            "end_timestamp": end_ms - 1,
            "count": PAGE,
            "sorting": "asc",
        }
        result = await self._requester.request(
            "public/get_last_trades_by_instrument_and_time", params, timeout_s=self._timeout_s
        )
        try:
            return _decoder.decode(result)
        except msgspec.DecodeError as error:
            raise ExchangeUnavailable(f"The exchange's answer can't be read: {error}") from error

    def _tick(self, instrument: Instrument, trade: _Trade) -> Tick:
        summary = replace(
            SUMMARY_OF_KIND[instrument.kind](),
            last_price=trade.price,
            mark_price=trade.mark_price,
            index_price=trade.index_price,
        )
        name = instrument.name
        return Tick(name, name, instrument.kind, trade.price, trade.timestamp, self._clock.wall_us(), summary=summary)

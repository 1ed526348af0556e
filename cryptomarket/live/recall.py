"""What is known of a ticker from before this epoch: the last tick that was remembered or stored."""

from collections.abc import Collection
from typing import Protocol

import structlog

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.errors import BusUnavailable, DatabaseUnavailable
from cryptomarket.live.hub import Hub
from cryptomarket.market.ticks import Tick
from cryptomarket.market.wire import encode_tick

log = structlog.get_logger(__name__)


class LastTicks(Protocol):
    """Where ticks are kept."""

    async def last_tick(self, ticker: str) -> Tick | None:
        """The last stored tick of the stream."""
        ...


class Recall:
    """Fills the hub's picture where this epoch has no tick yet, so that a snapshot tells what the gateway does know."""

    def __init__(self, hub: Hub, bus: Bus, kept: LastTicks | None = None) -> None:
        self._hub = hub
        self._bus = bus
        self._kept = kept

    async def __call__(self, tickers: Collection[str]) -> None:
        """Asks the bus, then the store, for the last ticks of these."""
        unknown = [ticker for ticker in tickers if _is_blank(self._hub, ticker)]
        if not unknown:
            return
        for ticker, picture in (await self._pictures(unknown)).items():
            self._hub.recall(ticker, picture.remembered)
        for ticker in unknown:
            if _is_blank(self._hub, ticker):
                self._hub.recall(ticker, await self._stored(ticker))

    async def _pictures(self, tickers: Collection[str]) -> dict[str, Picture]:
        try:
            return (await self._bus.pictures(tickers))[1]
        except BusUnavailable as away:
            # Streams are told that nothing is heard; what the store knows is still worth telling.
            log.warning("the last ticks could not be asked for", tickers=len(tickers), reason=away.detail)
            return {}

    async def _stored(self, ticker: str) -> bytes | None:
        if self._kept is None:
            return None
        try:
            last = await self._kept.last_tick(ticker)
        except DatabaseUnavailable as away:
            # A snapshot that says less is better than no stream.
            log.warning("the last tick could not be read", ticker=ticker, reason=away.detail)
            return None
        return encode_tick(last, published_us=last.published_us or last.received_us) if last is not None else None


def _is_blank(hub: Hub, ticker: str) -> bool:
    picture = hub.picture(ticker)
    return picture.tick is None and picture.remembered is None

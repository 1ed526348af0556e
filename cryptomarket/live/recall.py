"""What is known of a ticker from before this epoch: the last tick that was remembered or stored."""

import asyncio
import time
from collections.abc import Callable, Collection
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
    """Fills the hub's picture where this epoch has no tick yet, so that a snapshot tells what the gateway does know.

    A crowd that asks for the same ticker asks once. Where nobody knew a tick, nobody is asked again for `again_s`
    seconds: what comes meanwhile is heard. Bound: one time for each ticker that somebody has asked for and that exists.
    """

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        kept: LastTicks | None = None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        again_s: float = 5.0,
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._kept = kept
        self._monotonic_s = monotonic_s
        self._again_s = again_s
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._again_at_s: dict[str, float] = {}

    async def __call__(self, tickers: Collection[str]) -> None:
        """Asks the bus, then the store, for the last ticks of these."""
        now_s = self._monotonic_s()
        unknown = [
            ticker
            for ticker in tickers
            if _is_blank(self._hub, ticker) and self._again_at_s.get(ticker, now_s) <= now_s
        ]
        new = [ticker for ticker in unknown if ticker not in self._asking]
        if new:
            asking = asyncio.create_task(self._ask(new), name="recall")
            self._asking |= dict.fromkeys(new, asking)
        for asked in {self._asking[ticker] for ticker in unknown}:
            # Who leaves does not take the answer from the others who wait for it.
            await asyncio.shield(asked)

    async def _ask(self, tickers: Collection[str]) -> None:
        try:
            for ticker, picture in (await self._pictures(tickers)).items():
                self._hub.recall(ticker, picture.remembered)
            for ticker in tickers:
                if _is_blank(self._hub, ticker):
                    self._hub.recall(ticker, await self._stored(ticker))
        finally:
            again_at_s = self._monotonic_s() + self._again_s
            for ticker in tickers:
                del self._asking[ticker]
                self._again_at_s[ticker] = again_at_s

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

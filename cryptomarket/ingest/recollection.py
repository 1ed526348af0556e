"""What the bus and the store know of tickers: where hearing goes on from."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import structlog

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.ingest.gaps import UNKNOWN_TICKER, Known
from cryptomarket.market.ticks import GapCause, Status, Tick
from cryptomarket.market.wire import decode_status, decode_tick, encode_tick

log = structlog.get_logger(__name__)

# So many tickers are asked for at the store at once.
AT_ONCE = 8
NOTHING = Picture()


class Memory(Protocol):
    """What was kept of a ticker before this epoch."""

    async def last_tick(self, ticker: str) -> Tick | None:
        """The last stored tick of the stream."""
        ...

    async def last_status(self, ticker: str) -> Status | None:
        """The last stored status."""
        ...


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of each ticker in an epoch. Tickers whose store is away are left out."""

    epoch: str
    known: dict[str, Known]


class Recollection:
    """Asks the bus, and where this epoch has no tick yet, the store, whose tick the bus is then told to remember."""

    def __init__(self, bus: Bus, memory: Memory | None = None) -> None:
        self._bus = bus
        self._memory = memory
        self._first_epoch: str | None = None
        self._first_ms: dict[str, int] = {}

    def note(self, ticker: str, first_ms: int | None) -> None:
        """The ticker was heard here, at that exchange time for the first time. What was said of it may be lost with an
        epoch before it is stored, or be stored later than it is asked for. Bound: one number per ticker.
        """
        if first_ms is not None:
            self._first_ms.setdefault(ticker, first_ms)

    async def of(self, tickers: Collection[str]) -> Recalled:
        """What is known of these. Raises BusUnavailable."""
        position, pictures = await self._bus.pictures(tickers)
        if self._first_epoch is None:
            self._first_epoch = position.epoch
        # An epoch that began while this process lived is the bus's doing.
        otherwise = GapCause.RESTART if position.epoch == self._first_epoch else GapCause.BUS
        known: dict[str, Known] = {}
        turns = asyncio.Semaphore(AT_ONCE)

        async def look(ticker: str) -> None:
            picture = pictures.get(ticker, NOTHING)
            told = decode_status(picture.status.payload) if picture.status is not None else None
            if picture.tick is not None:
                last = decode_tick(picture.tick.payload)
                cause = _cause_of_return(told, otherwise=GapCause.DISCONNECT)
                known[ticker] = Known(last, told, cause, said_ms=_since_ms(told))
                return
            async with turns:
                try:
                    known[ticker] = await self._stored(ticker, told, otherwise)
                except DatabaseUnavailable as away:
                    # Without what was stored, the gap since then could not be told: the next round tries again.
                    log.warning("a ticker waits for the database", ticker=ticker, reason=away.detail)

        for found in await asyncio.gather(*(look(ticker) for ticker in tickers), return_exceptions=True):
            if found is not None:
                raise found
        return Recalled(position.epoch, known)

    async def _stored(self, ticker: str, told: Status | None, otherwise: GapCause) -> Known:
        last = await self._memory.last_tick(ticker) if self._memory is not None else None
        if self._memory is None or last is None:
            return Known(None, told, otherwise, self._first_ms.get(ticker), _since_ms(told))
        stored = await self._memory.last_status(ticker)
        cause = _cause_of_return(stored, otherwise=otherwise)
        await self._bus.remember(ticker, encode_tick(last, published_us=last.published_us or last.received_us))
        return Known(last, told, cause, said_ms=max(_since_ms(told), _since_ms(stored)))


def _since_ms(told: Status | None) -> int:
    return 0 if told is None else told.since_ms


def _cause_of_return(told: Status | None, *, otherwise: GapCause) -> GapCause:
    """Why nothing was heard since the last status: a channel that was given up or refused was not held."""
    given_up = told is not None and told.reason in (GapCause.NOT_SUBSCRIBED, UNKNOWN_TICKER)
    return GapCause.NOT_SUBSCRIBED if given_up else otherwise

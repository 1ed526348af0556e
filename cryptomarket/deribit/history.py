"""What the exchange knows of its past and of its instruments, by request."""

import asyncio
from typing import Protocol

from cryptomarket.clock import Clock
from cryptomarket.deribit.mapping import (
    Unmappable,
    index_names_of,
    index_price_of,
    instrument_of,
    instruments_of,
    tick_of,
)
from cryptomarket.deribit.messages import Stamped
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import Tick


class Requester(Protocol):
    """Whoever can ask the exchange: the pool."""

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """The result, as JSON. Raises ExchangeRetryable, ExchangeFatal and ExchangeUnavailable."""
        ...


class StampedRequester(Requester, Protocol):
    """Whoever can ask the exchange, and knows when it answered: the pool, and letters to it."""

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        """The result, as JSON, and when it was sent. Raises what `request` raises."""
        ...


class IndexPrices:
    """Prices of indices by request. Raises what `Records` raises."""

    def __init__(self, requester: StampedRequester, *, clock: Clock, timeout_s: float = 10.0) -> None:
        self._requester = requester
        self._clock = clock
        self._timeout_s = timeout_s

    async def price(self, name: str) -> Tick:
        """An index as it is now (public/get_index_price), at the time at which the exchange answered (`usOut`)."""
        answer = await self._requester.stamped(
            "public/get_index_price", {"index_name": name}, timeout_s=self._timeout_s
        )
        if answer.us_out is None:
            raise ExchangeUnavailable("The exchange's answer does not say when it was given.")
        try:
            return index_price_of(answer.result, name=name, sent_us=answer.us_out, received_us=self._clock.wall_us())
        except Unmappable as unmappable:
            raise _nonsense(unmappable) from unmappable


class Records:
    """Typed questions. Each raises ExchangeRetryable or ExchangeFatal when the exchange refuses, and
    ExchangeUnavailable when it can't be reached, has not answered within `timeout_s` seconds, or answered nonsense.
    """

    def __init__(self, requester: Requester, *, clock: Clock, timeout_s: float = 10.0) -> None:
        self._requester = requester
        self._clock = clock
        self._timeout_s = timeout_s

    async def instruments(self) -> list[Instrument]:
        """All instruments that can be traded now. About 6,000, 5 MB (public/get_instruments)."""
        result = await self._ask("public/get_instruments", {"currency": "any"})
        try:
            # Thousands of rows: in a thread, so that no tick waits for them.
            return (await asyncio.to_thread(instruments_of, result))[0]
        except Unmappable as unmappable:
            raise _nonsense(unmappable) from unmappable

    async def instrument(self, name: str) -> Instrument:
        """The instrument of this name, in the exchange's spelling (public/get_instrument)."""
        result = await self._ask("public/get_instrument", {"instrument_name": name})
        try:
            return instrument_of(result)
        except Unmappable as unmappable:
            raise _nonsense(unmappable) from unmappable

    async def index_names(self) -> list[str]:
        """The names of all indices, in lower case (public/get_index_price_names)."""
        result = await self._ask("public/get_index_price_names", {})
        try:
            return index_names_of(result)
        except Unmappable as unmappable:
            raise _nonsense(unmappable) from unmappable

    async def ticker(self, instrument: Instrument) -> Tick:
        """The instrument's ticker as it is now (public/ticker). An index has none, and asking for it is a mistake."""
        if instrument.kind is Kind.INDEX:
            raise ValueError("an index has no ticker; its price comes from its channel")
        result = await self._ask("public/ticker", {"instrument_name": instrument.name})
        try:
            return tick_of(
                f"ticker.{instrument.name}", result, instrument=instrument, received_us=self._clock.wall_us()
            )
        except Unmappable as unmappable:
            raise _nonsense(unmappable) from unmappable

    async def _ask(self, method: str, params: dict[str, object]) -> bytes:
        return await self._requester.request(method, params, timeout_s=self._timeout_s)


def _nonsense(unmappable: Unmappable) -> ExchangeUnavailable:
    return ExchangeUnavailable(f"The exchange's answer can't be read: {unmappable.reason}")

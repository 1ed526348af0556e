"""Names of tickers that history can be asked for: those that the exchange lists, and those of which it is stored."""

from typing import Protocol

from cryptomarket.errors import ExchangeUnavailable, UnknownTicker
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Instrument, looks_like_a_name, spellings


class Resolving(Protocol):
    """What is asked first: the catalogue."""

    async def resolve(self, name: str) -> Instrument:
        """See Directory.resolve."""
        ...


class Listing:
    """Knows a ticker by the exchange's list, and by its rows where the exchange can't be asked or lists it no longer:
    what was heard of an option is not gone with the option.
    """

    def __init__(self, directory: Resolving, repository: Repository) -> None:
        self._directory = directory
        self._repository = repository

    async def resolve(self, name: str) -> Instrument:
        """The ticker of this name, in any case. Raises UnknownTicker, and ExchangeUnavailable when neither the exchange
        nor the store can tell.
        """
        try:
            return await self._directory.resolve(name)
        except (UnknownTicker, ExchangeUnavailable):
            stored = await self._stored(name)
            if stored is None:
                raise
            return stored

    async def _stored(self, name: str) -> Instrument | None:
        if not looks_like_a_name(name):
            return None
        for spelling in dict.fromkeys((name, name.lower(), *spellings(name))):
            row = await self._repository.last_row(spelling)
            if row is not None:
                return Instrument(row.ticker, row.tick.kind)
        return None

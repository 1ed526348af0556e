"""The application around the routes of history, with a directory of two tickers and a caller whom we know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.types import ASGIApp

from __tests__.accounts.acquainted import acquainted
from __tests__.history.world import new_bus, new_cache
from cryptomarket.accounts.tokens import Scope
from cryptomarket.backplane.memory import MemoryBus, MemoryLimiter
from cryptomarket.clock import Clock
from cryptomarket.errors import UnknownTicker
from cryptomarket.history.parts import HistoryParts, build_history
from cryptomarket.history.public import PublicPrices
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Instrument, Kind, folded

USER = "u_one"


class Names:
    """A directory of two tickers."""

    def __init__(self) -> None:
        kinds = {"btc_usd": Kind.INDEX, "eth_usd": Kind.INDEX, "BTC-PERPETUAL": Kind.PERPETUAL}
        self._known = {folded(name): Instrument(name, kind) for name, kind in kinds.items()}

    async def resolve(self, name: str) -> Instrument:
        if (found := self.known(name)) is None:
            raise UnknownTicker(name, self.nearest(name))
        return found

    def known(self, name: str) -> Instrument | None:
        return self._known.get(folded(name))

    def nearest(self, name: str, count: int = 3) -> list[str]:
        return ["btc_usd"][:count]

    def forget(self, name: str) -> None:
        """Nothing here is ever refused by the exchange."""


def open_to_all(*, per_minute: int = 1000) -> PublicPrices:
    """One ticker, for anybody."""
    return PublicPrices(MemoryLimiter(), Clock.system(), tickers=("btc_usd",), per_minute=per_minute)


def application(parts: HistoryParts, *, scope: Scope = Scope.PERSON, user_id: str = USER) -> ASGIApp:
    """The application, which takes every caller for this user with this scope."""

    return acquainted({"history": parts}, scopes={scope}, user_id=user_id)


@asynccontextmanager
async def client_of(parts: HistoryParts, **who: Any) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: ANN401 - as above
    """A client of that application."""
    transport = httpx2.ASGITransport(app=application(parts, **who))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@asynccontextmanager
async def outside(
    repository: Repository, clock: Clock, *, scope: Scope = Scope.PERSON, bus: MemoryBus | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application over a repository."""
    parts = build_history(repository, bus or new_bus(), new_cache(), open_to_all(), Names(), clock)
    async with client_of(parts, scope=scope) as client:
        yield client

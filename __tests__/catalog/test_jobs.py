"""The catalogue is asked for anew on schedule."""

import asyncio

from __tests__.catalog.test_directory import Exchange, Time
from __tests__.catalog.test_routes import ROWS
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.catalog.bulletin import LOOK_AGAIN
from cryptomarket.catalog.directory import Catalogue
from cryptomarket.catalog.jobs import refresh_catalogue


async def test_what_is_new_is_known_afterwards() -> None:
    """Promise: an instrument that was listed since is there, and how many that are is told."""
    exchange = Exchange()
    catalogue = Catalogue(exchange, clock=Time().clock)
    first = await refresh_catalogue(catalogue)
    exchange.rows = list(ROWS)
    second = await refresh_catalogue(catalogue)
    assert second["instruments"] == len(catalogue)
    assert int(str(second["instruments"])) - int(str(first["instruments"])) == second["more"]
    assert catalogue.known("BTC-27DEC26") is not None


async def test_other_processes_are_told_to_look_again() -> None:
    """Promise: where there are several, the run of one is a word to all."""
    bus = MemoryBus("e1", is_newest=lambda _name, _token: True)
    listening = bus.notices()
    await refresh_catalogue(Catalogue(Exchange(), clock=Time().clock), bus)
    async with asyncio.timeout(5):
        assert await anext(listening) == LOOK_AGAIN

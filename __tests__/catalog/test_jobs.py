"""The catalogue is asked for anew on schedule."""

from __tests__.catalog.test_directory import Exchange, Time
from __tests__.catalog.test_routes import ROWS
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

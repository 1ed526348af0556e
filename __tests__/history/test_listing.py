"""Which tickers history can be asked for: what the exchange lists, and what is stored of what it lists no longer."""

import pytest

from __tests__.history.outside import Names, client_of, open_to_all
from __tests__.history.world import StoppedClock, heard, index_tick, new_bus, new_cache, option_tick
from cryptomarket.errors import ExchangeUnavailable, UnknownTicker
from cryptomarket.history.listing import Listing
from cryptomarket.history.parts import build_history
from cryptomarket.history.repository import Repository
from cryptomarket.market.instruments import Instrument, Kind

OPTION = "XRP_USDC-30JUN26-0d625-C"


class Away(Names):
    """A catalogue that was never loaded, of an exchange that can't be reached."""

    async def resolve(self, name: str) -> Instrument:
        raise ExchangeUnavailable("The exchange can't be reached.")


@pytest.mark.parametrize("typed", [OPTION, OPTION.lower(), OPTION.upper()])
async def test_what_was_heard_of_an_option_is_not_gone_with_it(repository: Repository, typed: str) -> None:
    """Promise: what the exchange lists no longer is found by its rows, in any case."""
    listing = Listing(Names(), repository)
    with pytest.raises(UnknownTicker):
        await listing.resolve(typed)
    await repository.keep(heard([option_tick(1000)]))
    assert await listing.resolve(typed) == Instrument(OPTION, Kind.OPTION)


@pytest.mark.parametrize("name", ["nothing_usd", "", "a b", "../x", "BTC-PERPETUAL' OR 1=1"])
async def test_what_nobody_knows_is_told_as_before(repository: Repository, name: str) -> None:
    """Promise: a name of nothing is refused by who was asked first, in his words."""
    await repository.keep(heard([index_tick(1000)]))
    with pytest.raises(UnknownTicker):
        await Listing(Names(), repository).resolve(name)
    with pytest.raises(ExchangeUnavailable):
        await Listing(Away(), repository).resolve(name)


async def test_history_is_told_while_the_exchange_is_away(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: a gateway that starts in the exchange's maintenance tells what it has stored, on every path."""
    await repository.keep(heard([index_tick(stopped.now_ms - 1000)]))
    parts = build_history(repository, new_bus(), new_cache(), open_to_all(), Away(), stopped.clock)
    v2 = [f"/api/v2/ticks/BTC_USD{rest}" for rest in ("", "/latest", "/stats", f"/at?time={stopped.now_ms - 900}")]
    v2 += ["/api/v2/ticks/btc_usd?format=csv", "/api/v2/candles/btc_usd?resolution=1", "/api/v2/gaps/btc_usd"]
    older = ["/prices?ticker=btc_usd", "/prices/latest?ticker=btc_usd", "/api/v1/deribit/latest?ticker=btc_usd"]
    async with client_of(parts) as client:
        told = {path: (await client.get(path)).status_code for path in (*v2, *older)}
        assert told == dict.fromkeys(told, 200)
        assert (await client.get("/api/v2/ticks/eth_usd")).status_code == 503

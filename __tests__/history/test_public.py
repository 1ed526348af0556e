"""The bounds of what anybody may ask."""

import pytest

from __tests__.live.world import Hands
from cryptomarket.backplane.limiter import Room
from cryptomarket.backplane.memory import MemoryLimiter
from cryptomarket.clock import Clock
from cryptomarket.errors import Forbidden, NotFound, TooMany
from cryptomarket.history.public import OWN_COUNTS, PERIOD_S, SHARED_COUNTS, PublicPrices, network_of


async def test_an_address_may_ask_so_often() -> None:
    """Promise: a limit for each address, and no address pays for another; an IPv6 customer is one asker."""
    prices = PublicPrices(MemoryLimiter(), Clock.system(), tickers=("btc_usd",), per_minute=2)
    await prices.admit("10.0.0.1")
    await prices.admit("10.0.0.1")
    with pytest.raises(TooMany) as refused:
        await prices.admit("10.0.0.1")
    assert (refused.value.limit, refused.value.retry_after_s >= 1) == (2, True)
    await prices.admit("10.0.0.2")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert (network_of("::ffff:10.0.0.1"), network_of("unknown")) == ("10.0.0.1", "unknown")


class CountedLimiter(MemoryLimiter):
    """Remembers what was counted."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    async def take(self, key: str, *, limit: int, period_s: int) -> Room:
        self.names.add(key)
        return await super().take(key, limit=limit, period_s=period_s)


async def test_a_flood_of_addresses_has_few_counts() -> None:
    """Promise: whoever comes from everywhere makes no more of the bus's memory than is set aside, and whoever was here
    before keeps a count of his own; when the flood is over, so does everybody.
    """
    limiter, hands = CountedLimiter(), Hands()
    prices = PublicPrices(limiter, hands.clock(), tickers=(), per_minute=1000)
    await prices.admit("192.0.2.1")
    for number in range(2 * OWN_COUNTS):
        await prices.admit(f"10.0.{number >> 8}.{number & 255}")
    assert len(limiter.names) == OWN_COUNTS + SHARED_COUNTS
    limiter.names.clear()
    await prices.admit("192.0.2.1")
    await prices.admit("192.0.2.2")
    own, shared = sorted(limiter.names)
    assert (own, shared.startswith("public-prices:shared-")) == ("public-prices:192.0.2.1", True)
    limiter.names.clear()
    hands.forward(PERIOD_S + 1)
    await prices.admit("192.0.2.2")
    assert limiter.names == {"public-prices:192.0.2.2"}


async def test_only_what_is_collected_anyway_is_told_to_all() -> None:
    """Promise: nobody makes the gateway collect more without a token; closed means closed."""
    prices = PublicPrices(MemoryLimiter(), Clock.system(), tickers=("btc_usd", "eth_usd"), per_minute=0)
    prices.check("btc_usd")
    with pytest.raises(Forbidden, match="btc_usd, eth_usd"):
        prices.check("BTC-PERPETUAL")
    with pytest.raises(NotFound, match="closed"):
        await prices.admit("10.0.0.1")

"""The bounds of what anybody may ask."""

import pytest

from cryptomarket.backplane.memory import MemoryLimiter
from cryptomarket.errors import Forbidden, NotFound, TooMany
from cryptomarket.history.public import COUNTS, PublicPrices, count_of, network_of


async def test_an_address_may_ask_so_often() -> None:
    """Promise: a limit for each address, and no address pays for another; an IPv6 customer is one asker."""
    prices = PublicPrices(MemoryLimiter(), tickers=("btc_usd",), per_minute=2)
    await prices.admit("10.0.0.1")
    await prices.admit("10.0.0.1")
    with pytest.raises(TooMany) as refused:
        await prices.admit("10.0.0.1")
    assert (refused.value.limit, refused.value.retry_after_s >= 1) == (2, True)
    await prices.admit("10.0.0.2")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert (network_of("::ffff:10.0.0.1"), network_of("unknown")) == ("10.0.0.1", "unknown")


def test_a_flood_of_addresses_has_few_counts() -> None:
    """Promise: whoever comes from everywhere makes no more of the bus's memory than is set aside."""
    counts = {count_of(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}") for number in range(100_000)}
    assert counts == set(range(COUNTS))
    assert count_of("2001:db8::1") == count_of("2001:db8::ffff")


async def test_only_what_is_collected_anyway_is_told_to_all() -> None:
    """Promise: nobody makes the gateway collect more without a token; closed means closed."""
    prices = PublicPrices(MemoryLimiter(), tickers=("btc_usd", "eth_usd"), per_minute=0)
    prices.check("btc_usd")
    with pytest.raises(Forbidden, match="btc_usd, eth_usd"):
        prices.check("BTC-PERPETUAL")
    with pytest.raises(NotFound, match="closed"):
        await prices.admit("10.0.0.1")

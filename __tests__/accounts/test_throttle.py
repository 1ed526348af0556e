"""Guessing is slowed, per address and per client id; logging in rightly is not."""

import pytest

from cryptomarket.accounts.throttle import Throttle
from cryptomarket.backplane.limiter import Room
from cryptomarket.backplane.memory import MemoryLimiter
from cryptomarket.errors import TooMany
from cryptomarket.secret import Secret


class WatchedLimiter(MemoryLimiter):
    """The limiter, and every key it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    async def look(self, key: str, *, limit: int, period_s: int) -> Room:
        self.keys.append(key)
        return await super().look(key, limit=limit, period_s=period_s)


def throttle(limiter: MemoryLimiter) -> Throttle:
    return Throttle(limiter, digest_key=Secret("digest key"), per_address=5, per_client=2, period_s=300)


async def test_the_failures_of_a_client_id_slow_it_from_every_address() -> None:
    """Two wrong secrets for one id, and the third attempt waits, wherever it comes from."""
    limits = throttle(MemoryLimiter())
    for address in ("192.0.2.1", "192.0.2.2"):
        await limits.check(address, "demo-1")
        await limits.failed(address, "demo-1")
    with pytest.raises(TooMany) as refused:
        await limits.check("192.0.2.3", "demo-1")
    assert refused.value.limit == 2
    assert 1 <= refused.value.retry_after_s <= 300
    await limits.check("192.0.2.3", "demo-2")


async def test_the_failures_of_an_address_slow_it_for_every_client_id() -> None:
    """Trying many ids from one place is slowed too; a good login of one's own does not wipe that out."""
    limits = throttle(MemoryLimiter())
    for number in range(5):
        await limits.check("192.0.2.1", f"guess-{number}")
        await limits.failed("192.0.2.1", f"guess-{number}")
    await limits.succeeded("demo-1")
    with pytest.raises(TooMany) as refused:
        await limits.check("192.0.2.1", "demo-1")
    assert refused.value.limit == 5
    await limits.check("192.0.2.2", "demo-1")


async def test_success_forgets_the_failures_of_the_client_id() -> None:
    """One typing error a day never adds up to a refusal; looking counts nothing."""
    limits = throttle(MemoryLimiter())
    for _ in range(2):
        await limits.failed("192.0.2.1", "demo-1")
        await limits.succeeded("demo-1")
        for _ in range(10):
            await limits.check("192.0.2.1", "demo-1")


async def test_a_customer_of_ipv6_is_one_address() -> None:
    """He has 2^64 of them, and an IPv4 address written as IPv6 is the same place."""
    limits = throttle(MemoryLimiter())
    for number in range(5):
        await limits.failed(f"2001:db8::{number:x}", f"guess-{number}")
    with pytest.raises(TooMany):
        await limits.check("2001:db8::ffff", "demo-1")
    await limits.check("2001:db8:0:1::1", "demo-1")
    for number in range(5):
        await limits.failed("::ffff:192.0.2.9", f"other-{number}")
    with pytest.raises(TooMany):
        await limits.check("192.0.2.9", "demo-1")
    await limits.check("not an address", "demo-1")


async def test_neither_client_ids_nor_addresses_are_kept_in_clear() -> None:
    """Whoever reads the limiter's store learns nobody's client id, nor can compute it without the digest's key."""
    limiter = WatchedLimiter()
    await throttle(limiter).check("192.0.2.1", "demo-1")
    assert len(limiter.keys) == 2
    assert not any("demo-1" in key or "192.0.2" in key for key in limiter.keys)
    other = WatchedLimiter()
    other_throttle = Throttle(other, digest_key=Secret("another"), per_address=5, per_client=2, period_s=300)
    await other_throttle.check("192.0.2.1", "demo-1")
    assert not set(other.keys) & set(limiter.keys)

"""Leases: one holder, and a token that only grows."""

from __tests__.conformance.form import Backplane


async def test_one_holds_it_until_its_life_is_over(backplane: Backplane) -> None:
    """Promise: work that must be done once has one owner."""
    first = await backplane.leases.acquire("slot:1", "a", life_s=10)
    assert first is not None
    assert await backplane.leases.acquire("slot:1", "b", life_s=10) is None
    await backplane.advance(11)
    second = await backplane.leases.acquire("slot:1", "b", life_s=10)
    assert second is not None
    assert second.token > first.token
    assert not await backplane.leases.renew(first, life_s=10)
    await backplane.leases.release(first)
    assert (await backplane.leases.holders())["slot:1"] == second


async def test_renewing_keeps_it(backplane: Backplane) -> None:
    """Promise: who renews in time is never robbed."""
    lease = await backplane.leases.acquire("slot:1", "a", life_s=10)
    assert lease is not None
    for _ in range(5):
        await backplane.advance(6)
        assert await backplane.leases.renew(lease, life_s=10)
        assert await backplane.leases.acquire("slot:1", "b", life_s=10) is None


async def test_a_renewal_that_comes_too_late_is_a_loss(backplane: Backplane) -> None:
    """Promise: an expired lease is not revived, though nobody has taken it."""
    lease = await backplane.leases.acquire("slot:1", "a", life_s=10)
    assert lease is not None
    await backplane.advance(11)
    assert not await backplane.leases.renew(lease, life_s=10)


async def test_tokens_grow_over_releases(backplane: Backplane) -> None:
    """Promise: no token is ever given out twice."""
    tokens = []
    for owner in "abcab":
        lease = await backplane.leases.acquire("slot:1", owner, life_s=10)
        assert lease is not None
        tokens.append(lease.token)
        await backplane.leases.release(lease)
    assert tokens == sorted(set(tokens))
    assert await backplane.leases.holders() == {}


async def test_an_owner_that_asks_again_gets_a_newer_token(backplane: Backplane) -> None:
    """Promise: a restarted owner fences off its former self."""
    first = await backplane.leases.acquire("slot:1", "a", life_s=10)
    again = await backplane.leases.acquire("slot:1", "a", life_s=10)
    assert first is not None
    assert again is not None
    assert again.token > first.token
    assert not await backplane.leases.renew(first, life_s=10)

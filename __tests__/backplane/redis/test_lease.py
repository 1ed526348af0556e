"""RedisLeases."""

from __tests__.backplane.redis_server import RedisServer
from cryptomarket.backplane.lease import Lease
from cryptomarket.backplane.redis import RedisLeases, RedisLink


async def acquired(leases: RedisLeases, owner: str, life_s: float = 30) -> Lease:
    lease = await leases.acquire("slot", owner, life_s=life_s)
    assert lease is not None
    return lease


async def test_one_owner(link: RedisLink) -> None:
    """While one holds it another gets none; after release the token is larger."""
    leases = RedisLeases(link)
    first = await acquired(leases, "one")
    assert await leases.acquire("slot", "two", life_s=30) is None
    assert await leases.holders() == {"slot": first}
    await leases.release(first)
    assert await leases.holders() == {}
    second = await acquired(leases, "two")
    assert second.token > first.token
    assert await leases.renew(second, life_s=30)
    assert not await leases.renew(first, life_s=30)


async def test_same_owner_again(link: RedisLink) -> None:
    """An owner that asks again gets a new token; its former one is lost, and can't release the new one."""
    leases = RedisLeases(link)
    former = await acquired(leases, "one")
    newer = await acquired(leases, "one")
    await leases.release(former)
    assert newer.token > former.token
    assert await leases.holders() == {"slot": newer}


async def test_lapsed(link: RedisLink) -> None:
    """A lease whose life is over is nobody's."""
    leases = RedisLeases(link)
    lapsed = await acquired(leases, "one", life_s=0)
    assert not await leases.renew(lapsed, life_s=30)
    assert (await acquired(leases, "two")).token > lapsed.token


async def test_tokens_grow_over_lost_data(link: RedisLink, server: RedisServer) -> None:
    """A token is never given out again, even when Redis has forgotten everything."""
    leases = RedisLeases(link)
    before = await acquired(leases, "one")
    with server.client() as client:
        client.flushall()
    assert not await leases.renew(before, life_s=30)
    assert (await acquired(leases, "two")).token > before.token

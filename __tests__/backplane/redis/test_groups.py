"""Groups of consumers over several processes and epochs."""

import asyncio
import signal

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import DEADLINE_S, fence_at, link_to, said_when_back, seqs, ticks
from cryptomarket.backplane.redis import RedisBus, RedisLink
from cryptomarket.market.wire import Publication

GROUP = "store"


async def taken(bus: RedisBus, consumer: str, count: int) -> list[Publication]:
    """The next publications of a consumer, until there are `count` of them."""
    found: list[Publication] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += await bus.consume(GROUP, consumer, limit=100, wait_s=0.1)
    return found


async def test_what_a_dead_process_left_goes_to_the_others(server: RedisServer) -> None:
    """Promise: a consumer that stays away is given up for dead, and what it left goes to another."""
    async with link_to(server) as here, link_to(server) as there:
        async with RedisBus(here, dead_s=0.2) as bus:
            told = await bus.publish(ticks(*"abcde"), await fence_at(here))
            assert await taken(bus, "one", 5) == told
            await bus.acknowledge(GROUP, told[:2])
        async with RedisBus(there, dead_s=0.2) as other:
            assert await taken(other, "two", 3) == told[2:]
            await other.acknowledge(GROUP, told[2:])
            assert await other.acknowledged(GROUP) == 5


async def test_a_process_that_comes_back_goes_on_at_once(server: RedisServer) -> None:
    """Promise: a consumer that was restarted gets what it had not acknowledged, before what is new, without waiting."""
    async with link_to(server) as here, link_to(server) as there:
        fence = await fence_at(here)
        async with RedisBus(here) as bus:
            told = await bus.publish(ticks(*"abc"), fence)
            assert await taken(bus, "one", 3) == told
            told += await bus.publish(ticks("d"), fence)
        async with RedisBus(there) as again:
            assert await again.consume(GROUP, "two", limit=100, wait_s=0.1) == told[3:]
            assert await again.consume(GROUP, "one", limit=2, wait_s=0.1) == told[:2]
            assert await again.consume(GROUP, "one", limit=100, wait_s=0.1) == told[2:3]
            assert await again.consume(GROUP, "one", limit=100, wait_s=0.1) == []


async def test_what_is_owed_of_a_former_epoch_is_handed_out_first(own: RedisServer) -> None:
    """Promise: a restart of Redis with its data costs the writers nothing; then the former log is gone."""
    async with link_to(own) as link, RedisBus(link) as bus:
        told = await bus.publish(ticks(*"abcde"), await fence_at(link))
        former = told[0].position.epoch
        assert seqs(await bus.consume(GROUP, "one", limit=2, wait_s=0.1)) == [1, 2]
        await bus.acknowledge(GROUP, told[:1])
        own.stop(signal.SIGKILL)
        own.start()
        after = await said_when_back(bus, link, "a")
        assert after[0].position.epoch != former
        async with RedisBus(link, dead_s=0) as again:
            batch = await taken(again, "one", 5)
            assert batch == told[1:] + after
            await again.acknowledge(GROUP, batch)
            assert await again.acknowledged(GROUP) == 1
            assert await taken(again, "one", 0) == await again.consume(GROUP, "one", limit=9, wait_s=0) == []
        assert await link.ask("EXISTS", link.keys.log(former), "cryptomarket:test:former") == 0


async def test_a_former_log_that_nobody_empties_is_given_up_with_a_name(own: RedisServer) -> None:
    """Promise: former logs are bounded too; what is given up with them is told as lost."""
    async with link_to(own) as link, RedisBus(link) as bus:
        assert await bus.consume(GROUP, "one", limit=1, wait_s=0) == []
        first = await bus.publish(ticks("a", "b", payload=b'{"timestamp":7}'), await fence_at(link))
        assert seqs(await bus.consume(GROUP, "one", limit=1, wait_s=0.1)) == [1]
        for _ in range(5):
            # What a restart looks like to a script, without one.
            await link.ask("HSET", link.keys.order, "run_id", "another")
            await bus.publish(ticks("c"), await fence_at(link))
            assert await bus.acknowledged(GROUP) == 0
            async with RedisBus(link) as joining:
                await joining.consume("joins", "one", limit=1, wait_s=0)
        assert await link.ask("EXISTS", link.keys.log(first[0].position.epoch)) == 0
        losses = {loss.ticker: loss for loss in await bus.losses(GROUP)}
        assert {(loss.first.epoch, loss.count, loss.first_ms) for loss in losses.values()} >= {
            (first[0].position.epoch, 1, 7)
        }
        assert {"a", "b"} <= set(losses)


async def test_all_that_consumers_held_of_a_log_that_is_given_up_is_told(link: RedisLink) -> None:
    """Promise: however many entries were handed out and not acknowledged, none is lost untold."""
    count = 2500
    async with RedisBus(link) as bus:
        assert await bus.consume(GROUP, "one", limit=1, wait_s=0) == []
        first = await bus.publish(ticks(*["a"] * count), await fence_at(link))
        assert len(await taken(bus, "one", count)) == count
        for _ in range(5):
            # What a restart looks like to a script, without one.
            await link.ask("HSET", link.keys.order, "run_id", "another")
            await bus.publish(ticks("b"), await fence_at(link))
            await bus.acknowledged(GROUP)
            async with RedisBus(link) as joining:
                await joining.consume("joins", "one", limit=1, wait_s=0)
        (loss,) = [loss for loss in await bus.losses(GROUP) if loss.ticker == "a"]
        assert (loss.first, loss.count) == (first[0].position, count)

"""Replicas and Sentinels: real servers, read from and failed over to."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisSentinel, RedisServer, free_port, until
from __tests__.backplane.redis_world import fence_at, heard, link_to, said_when_back, seqs, ticks
from cryptomarket.backplane.redis import RedisBus
from cryptomarket.errors import BusUnavailable, LogTooShort
from cryptomarket.market.wire import Publication


def is_in_sync(replica: RedisServer) -> bool:
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def head_at(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.hget("cryptomarket:test:order", "head") or 0)


# A Sentinel leaves one that takes itself for the primary alone for so long (sentinel.c, SENTINEL_PUBLISH_PERIOD * 4).
DEMOTED_S = 8.0


def leads(sentinel: RedisSentinel, server: RedisServer) -> bool:
    """Whether the Sentinel names this server."""
    with sentinel.client() as client:
        told = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
    return int(told[1]) == server.port


def make_replica(server: RedisServer, *of: str) -> None:
    with server.client() as client:
        client.execute_command("REPLICAOF", *of)


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and its replica, in step."""
    with ExitStack() as stack:
        servers = []
        for _ in range(2):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis")))
            server = RedisServer(folder, "--repl-diskless-sync-delay", "0", port=free_port())
            server.start()
            stack.callback(server.stop, signal.SIGKILL)
            servers.append(server)
        primary, replica = servers
        make_replica(replica, "127.0.0.1", str(primary.port))
        until(lambda: is_in_sync(replica), "the replica did not follow")
        yield primary, replica


def waits_at(server: RedisServer) -> bool:
    """Whether a follower waits there."""
    with server.client() as client:
        return any(connection["cmd"] == "xread" for connection in client.client_list())


async def test_followers_read_at_the_replica(pair: tuple[RedisServer, RedisServer]) -> None:
    """Promise: the primary orders; who follows costs the replica."""
    primary, replica = pair
    async with link_to(primary, replica_url=replica.url) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        followed = bus.follow(await bus.head())
        for _ in range(5):
            told = await bus.publish(ticks("a", "b"), fence)
            assert await heard(followed, 2) == told
        waiting = asyncio.create_task(heard(followed, 1))
        await asyncio.to_thread(until, lambda: waits_at(replica), "nobody waits at the replica")
        told = await bus.publish(ticks("a"), fence)
        assert await waiting == told


@pytest.mark.parametrize("fault", ["cut off", "away", "silent"])
async def test_a_replica_that_fails_is_left_for_the_primary(pair: tuple[RedisServer, RedisServer], fault: str) -> None:
    """Promise: a replica that hears nothing more, is gone, or says nothing, costs a follower a moment and no event."""
    primary, replica = pair
    async with link_to(primary, replica_url=replica.url, timeout_s=1.0) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        told = await bus.publish(ticks("a"), fence)
        followed = bus.follow(told[0].position)
        told = await bus.publish(ticks("a"), fence)
        assert await heard(followed, 1) == told
        match fault:
            case "cut off":
                make_replica(replica, "NO", "ONE")
            case "away":
                replica.stop(signal.SIGKILL)
            case "silent":
                replica.send(signal.SIGSTOP)
        said = [each for _ in range(5) for each in await bus.publish(ticks("a", "b"), fence)]
        assert await heard(followed, 10) == said


async def test_a_replica_that_is_back_is_read_at_again(pair: tuple[RedisServer, RedisServer]) -> None:
    """Promise: a replica is left alone for as long as the setting says, and no longer."""
    primary, replica = pair
    url = replica.url
    async with link_to(primary, replica_url=url, timeout_s=1.0, replica_rest_s=0.5) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        followed = bus.follow(await bus.head())
        make_replica(replica, "NO", "ONE")
        told = await bus.publish(ticks("a"), fence)
        assert await heard(followed, 1) == told
        waiting = asyncio.create_task(heard(followed, 1))
        await asyncio.to_thread(until, lambda: waits_at(primary), "nobody turned to the primary")
        make_replica(replica, "127.0.0.1", str(primary.port))
        await asyncio.to_thread(until, lambda: waits_at(replica), "the replica is not read at again")
        told = await bus.publish(ticks("a"), fence)
        assert await waiting == told


async def test_a_replica_that_had_missed_some_is_promoted(pair: tuple[RedisServer, RedisServer]) -> None:
    """Promise: what a replica had not heard when it took over is never said again under the same position; nor when
    the former primary, still the same process, takes over from it again.
    """
    primary, replica = pair
    async with link_to(primary) as link, RedisBus(link) as bus, link_to(replica) as other_link:
        fence = await fence_at(link)
        said: list[Publication] = await bus.publish(ticks("a", "a"), fence)
        until(lambda: head_at(replica) == 2, "the replica did not follow")
        make_replica(replica, "NO", "ONE")
        said += await bus.publish(ticks("a", "a"), fence)
        # The former primary takes the data of the other, which has published nothing meanwhile, and is primary again.
        make_replica(primary, "127.0.0.1", str(replica.port))
        until(lambda: is_in_sync(primary), "the former primary did not follow")
        assert head_at(primary) == 2
        with pytest.raises(BusUnavailable):
            await bus.publish(ticks("a"), fence)
        make_replica(primary, "NO", "ONE")
        again = await said_when_back(bus, link, "a", "a", "a", "a")
        async with RedisBus(other_link) as other:
            elsewhere = await said_when_back(other, other_link, "a", "a", "a", "a")
        positions = [each.position for each in (*said, *again, *elsewhere)]
        assert len(set(positions)) == len(positions) == 12


async def test_a_sentinel_fails_over(pair: tuple[RedisServer, RedisServer]) -> None:
    """Promise: the primary dies, the Sentinel names the replica: publishing goes on there in a new epoch, and who
    follows is told.
    """
    primary, replica = pair
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        sentinel = RedisSentinel(Path(folder), primary.port)
        sentinel.start()
        try:
            async with link_to(sentinel.url, read_replicas=True, timeout_s=2.0) as link, RedisBus(link) as bus:
                before = await bus.publish(ticks("a"), await fence_at(link))
                followed = bus.follow(before[0].position)
                before += await bus.publish(ticks("a"), await fence_at(link))
                assert seqs(await heard(followed, 1)) == [2]
                primary.stop(signal.SIGKILL)
                with pytest.raises((BusUnavailable, LogTooShort)):
                    await heard(followed, 1)
                after = await said_when_back(bus, link, "a", "b")
                assert after[0].position.epoch != before[0].position.epoch
                assert head_at(replica) == 2
                assert await heard(bus.follow(after[0].position), 1) == after[1:]
                with pytest.raises(LogTooShort):
                    await bus.since(before[0].position, 10, 10)
        finally:
            sentinel.stop()


async def test_a_primary_that_wakes_up_is_left(pair: tuple[RedisServer, RedisServer]) -> None:
    """Promise: who stood still while another was promoted takes himself for the primary until his Sentinel tells him
    otherwise; it is asked, and what is published goes where it says, long before that.
    """
    primary, replica = pair
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        sentinel = RedisSentinel(Path(folder), primary.port)
        sentinel.start()
        try:
            async with link_to(sentinel.url, timeout_s=20.0) as link, RedisBus(link) as bus:
                before = await bus.publish(ticks("a"), await fence_at(link))
                primary.send(signal.SIGSTOP)
                # Under way when it wakes up, so nothing seems to have been lost.
                asking = asyncio.create_task(bus.head())
                await asyncio.to_thread(until, lambda: leads(sentinel, replica), "nobody else was promoted")
                primary.send(signal.SIGCONT)
                assert (await asking).epoch == before[0].position.epoch
                async with asyncio.timeout(DEMOTED_S):
                    while True:
                        after = await said_when_back(bus, link, "a")
                        if after[0].position.epoch != before[0].position.epoch:
                            break
                assert head_at(replica) >= 1
        finally:
            primary.send(signal.SIGCONT)
            sentinel.stop()

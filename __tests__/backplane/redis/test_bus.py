"""The bus between processes: what only a real server can show."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from __tests__.backplane.redis_proxy import proxy_to
from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import DEADLINE_S, fence_at, heard, link_to, said_when_back, seqs, ticks
from cryptomarket.backplane.bus import Notice, NoticeKind, Picture
from cryptomarket.backplane.redis import RedisBus, RedisCache, RedisLink, RedisMailroom
from cryptomarket.errors import BusUnavailable, Unavailable
from cryptomarket.market.position import Position

TIMEOUT_S = 0.5


async def test_published_here_and_heard_there(server: RedisServer) -> None:
    """Promise: batches that are under way together take their places in the order of calling."""
    async with link_to(server) as here, link_to(server) as there, RedisBus(here) as one, RedisBus(there) as other:
        fence = await fence_at(here)
        followed = other.follow(await other.head())
        told = await asyncio.gather(*(one.publish(ticks(f"t{at}", "all"), fence) for at in range(100)))
        flat = [publication for batch in told for publication in batch]
        assert seqs(flat) == list(range(1, 201))
        assert [batch[0].ticker for batch in told] == [f"t{at}" for at in range(100)]
        assert await heard(followed, 200) == flat
        assert await other.since(Position(flat[0].position.epoch, 0), 200, 200) == flat


async def in_time(asked: Awaitable[object]) -> None:
    """It is told in time that the bus is away."""
    begun_s = time.monotonic()
    with pytest.raises(BusUnavailable) as away:
        await asked
    assert time.monotonic() - begun_s < 2 * TIMEOUT_S + 3
    assert "redis.sock" not in str(away.value)


async def test_a_server_that_says_nothing_hangs_nobody(own: RedisServer) -> None:
    """Promise: whatever is asked of a stopped server is BusUnavailable in time; when it goes on, all is well again."""
    async with link_to(own, timeout_s=TIMEOUT_S) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        (first,) = await bus.publish(ticks("a"), fence)
        followed = bus.follow(first.position)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: bus.publish(ticks("a"), fence),
            lambda: bus.publish_change("u", "a", b"{}"),
            bus.head,
            bus.pictures,
            bus.ping,
            lambda: bus.remember("a", b"{}"),
            lambda: bus.since(first.position, 10, 10),
            lambda: anext(followed),
            lambda: bus.consume("store", "one", limit=1, wait_s=60),
            lambda: bus.acknowledge("store", [first]),
            lambda: bus.acknowledged("store"),
            lambda: bus.losses("store"),
            lambda: bus.notify(Notice(NoticeKind.DEMAND, "a")),
            lambda: RedisCache(link).take("key"),
            lambda: RedisMailroom(link).ask("box", b"", timeout_s=60),
            lambda: anext(RedisMailroom(link).letters("box")),
        ]
        own.send(signal.SIGSTOP)
        await asyncio.gather(*(in_time(call()) for call in calls))
        own.send(signal.SIGCONT)
        assert len(await said_when_back(bus, link, "b")) == 1


async def test_what_was_given_up_for_lost_is_never_published_later(own: RedisServer) -> None:
    """Promise: once `pictures` has answered, a batch that failed is in them or nowhere: a server that finds it in a
    socket long afterwards refuses it.
    """
    async with proxy_to(own, own.folder) as proxy, link_to(own) as beside:
        fence = await fence_at(beside)
        async with link_to(proxy.url, timeout_s=TIMEOUT_S) as link, RedisBus(link) as bus:
            (first,) = await bus.publish(ticks("a"), fence)
            held = proxy.gate
            proxy.hold()
            failed = await asyncio.gather(
                *(bus.publish(ticks("late"), fence) for _ in range(3)), return_exceptions=True
            )
            assert all(isinstance(error, BusUnavailable) for error in failed)
            proxy.let_new_ones_pass()
            position, pictures = await looked_when_back(bus)
            assert set(pictures) == {"a"}
            (after,) = await bus.publish(ticks("b"), fence)
            assert after.seq == position.seq + 1
        async with asyncio.timeout(DEADLINE_S):
            await proxy.deliver(held)
        async with RedisBus(beside) as other:
            assert await other.since(Position(first.position.epoch, 0), 100, 100) == [first, after]


async def looked_when_back(bus: RedisBus) -> tuple[Position, dict[str, Picture]]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await bus.pictures()
            except BusUnavailable:
                await asyncio.sleep(0.01)  # sleep: another process tells nobody when it is ready


async def test_the_latest_can_be_read_by_hand(link: RedisLink, server: RedisServer) -> None:
    """Promise: anyone reads a ticker's last tick with redis-cli, as JSON, under the key that the document names."""
    payload = b'{"ticker":"btc_usd","price":95413.23,"timestamp":1768768182422}'
    async with RedisBus(link) as bus:
        await bus.publish(ticks("btc_usd", payload=payload), await fence_at(link))
    command = ("redis-cli", "-s", str(server.socket), "HGET", "cryptomarket:test:ticker:btc_usd", "tick")
    reading = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(DEADLINE_S):
        told, _ = await reading.communicate()
    assert json.loads(told) == json.loads(payload)


async def test_a_box_full_of_waiting_askers_leaves_room_for_all_else(link: RedisLink) -> None:
    """Promise: who waits at the server keeps nobody from being answered."""
    mailroom = RedisMailroom(link)
    waiting = [asyncio.create_task(mailroom.ask("box", b"", timeout_s=120)) for _ in range(64)]
    async with RedisBus(link) as bus, asyncio.timeout(60):
        while await link.ask("LLEN", f"{link.keys.prefix}mail:box:box") != len(waiting):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)  # sleep: who waits for an answer tells nobody that it was asked
        with pytest.raises(Unavailable) as full:
            await mailroom.ask("box", b"", timeout_s=60)
        assert "Too many" in full.value.detail
        assert len(await bus.publish(ticks("a"), await fence_at(link))) == 1
        assert len(await bus.consume("store", "one", limit=1, wait_s=1)) == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_server_out_of_memory_takes_nothing_in_part(own: RedisServer) -> None:
    """Promise: what Redis has no room for is refused in whole, and named as a bus that is away."""
    async with link_to(own) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        (first,) = await bus.publish(ticks("a"), fence)
        with own.client() as client:
            client.config_set("maxmemory", "1")
            with pytest.raises(BusUnavailable):
                await bus.publish(ticks("a", "b"), fence)
            assert await bus.since(first.position, 100, 100) == []
            client.config_set("maxmemory", "0")
        assert seqs(await bus.publish(ticks("b", "a"), fence)) == [2, 3]

"""Epochs on a real server: whenever anything may have been lost, no position ever names two events."""

import asyncio
import signal
from pathlib import Path

import pytest

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import fence_at, heard, link_to, said_when_back, seqs, ticks
from cryptomarket.backplane.redis import RedisBus
from cryptomarket.errors import BusUnavailable, Fenced, LogTooShort
from cryptomarket.market.wire import Publication


def proven_apart(before: list[Publication], after: list[Publication]) -> None:
    """No position names two publications."""
    assert not {each.position for each in before} & {each.position for each in after}


def append_only_file(server: RedisServer) -> Path:
    folder = server.folder
    (path,) = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]  # since 7.0, and before
    return path


def commands_of(text: bytes) -> list[int]:
    """Where each command of an append-only file ends (redis.io/docs/latest/develop/reference/protocol-spec)."""
    ends, at = [], 0
    while at < len(text):
        line_end = text.index(b"\r\n", at)
        parts, at = int(text[at + 1 : line_end]), line_end + 2
        for _ in range(parts):
            line_end = text.index(b"\r\n", at)
            at = line_end + 2 + int(text[at + 1 : line_end]) + 2
        ends.append(at)
    return ends


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_an_append_only_file_that_was_cut_back(own: RedisServer, share: float) -> None:
    """Promise: killed and started with less than it had said, a server begins anew, and says so to who follows."""
    async with link_to(own) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        before = [each for _ in range(20) for each in await bus.publish(ticks("a", "b"), fence)]
        own.stop(signal.SIGKILL)
        path = append_only_file(own)
        text = path.read_bytes()
        ends = commands_of(text)
        path.write_bytes(text[: ends[int(len(ends) * share)]])
        own.start()
        after = await said_when_back(bus, link, "a", "b", "a")
        assert seqs(after) == [1, 2, 3]
        proven_apart(before, after)
        with pytest.raises(LogTooShort):
            await bus.since(before[5].position, 100, 100)
        with pytest.raises(LogTooShort):
            await heard(bus.follow(before[5].position), 1)
        with pytest.raises(Fenced):
            await bus.publish(ticks("a"), fence)


@pytest.mark.parametrize("data_kept", [True, False])
async def test_a_restart(own: RedisServer, data_kept: bool) -> None:
    """Promise: whole data or none, a restart is a new epoch; what the former one knew last is remembered."""
    async with link_to(own) as link, RedisBus(link) as bus:
        before = await bus.publish(ticks("a", payload=b'{"timestamp":5}'), await fence_at(link))
        own.stop(signal.SIGKILL)
        if not data_kept:
            append_only_file(own).write_bytes(b"")
        own.start()
        after = await said_when_back(bus, link, "b")
        proven_apart(before, after)
        position, pictures = await bus.pictures()
        assert position == after[0].position
        assert pictures["b"].last_seq == 1
        remembered = pictures["a"].remembered if "a" in pictures else None
        assert remembered == (b'{"timestamp":5}' if data_kept else None)
        assert await bus.since(after[0].position, 100, 100) == []


async def test_who_follows_is_told_of_a_new_epoch_at_once(own: RedisServer) -> None:
    """Promise: also where no connection breaks, as when somebody empties the server."""
    async with link_to(own) as link, RedisBus(link) as bus:
        before = await bus.publish(ticks("a"), await fence_at(link))
        followed = bus.follow(before[0].position)
        waiting = asyncio.create_task(heard(followed, 1))
        with own.client() as client:
            client.flushall()
        after = await said_when_back(bus, link, "a")
        proven_apart(before, after)
        async with asyncio.timeout(5):
            with pytest.raises(LogTooShort):
                await waiting


async def test_a_lease_ends_with_its_epoch(own: RedisServer) -> None:
    """Promise: an owner from before a restart publishes nothing, though its token is still the newest."""
    async with link_to(own) as link, RedisBus(link) as bus:
        fence = await fence_at(link)
        await bus.publish(ticks("a"), fence)
        own.stop(signal.SIGKILL)
        own.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    await bus.publish(ticks("a"), fence)
                except BusUnavailable:
                    continue
                except Fenced:
                    break
        assert (await bus.head()).seq == 0

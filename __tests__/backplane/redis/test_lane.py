"""The lane: in order, without waiting, and nothing after something that is missing."""

import asyncio
import signal

import pytest
from redis.asyncio.connection import AbstractConnection

from __tests__.backplane.redis_server import RedisServer
from __tests__.backplane.redis_world import link_to
from cryptomarket.backplane.redis import RedisLink
from cryptomarket.backplane.redis.answers import Command
from cryptomarket.backplane.redis.lane import Lane
from cryptomarket.backplane.redis.script import Script
from cryptomarket.errors import BusUnavailable

HEAD = Script("words")
KEY = "lane"


def lane_of(link: RedisLink, *, window: int = 4) -> Lane:
    return Lane(link.primary, HEAD, KEY, window=window, monotonic_s=link.monotonic_s)


async def connection_of(lane: Lane) -> AbstractConnection:
    """The library's, of an open lane."""
    await lane.open()
    connection = lane._connection  # noqa: SLF001  what goes wrong with it can't be brought about from outside
    assert connection is not None
    return connection


def push(value: int) -> Command:
    return ("RPUSH", "list", value)


async def test_answers_come_in_the_order_of_calling(link: RedisLink) -> None:
    """Promise: many calls under way, each with its own answer, carried out in order."""
    lane = lane_of(link)
    answers = await asyncio.gather(*(lane.run(lambda _, at=at: push(at)) for at in range(50)))  # type: ignore[misc]
    assert answers == list(range(1, 51))
    assert await link.ask("LRANGE", "list", 0, -1) == [str(at).encode() for at in range(50)]
    assert await link.ask("GET", KEY) == b"1"
    await lane.close()


async def test_after_a_loss_none_goes_on_where_one_is_missing(own: RedisServer) -> None:
    """Promise: as many calls as the window are under way; every one that was made before the loss was told has failed;
    later ones open the lane anew.
    """
    async with link_to(own, timeout_s=0.5) as link:
        lane = lane_of(link, window=2)
        await lane.run(lambda _: push(0))
        own.send(signal.SIGSTOP)
        waiting = [asyncio.create_task(lane.run(lambda _, at=at: push(at))) for at in range(1, 7)]  # type: ignore[misc]
        async with asyncio.timeout(10):
            told = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, BusUnavailable) for error in told)
        assert lane.is_broken
        own.send(signal.SIGCONT)
        await lane.run(lambda number: ("SET", "number", number))
        # It finds what was under way when it stood still: as much as the window, and nothing of what waited for room.
        assert await link.ask("LRANGE", "list", 0, -1) == [b"0", b"1", b"2"]
        assert await link.ask("GET", "number") == await link.ask("GET", KEY) == b"2"
        await lane.close()


async def test_who_gives_up_breaks_the_lane_and_mixes_no_answers(link: RedisLink) -> None:
    """Promise: the answer to a call that nobody waits for is not taken for the next one's."""
    lane = lane_of(link)
    await lane.open()
    waiting = asyncio.create_task(lane.run(lambda _: ("BLPOP", "nothing", "5")))
    behind = asyncio.create_task(lane.run(lambda _: ("ECHO", "behind")))
    await asyncio.sleep(0.02)  # sleep: so that it was sent; sent or not, what follows holds
    waiting.cancel()
    assert isinstance((await asyncio.gather(behind, return_exceptions=True))[0], BusUnavailable)
    assert await lane.run(lambda _: ("ECHO", "mine")) == b"mine"
    await lane.close()


async def test_what_becomes_of_a_broken_lane_is_nothing_to_the_next(link: RedisLink) -> None:
    """Promise: each gets his own answer also while the library still closes the connection that broke, as it does and
    waits where a primary is none any more.
    """
    lane = lane_of(link)
    broken = await connection_of(lane)
    is_closed = asyncio.Event()
    writer = broken._writer  # noqa: SLF001  its closing is to be held up
    assert writer is not None
    writer.wait_closed = is_closed.wait  # type: ignore[method-assign, assignment]
    closing = asyncio.create_task(broken.disconnect())
    await asyncio.sleep(0)  # sleep: a turn of the loop, in which the closing begins
    with pytest.raises(BusUnavailable):
        await lane.run(lambda _: ("ECHO", "too late"))
    waiting = asyncio.create_task(lane.run(lambda _: ("BLPOP", "list", "5")))
    await asyncio.sleep(0.02)  # sleep: so that it was sent; sent or not, what follows holds
    is_closed.set()
    await closing
    behind = asyncio.create_task(lane.run(lambda _: ("ECHO", "behind")))
    await link.ask("RPUSH", "list", "mine")
    assert [await waiting, await behind] == [[b"list", b"mine"], b"behind"]
    await lane.close()


async def test_a_lane_whose_connection_is_closed_sends_nothing_more(link: RedisLink) -> None:
    """Promise: it is not connected anew in the midst, where those who wait would be told what comes next."""
    lane = lane_of(link)
    await (await connection_of(lane)).disconnect()
    with pytest.raises(BusUnavailable):
        await lane.run(lambda _: push(1))
    assert await lane.run(lambda _: push(2)) == 1
    await lane.close()


async def test_a_script_that_was_flushed_is_a_loss(link: RedisLink) -> None:
    """Promise: what an operator flushed is loaded again, and nothing of redis-py comes out."""
    lane = lane_of(link)
    assert await lane.run(lambda _: ("EVALSHA", HEAD.sha, 0, "prefix")) is None
    await link.ask("SCRIPT", "FLUSH")
    with pytest.raises(BusUnavailable):
        await lane.run(lambda _: ("EVALSHA", HEAD.sha, 0, "prefix"))
    assert await lane.run(lambda _: ("EVALSHA", HEAD.sha, 0, "prefix")) is None
    await lane.close()

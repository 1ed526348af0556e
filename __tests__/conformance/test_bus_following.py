"""Followers: everything after a position, once each and in order, or an honest end."""

import asyncio
import contextlib

import pytest

from __tests__.conformance.form import LOG_CAPACITY, Backplane
from __tests__.conformance.hearing import DEADLINE_S, heard, seqs
from cryptomarket.backplane.bus import Fence
from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication


async def say_many(backplane: Backplane, fence: Fence, count: int) -> list[Publication]:
    return await backplane.say(fence, *["btc_usd"] * count)


async def test_what_was_and_what_comes_without_a_crack(backplane: Backplane) -> None:
    """Promise: replay passes into live with nothing missing and nothing double."""
    fence = await backplane.fence()
    told = await say_many(backplane, fence, 10)
    followed = backplane.bus.follow(told[3].position)
    assert await heard(followed, 6) == told[4:]
    for _ in range(3):
        told += await backplane.say(fence, "btc_usd", "eth_usd")
    told.append(await backplane.bus.publish_change("user-1", "eth_usd", b"{}"))
    assert await heard(followed, 7) == told[10:]


async def test_who_waits_is_woken(backplane: Backplane) -> None:
    """Promise: a publication is heard when it is made, not at the next look."""
    followed = backplane.bus.follow(await backplane.bus.head())
    waiting = asyncio.ensure_future(heard(followed, 1))
    told = await backplane.say(await backplane.fence(), "btc_usd")
    async with asyncio.timeout(DEADLINE_S):
        assert await waiting == told


async def test_what_came_meanwhile_comes_together(backplane: Backplane) -> None:
    """Promise: a follower that is busy gets one batch of what it missed, not a turn for each."""
    fence = await backplane.fence()
    followed = backplane.bus.follow(await backplane.bus.head())
    await backplane.say(fence, "btc_usd")
    assert seqs(await heard(followed, 1)) == [1]
    for _ in range(5):
        await backplane.say(fence, "btc_usd")
    async with asyncio.timeout(DEADLINE_S):
        assert seqs(await anext(followed)) == [2, 3, 4, 5, 6]


async def test_followers_do_not_share(backplane: Backplane) -> None:
    """Promise: each process hears everything, at its own pace and from its own place; one that goes takes nothing."""
    fence = await backplane.fence()
    start = await backplane.bus.head()
    told = await say_many(backplane, fence, 5)
    quick, late = backplane.bus.follow(start), backplane.bus.follow(told[2].position)
    slow = backplane.bus.follow(start)
    assert await heard(quick, 5) == told
    gone = asyncio.ensure_future(heard(backplane.bus.follow(told[4].position), 1))
    gone.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    told += await say_many(backplane, fence, 5)
    assert await heard(quick, 5) == told[5:]
    assert await heard(late, 7) == told[3:]
    assert await heard(slow, 10) == told


async def test_who_fell_behind_the_log_is_told(backplane: Backplane) -> None:
    """Promise: a slow follower never silently skips."""
    fence = await backplane.fence()
    followed = backplane.bus.follow(await backplane.bus.head())
    await backplane.say(fence, "btc_usd")
    assert seqs(await heard(followed, 1)) == [1]
    await say_many(backplane, fence, 2 * LOG_CAPACITY)
    with pytest.raises(LogTooShort):
        await heard(followed, 1)


async def test_there_is_no_following_from_elsewhere(backplane: Backplane) -> None:
    """Promise: a foreign, future or forgotten position is refused at once, not followed from somewhere near."""
    told = await say_many(backplane, await backplane.fence(), LOG_CAPACITY + 5)
    epoch = told[0].position.epoch
    for strange in (Position("zz", LOG_CAPACITY), Position(epoch, LOG_CAPACITY + 6), Position(epoch, 4)):
        with pytest.raises(LogTooShort):
            await heard(backplane.bus.follow(strange), 1)
    assert len(await heard(backplane.bus.follow(Position(epoch, 5)), LOG_CAPACITY)) == LOG_CAPACITY

"""Limits that all share."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.conformance.form import FORMS, Backplane
from __tests__.examples import examples
from cryptomarket.backplane.limiter import Room

LIMIT, PERIOD_S = 3, 60
# What a slow machine may take between two calls.
SLOW_S = 5
# A test's moments and a server's are not of one clock, and are rounded.
ROUNDED_S = 0.01


async def test_as_many_as_the_limit_and_not_one_more(backplane: Backplane) -> None:
    """Promise: at most `limit` in the window; a refusal says when there is room, and counts nothing."""
    rooms = [await backplane.limiter.take("key", limit=LIMIT, period_s=PERIOD_S) for _ in range(5)]
    assert [room.allowed for room in rooms] == [True, True, True, False, False]
    assert [room.remaining for room in rooms] == [2, 1, 0, 0, 0]
    assert 0 < rooms[-1].retry_after_s <= PERIOD_S


async def test_looking_counts_nothing_and_keys_do_not_touch(backplane: Backplane) -> None:
    """Promise: one client's failures are not another's."""
    for _ in range(10):
        assert (await backplane.limiter.look("key", limit=LIMIT, period_s=PERIOD_S)).remaining == LIMIT
    await backplane.limiter.take("other", limit=LIMIT, period_s=PERIOD_S)
    assert (await backplane.limiter.look("key", limit=LIMIT, period_s=PERIOD_S)).remaining == LIMIT


async def test_what_is_cleared_is_forgotten(backplane: Backplane) -> None:
    """Promise: who logs in rightly begins anew."""
    for _ in range(LIMIT):
        await backplane.limiter.take("key", limit=LIMIT, period_s=PERIOD_S)
    await backplane.limiter.clear("key", limit=LIMIT, period_s=PERIOD_S)
    assert (await backplane.limiter.take("key", limit=LIMIT, period_s=PERIOD_S)).allowed


async def take(backplane: Backplane, limit: int = LIMIT) -> Room:
    return await backplane.limiter.take("login:demo-1", limit=limit, period_s=PERIOD_S)


async def test_the_window_slides(backplane: Backplane) -> None:
    """Promise: at most so many in *any* window, also across the edge of a clock's period."""
    for wait_s in (0, 24, 24):
        await backplane.advance(wait_s)
        assert (await take(backplane)).allowed
    await backplane.advance(6)
    assert not (await take(backplane)).allowed
    await backplane.advance(7)
    assert (await take(backplane)).allowed
    refused = await take(backplane)
    assert not refused.allowed
    assert 13 < refused.retry_after_s <= 23


async def test_looking_sees_the_window_slide(backplane: Backplane) -> None:
    """Promise: what has left the window is not told as used."""
    await take(backplane)
    await backplane.advance(PERIOD_S / 2)
    await take(backplane)
    await backplane.advance(PERIOD_S / 2 + 1)
    assert (await backplane.limiter.look("login:demo-1", limit=LIMIT, period_s=PERIOD_S)).remaining == LIMIT - 1


async def test_there_is_room_when_it_was_said(backplane: Backplane) -> None:
    """Promise: Retry-After is true: who waits so long is let in, and who comes earlier is not."""
    for _ in range(LIMIT):
        await take(backplane)
        await backplane.advance(1)
    refused = await take(backplane)
    await backplane.advance(refused.retry_after_s - SLOW_S)
    assert not (await take(backplane)).allowed
    await backplane.advance(SLOW_S + 0.1)
    assert (await take(backplane)).allowed


async def test_a_refused_try_does_not_count(backplane: Backplane) -> None:
    """Promise: impatience does not lock anyone out for longer."""
    for _ in range(LIMIT):
        await take(backplane)
    for _ in range(9):
        await backplane.advance(6)
        assert not (await take(backplane)).allowed
    await backplane.advance(7)
    assert (await take(backplane)).allowed


async def test_many_at_once_are_counted_rightly(backplane: Backplane) -> None:
    """Promise: a crowd in one moment gets no more than the limit."""
    rooms = await asyncio.gather(*(take(backplane, limit=5) for _ in range(20)))
    assert sum(room.allowed for room in rooms) == 5


@pytest.mark.parametrize("name", sorted(FORMS))
@given(waits_s=st.lists(st.floats(0, 36), max_size=25), limit=st.integers(1, 4))
@examples(30)
async def test_no_window_holds_more_and_nobody_is_refused_for_nothing(
    name: str, waits_s: list[float], limit: int
) -> None:
    """Promise: both sides of a limit, at any pace."""
    async with FORMS[name]() as backplane:
        # Real time goes on a little during a call: of each only the moments before and after are known.
        allowed: list[tuple[float, float]] = []
        advanced_s = 0.0
        for wait_s in waits_s:
            await backplane.advance(wait_s)
            advanced_s += wait_s
            before_s = time.monotonic() + advanced_s
            room = await take(backplane, limit=limit)
            after_s = time.monotonic() + advanced_s
            if room.allowed:
                allowed.append((before_s, after_s))
            else:
                assert sum(late_s >= before_s - PERIOD_S - ROUNDED_S for _, late_s in allowed) >= limit
        for (early_s, _), (_, late_s) in zip(allowed, allowed[limit:], strict=False):
            assert late_s - early_s >= PERIOD_S - ROUNDED_S

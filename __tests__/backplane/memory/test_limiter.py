"""Sliding windows in memory, over time: at most so many in any window, and the truth about when there is room."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from __tests__.examples import examples
from cryptomarket.backplane.limiter import Room
from cryptomarket.backplane.memory import MemoryLimiter

PERIOD_S = 10


@dataclass(frozen=True)
class Windows:
    """A limiter, and the wall clock that its library reads."""

    limiter: MemoryLimiter
    wall: time_machine.Traveller


@contextmanager
def new_windows() -> Iterator[Windows]:
    with time_machine.travel(1_800_000_000, tick=True) as wall:
        yield Windows(MemoryLimiter(), wall)


@pytest.fixture
def windows() -> Iterator[Windows]:
    with new_windows() as windows:
        yield windows


async def take(windows: Windows, limit: int = 3) -> Room:
    return await windows.limiter.take("login:demo-1", limit=limit, period_s=PERIOD_S)


async def test_the_window_slides(windows: Windows) -> None:
    """Promise: at most so many in *any* window, also across the edge of a clock's period."""
    for wait_s in (0, 4, 4):
        windows.wall.shift(wait_s)
        assert (await take(windows)).allowed
    windows.wall.shift(1)
    assert not (await take(windows)).allowed
    windows.wall.shift(1.5)
    assert (await take(windows)).allowed
    refused = await take(windows)
    assert not refused.allowed
    assert 2 < refused.retry_after_s <= 3.5


async def test_there_is_room_when_it_was_said(windows: Windows) -> None:
    """Promise: Retry-After is true: who waits so long is let in."""
    for _ in range(3):
        await take(windows)
    refused = await take(windows)
    windows.wall.shift(refused.retry_after_s + 0.1)
    assert (await take(windows)).allowed


async def test_a_refused_try_does_not_count(windows: Windows) -> None:
    """Promise: impatience does not lock anyone out for longer."""
    for _ in range(3):
        await take(windows)
    for _ in range(9):
        windows.wall.shift(1)
        assert not (await take(windows)).allowed
    windows.wall.shift(1.5)
    assert (await take(windows)).allowed


async def test_many_at_once_are_counted_rightly(windows: Windows) -> None:
    """Promise: a crowd in one moment gets no more than the limit."""
    rooms = await asyncio.gather(*(take(windows, limit=5) for _ in range(20)))
    assert sum(room.allowed for room in rooms) == 5


@given(waits_s=st.lists(st.floats(0, 6), max_size=25), limit=st.integers(1, 4))
@examples(30)
async def test_no_window_holds_more_and_nobody_is_refused_for_nothing(waits_s: list[float], limit: int) -> None:
    """Promise: both sides of a limit, at any pace."""
    with new_windows() as windows:
        # Real time goes on a little during a call: of each only the moments before and after are known.
        allowed: list[tuple[float, float]] = []
        for wait_s in waits_s:
            windows.wall.shift(wait_s)
            before_s = time.time()
            room = await take(windows, limit=limit)
            after_s = time.time()
            if room.allowed:
                allowed.append((before_s, after_s))
            else:
                assert sum(late_s >= before_s - PERIOD_S for _, late_s in allowed) >= limit
        for (early_s, _), (_, late_s) in zip(allowed, allowed[limit:], strict=False):
            assert late_s - early_s >= PERIOD_S

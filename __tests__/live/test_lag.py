"""A stream that the server lets wait is looked after all the same."""

import asyncio
from dataclasses import replace

import pytest

from __tests__.live.world import QUIET, START_MS, Json, house, tick, turns
from cryptomarket.live.lag import Lag


async def test_looks_go_on_until_the_server_asks_for_more() -> None:
    """Promise: the judge is told how far the order has gone on, as often as he wishes, and not a moment longer."""
    told: list[int] = []
    positions = iter((10, 13, 17, 23))
    third = asyncio.Event()

    def judge(missed: int) -> float | None:
        told.append(missed)
        if len(told) < 3:
            return 0.0
        third.set()
        return 0.0

    async with asyncio.timeout(10):
        with Lag(lambda: next(positions), judge).watched(0.0):
            await third.wait()
    await turns(5)
    assert told == [3, 7, 13]


async def test_a_judge_who_has_heard_enough_is_left_alone() -> None:
    """Promise: a stream that was let go is not looked at again."""
    told: list[int] = []
    heard = asyncio.Event()

    def judge(missed: int) -> float | None:
        told.append(missed)
        heard.set()
        return None

    async with asyncio.timeout(10):
        with Lag(lambda: 1, judge).watched(0.0):
            await heard.wait()
            await turns(5)
    assert told == [0]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("wishes", "reason"), [({"lifetime_s": 60.0}, "drain"), ({"timer_s": 1.0}, "expired")])
async def test_who_does_not_read_is_not_served_for_longer(wishes: dict[str, Json], reason: str) -> None:
    """Promise: a stream whose reader takes nothing, on whichever way and in the midst of a replay too, ends with its
    life or its token like any other.
    """
    limits = replace(QUIET, keep_alive_s=0.01, lifetime_s=1_000_000.0)
    async with house(limits=limits) as built:
        await built.publish(*[tick("btc_usd", START_MS + number) for number in range(20)])
        expires_s = built.hands.wall_us // 1_000_000 + 90
        reader = await built.opened(["btc_usd"], f"{built.hub.position.epoch}-1", expires_s=expires_s, **wishes)
        await reader.until_named("connected")
        reader.reading.clear()
        built.hands.forward(100.0)
        async with asyncio.timeout(10):
            await reader.seat.left.wait()
        reader.reads_on()
        await reader.until_ended()
        assert reader.events[-1].data["reason"] == reason

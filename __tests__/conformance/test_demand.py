"""Demand: what is wanted now, by whoever still says so."""

import asyncio

from __tests__.conformance.form import Backplane


async def test_the_union_of_all_who_want(backplane: Backplane) -> None:
    """Promise: a thousand who want one ticker are one want; who says anew replaces what he said."""
    for at in range(100):
        await backplane.demand.want(f"owner-{at}", ["btc_usd"], life_s=10)
    await backplane.demand.want("x", ["eth_usd", "btc_usd"], life_s=10)
    assert await backplane.demand.wanted() == {"btc_usd", "eth_usd"}
    await backplane.demand.want("x", [], life_s=10)
    assert await backplane.demand.wanted() == {"btc_usd"}


async def test_what_nobody_renews_lapses(backplane: Backplane) -> None:
    """Promise: a dead process wants nothing for long."""
    await backplane.demand.want("dead", ["btc_usd"], life_s=10)
    await backplane.demand.want("alive", ["eth_usd"], life_s=10)
    await backplane.advance(6)
    await backplane.demand.want("alive", ["eth_usd"], life_s=10)
    assert await backplane.demand.wanted() == {"btc_usd", "eth_usd"}
    await backplane.advance(5)
    assert await backplane.demand.wanted() == {"eth_usd"}


async def test_who_waits_is_told_of_something_new(backplane: Backplane) -> None:
    """Promise: a new want is acted on at once, not at the next round."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(backplane.demand.changed(wait_s=60))
        await asyncio.sleep(0)  # sleep: one turn of the loop, so that it waits
        await backplane.demand.want("x", ["btc_usd"], life_s=10)
        await waiting


async def test_waiting_has_an_end(backplane: Backplane) -> None:
    """Promise: lapses are noticed by asking again."""
    async with asyncio.timeout(5):
        await backplane.demand.changed(wait_s=0.01)

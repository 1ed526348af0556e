"""A bell wakes who waits, and remembers nothing."""

import asyncio

from cryptomarket.backplane.memory.bell import Bell


async def test_all_who_wait_are_woken() -> None:
    """Promise: one ring for everybody."""
    bell = Bell()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = [group.create_task(bell.wait()) for _ in range(3)]
        await asyncio.sleep(0)  # sleep: one turn of the loop, so that they wait
        bell.ring()
    assert all(task.result() for task in waiting)


async def test_who_comes_after_the_ring_waits_for_the_next() -> None:
    """Promise: nothing is kept, and waiting has an end."""
    bell = Bell()
    bell.ring()
    assert not await bell.wait(0.01)


async def test_who_is_cancelled_leaves_nothing_behind() -> None:
    """Promise: a waiter that has gone is not rung."""
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)  # sleep: one turn of the loop, so that it waits
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    bell.ring()
    assert waiting.cancelled()

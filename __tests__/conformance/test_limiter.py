"""Limits that all share."""

from __tests__.conformance.form import Backplane

LIMIT, PERIOD_S = 3, 60


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


async def test_the_window_slides(backplane: Backplane) -> None:
    """Promise: after the period there is room again (the library's clock is the real one: a window of one second)."""
    assert (await backplane.limiter.take("key", limit=1, period_s=1)).allowed
    refused = await backplane.limiter.take("key", limit=1, period_s=1)
    assert not refused.allowed
    assert 0 < refused.retry_after_s <= 1

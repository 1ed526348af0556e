"""Groups of consumers: at least once to a group, kept by the log while it is owed, and no loss without a number."""

import pytest

from __tests__.conformance.form import LOG_CAPACITY, LOG_HARD_CAPACITY, Backplane
from __tests__.conformance.hearing import seqs
from cryptomarket.backplane.bus import Fence
from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication

STORE = "store"


async def say_many(backplane: Backplane, fence: Fence, count: int) -> list[Publication]:
    return await backplane.say(fence, *["btc_usd"] * count)


async def take(form: Backplane, limit: int, *, group: str = STORE, consumer: str = "one") -> list[Publication]:
    return await form.bus.consume(group, consumer, limit=limit, wait_s=0.01)


async def test_groups_do_not_share_and_consumers_of_a_group_do(backplane: Backplane) -> None:
    """Promise: K writers store each publication once between them; another group is not touched by that."""
    told = await say_many(backplane, await backplane.fence(), 10)
    one = await take(backplane, 4, consumer="one")
    two = await take(backplane, 10, consumer="two")
    assert one + two == told
    assert await take(backplane, 20, group="audit") == told
    await backplane.bus.acknowledge(STORE, told)
    assert await backplane.bus.acknowledged(STORE) == 10
    assert await backplane.bus.acknowledged("audit") == 0


async def test_acknowledged_is_where_everything_below_is_kept(backplane: Backplane) -> None:
    """Promise: `stored_up_to` never covers something that is not stored, in whatever order it was said."""
    told = await say_many(backplane, await backplane.fence(), 6)
    assert await backplane.bus.acknowledged(STORE) == 0
    assert await take(backplane, 5) == told[:5]
    await backplane.bus.acknowledge(STORE, told[2:4])
    assert await backplane.bus.acknowledged(STORE) == 0
    await backplane.bus.acknowledge(STORE, told[:1])
    assert await backplane.bus.acknowledged(STORE) == 1
    await backplane.bus.acknowledge(STORE, told[1:2])
    await backplane.bus.acknowledge(STORE, told[1:2])
    assert await backplane.bus.acknowledged(STORE) == 4
    await backplane.bus.acknowledge(STORE, told[4:5])
    assert await backplane.bus.acknowledged(STORE) == 5


async def test_what_a_dead_consumer_took_is_handed_out_again(backplane: Backplane) -> None:
    """Promise: at least once: a writer that dies between taking and storing loses nothing, and repeats nothing kept."""
    told = await say_many(backplane, await backplane.fence(), 8)
    assert await take(backplane, 6) == told[:6]
    await backplane.bus.acknowledge(STORE, [told[0], told[3]])
    await backplane.leave(STORE)
    again = await take(backplane, 3)
    assert seqs(again) == [2, 3, 5]
    rest = await take(backplane, 10)
    assert seqs(rest) == [6, 7, 8]
    await backplane.bus.acknowledge(STORE, again + rest)
    assert await backplane.bus.acknowledged(STORE) == 8
    assert await take(backplane, 10) == []


async def test_the_last_word_of_the_dead_counts(backplane: Backplane) -> None:
    """Promise: what was stored after all is not handed out again."""
    told = await say_many(backplane, await backplane.fence(), 4)
    taken = await take(backplane, 4)
    await backplane.leave(STORE)
    await backplane.bus.acknowledge(STORE, taken[:2])
    assert await take(backplane, 10) == told[2:]


async def test_the_log_keeps_what_is_owed(backplane: Backplane) -> None:
    """Promise: the log is not trimmed past what the writers have not stored, and is trimmed once they have."""
    fence = await backplane.fence()
    told = await backplane.say(fence, "btc_usd")
    assert await take(backplane, 1) == told
    told += await say_many(backplane, fence, LOG_HARD_CAPACITY - 1)
    start = Position(told[0].position.epoch, 0)
    assert await backplane.bus.since(start, 10**6, 10**6) == told
    assert await backplane.bus.given_up(STORE) == 0
    taken = await take(backplane, LOG_HARD_CAPACITY)
    assert taken == told[1:]
    await backplane.bus.acknowledge(STORE, told)
    await backplane.say(fence, "btc_usd")
    with pytest.raises(LogTooShort):
        await backplane.bus.since(start, 10**6, 10**6)


async def test_what_a_consumer_holds_is_not_lost_at_the_hard_bound(backplane: Backplane) -> None:
    """Promise: what is in a writer's hands counts as lost only when that writer dies before it is stored."""
    fence = await backplane.fence()
    told = await say_many(backplane, fence, 5)
    held = await take(backplane, 5)
    told += await say_many(backplane, fence, LOG_HARD_CAPACITY)
    assert await backplane.bus.given_up(STORE) == 0
    await backplane.bus.acknowledge(STORE, held[:2])
    assert await backplane.bus.acknowledged(STORE) == 2
    await backplane.leave(STORE)
    rest = await take(backplane, 10**6)
    assert rest == told[5:]
    assert await backplane.bus.given_up(STORE) == 3
    await backplane.bus.acknowledge(STORE, rest)
    assert await backplane.bus.acknowledged(STORE) == told[-1].seq


async def test_a_group_that_nobody_joined_has_nothing(backplane: Backplane) -> None:
    """Promise: nothing is stored before a writer was there."""
    await say_many(backplane, await backplane.fence(), 3)
    assert await backplane.bus.acknowledged(STORE) == 0
    assert await backplane.bus.given_up(STORE) == 0


async def test_a_new_group_begins_with_the_oldest_of_the_log(backplane: Backplane) -> None:
    """Promise: a writer that starts after the feed gets what the log still has."""
    told = await say_many(backplane, await backplane.fence(), LOG_CAPACITY + 7)
    assert await take(backplane, 10**6) == told[7:]

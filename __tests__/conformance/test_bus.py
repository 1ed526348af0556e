"""One order for everything: publishing, pictures, replay, following, consuming, notices."""

import asyncio
from itertools import pairwise

import pytest

from __tests__.conformance.form import LOG_CAPACITY, LOG_HARD_CAPACITY, Backplane, fence_of
from cryptomarket.backplane.bus import Fence, Notice, NoticeKind, Outgoing
from cryptomarket.errors import Fenced, LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

GROUP = "store"


async def test_sequences_grow_by_one_and_each_ticker_names_its_predecessor(backplane: Backplane) -> None:
    """Promise: one order; `prev_seq` is the ticker's previous tick, status or gap, null at the epoch's start."""
    fence = await backplane.fence()
    told = await backplane.say(fence, "a", "b", "a")
    told += await backplane.say(fence, "b", kind=PublicationKind.STATUS)
    told += await backplane.say(fence, "a", kind=PublicationKind.GAP)
    told += await backplane.say(fence, "b")
    assert [word.seq for word in told] == [1, 2, 3, 4, 5, 6]
    assert [word.prev_seq for word in told] == [None, None, 1, 2, 3, 4]
    assert len({word.position.epoch for word in told}) == 1
    assert await backplane.bus.head() == told[-1].position


async def test_a_set_change_takes_a_number_and_is_in_no_chain(backplane: Backplane) -> None:
    """Promise: changes of sets are in the one order, unfenced, and break no ticker's chain."""
    fence = await backplane.fence()
    await backplane.say(fence, "a")
    change = await backplane.bus.publish_change("u", "a", b"{}")
    after = await backplane.say(fence, "a")
    assert (change.seq, change.prev_seq, change.user_id, change.kind) == (2, None, "u", PublicationKind.SET_CHANGE)
    assert (after[0].seq, after[0].prev_seq) == (3, 1)


async def test_an_old_owner_publishes_nothing(backplane: Backplane) -> None:
    """Promise: whoever lost a lease can't write, not even one word of a batch."""
    old = await backplane.leases.acquire("slot:0", "old", life_s=1)
    assert old is not None
    await backplane.advance(2)
    new = await backplane.leases.acquire("slot:0", "new", life_s=60)
    assert new is not None
    with pytest.raises(Fenced):
        await backplane.say(fence_of(old), "a", "b")
    with pytest.raises(Fenced):
        await backplane.say(Fence("slot:9", 1), "a")
    assert (await backplane.bus.head()).seq == 0
    assert len(await backplane.say(fence_of(new), "a")) == 1


async def test_pictures_are_of_one_position(backplane: Backplane) -> None:
    """Promise: last tick, last status and last sequence of each ticker, as of the position that comes with them."""
    fence = await backplane.fence()
    await backplane.say(fence, "a", "b")
    await backplane.say(fence, "a", kind=PublicationKind.STATUS)
    position, pictures = await backplane.bus.pictures(["a", "b", "c"])
    assert position == await backplane.bus.head()
    assert set(pictures) == {"a", "b"}
    tick, status = pictures["a"].tick, pictures["a"].status
    assert tick is not None
    assert status is not None
    assert (tick.seq, status.seq, pictures["a"].last_seq) == (1, 3, 3)
    assert set((await backplane.bus.pictures())[1]) == {"a", "b"}


async def test_a_remembered_tick_counts_until_the_first_of_this_epoch(backplane: Backplane) -> None:
    """Promise: what a former epoch knew is kept, and gives way."""
    await backplane.bus.remember("a", b"old")
    assert (await backplane.bus.pictures(["a"]))[1]["a"].remembered == b"old"
    await backplane.say(await backplane.fence(), "a")
    picture = (await backplane.bus.pictures(["a"]))[1]["a"]
    assert picture.remembered is None
    await backplane.bus.remember("a", b"older")
    assert (await backplane.bus.pictures(["a"]))[1]["a"].remembered is None


async def test_what_lies_between_is_given_whole_and_in_pages(backplane: Backplane) -> None:
    """Promise: after < seq <= until, oldest first, at most `limit`."""
    told = await backplane.say(await backplane.fence(), *"abcdef")
    epoch = told[0].position.epoch
    assert await backplane.bus.since(Position(epoch, 2), 5, 10) == told[2:5]
    assert await backplane.bus.since(Position(epoch, 0), 6, 4) == told[:4]
    assert await backplane.bus.since(told[-1].position, 6, 10) == []


async def test_what_the_log_does_not_hold_is_said_and_not_left_out(backplane: Backplane) -> None:
    """Promise: a foreign epoch, a position beyond the head, and one before the log are LogTooShort."""
    fence = await backplane.fence()
    told = []
    for _ in range(LOG_CAPACITY + 10):
        told += await backplane.say(fence, "a")
    epoch, head = told[0].position.epoch, told[-1].seq
    for position in (Position("another", 5), Position(epoch, head + 1), Position(epoch, 0), Position(epoch, 8)):
        with pytest.raises(LogTooShort):
            await backplane.bus.since(position, head, 1)
    kept = await backplane.bus.since(Position(epoch, head - LOG_CAPACITY), head, LOG_CAPACITY + 1)
    assert kept == told[-LOG_CAPACITY:]


async def _followed(backplane: Backplane, after: Position, count: int) -> list[Publication]:
    heard: list[Publication] = []
    async with asyncio.timeout(10):
        async for batch in backplane.bus.follow(after):
            heard += batch
            if len(heard) >= count:
                break
    return heard


async def test_followers_hear_everything_after_their_position_once_and_in_order(backplane: Backplane) -> None:
    """Promise: what was there before, and what comes while they listen, with no crack between."""
    fence = await backplane.fence()
    first = await backplane.say(fence, "a", "b")
    start = Position(first[0].position.epoch, 0)
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(_followed(backplane, start, 30)) for _ in range(3)]
        late = group.create_task(_followed(backplane, first[0].position, 29))
        for _ in range(28):
            await backplane.say(fence, "c")
    for follower in followers:
        assert [word.seq for word in follower.result()] == list(range(1, 31))
    assert [word.seq for word in late.result()] == list(range(2, 31))


async def test_a_follower_that_fell_behind_is_told(backplane: Backplane) -> None:
    """Promise: no follower skips silently."""
    fence = await backplane.fence()
    start = await backplane.bus.head()
    for _ in range(LOG_CAPACITY + 5):
        await backplane.say(fence, "a")
    with pytest.raises(LogTooShort):
        await _followed(backplane, start, 1)


async def _consume(backplane: Backplane, limit: int = 100, wait_s: float = 0.05) -> list[Publication]:
    return await backplane.bus.consume(GROUP, "writer", limit=limit, wait_s=wait_s)


async def test_a_group_gets_each_publication_and_says_how_far_it_is(backplane: Backplane) -> None:
    """Promise: handed out once, oldest first; `acknowledged` is where everything below is kept for good."""
    fence = await backplane.fence()
    told = await backplane.say(fence, *"abcde")
    assert await backplane.bus.acknowledged(GROUP) == 0
    first, second = await _consume(backplane, 2), await _consume(backplane)
    assert first + second == told
    assert await _consume(backplane) == []
    await backplane.bus.acknowledge(GROUP, second)
    assert await backplane.bus.acknowledged(GROUP) == 0
    await backplane.bus.acknowledge(GROUP, first)
    assert await backplane.bus.acknowledged(GROUP) == 5


async def test_who_waits_is_woken_by_the_next_publication(backplane: Backplane) -> None:
    """Promise: a consumer needs no polling."""
    fence = await backplane.fence()
    await _consume(backplane)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_consume(backplane, wait_s=10))
        await backplane.say(fence, "a")
        async with asyncio.timeout(5):
            assert [word.ticker for word in await waiting] == ["a"]


async def test_what_a_dead_consumer_left_is_handed_out_again(backplane: Backplane) -> None:
    """Promise: at least once: exactly what was taken and not acknowledged."""
    told = await backplane.say(await backplane.fence(), *"abcde")
    taken = await _consume(backplane, 4)
    await backplane.bus.acknowledge(GROUP, taken[1:2])
    await backplane.leave(GROUP)
    again = await _consume(backplane)
    assert sorted(word.seq for word in again) == [1, 3, 4, 5]
    await backplane.bus.acknowledge(GROUP, again)
    assert await backplane.bus.acknowledged(GROUP) == told[-1].seq


async def test_the_log_keeps_what_is_owed_up_to_its_hard_bound(backplane: Backplane) -> None:
    """Promise: trimmed past what writers owe only at the hard bound; that is counted, and nobody is stuck."""
    fence = await backplane.fence()
    await _consume(backplane)
    for _ in range(LOG_HARD_CAPACITY - 10):
        await backplane.say(fence, "a")
    start = Position((await backplane.bus.head()).epoch, 0)
    assert len(await backplane.bus.since(start, 1000, 1000)) == LOG_HARD_CAPACITY - 10
    assert await backplane.bus.given_up(GROUP) == 0
    for _ in range(30):
        await backplane.say(fence, "a")
    assert await backplane.bus.given_up(GROUP) == 20
    taken = await _consume(backplane, 1000)
    assert len(taken) == LOG_HARD_CAPACITY
    await backplane.bus.acknowledge(GROUP, taken)
    assert await backplane.bus.acknowledged(GROUP) == (await backplane.bus.head()).seq
    await backplane.say(fence, "a")
    assert len(await _consume(backplane)) == 1


async def test_notices_reach_everyone_who_listens(backplane: Backplane) -> None:
    """Promise: control notices of every kind, outside the order, to every process."""
    one, other = backplane.bus.notices(), backplane.bus.notices()
    async with asyncio.timeout(5):
        for kind, subject in zip(NoticeKind, ("token", "", "no_such", '{"BTC-PERPETUAL":"halted"}'), strict=True):
            notice = Notice(kind, subject)
            await backplane.bus.notify(notice)
            assert await anext(one) == notice
            assert await anext(other) == notice
    assert (await backplane.bus.head()).seq == 0


async def test_it_answers(backplane: Backplane) -> None:
    """Promise: `ping` returns while the bus is there."""
    await backplane.bus.ping()


async def test_publishers_at_once_never_share_a_number(backplane: Backplane) -> None:
    """Promise: no position ever names two events."""
    fences = [await backplane.fence(f"slot:{at}") for at in range(5)]

    async def speak(fence: Fence) -> list[Publication]:
        said: list[Publication] = []
        for _ in range(8):
            said += await backplane.bus.publish([Outgoing(PublicationKind.TICK, fence.name, b"{}")], fence)
        return said

    told = [word for said in await asyncio.gather(*map(speak, fences)) for word in said]
    assert sorted(word.seq for word in told) == list(range(1, 41))
    for fence in fences:
        chain = sorted((word for word in told if word.ticker == fence.name), key=lambda word: word.seq)
        assert chain[0].prev_seq is None
        assert all(later.prev_seq == earlier.seq for earlier, later in pairwise(chain))

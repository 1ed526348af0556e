"""What the log gave up before a group had it: told by ticker, from the first to the last, until it is written down."""

import pytest

from __tests__.conformance.form import LOG_CAPACITY, LOG_HARD_CAPACITY, Backplane
from cryptomarket.backplane.bus import Fence, Loss, Outgoing, Standing
from cryptomarket.errors import Fenced
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication, PublicationKind

STORE = "store"


def tick(ticker: str, timestamp_ms: int) -> Outgoing:
    return Outgoing(PublicationKind.TICK, ticker, b'{"ticker":"%s","timestamp":%d}' % (ticker.encode(), timestamp_ms))


async def take(form: Backplane, limit: int = 10**6) -> list[Publication]:
    return await form.bus.consume(STORE, "one", limit=limit, wait_s=0.01)


async def joined(form: Backplane) -> tuple[Fence, str]:
    """A fence, and the epoch, once the group has taken and kept the first publication."""
    fence = await form.fence()
    told = await form.bus.publish([tick("btc_usd", 1)], fence)
    assert await take(form) == told
    await form.bus.acknowledge(STORE, told)
    return fence, told[0].position.epoch


async def test_what_was_never_handed_out_is_told_by_ticker(backplane: Backplane) -> None:
    """Promise: no loss without a name: which ticker, from which publication to which, and over which time."""
    fence, epoch = await joined(backplane)
    assert await backplane.bus.losses(STORE) == []
    await backplane.bus.publish([tick("btc_usd", 100), tick("eth_usd", 101), tick("btc_usd", 102)], fence)
    await backplane.bus.publish_change("u", "btc_usd", b'{"timestamp":7}')
    kept = await backplane.bus.publish([tick("sol_usd", 200 + at) for at in range(LOG_HARD_CAPACITY)], fence)
    losses = {loss.ticker: loss for loss in await backplane.bus.losses(STORE)}
    assert losses == {
        "btc_usd": Loss("btc_usd", Position(epoch, 2), 4, 2, 100, 102),
        "eth_usd": Loss("eth_usd", Position(epoch, 3), 3, 1, 101, 101),
    }
    assert await backplane.bus.given_up(STORE) == 4
    rest = await take(backplane)
    assert rest == kept
    await backplane.bus.acknowledge(STORE, rest)
    assert await backplane.bus.acknowledged(STORE) == kept[-1].seq
    assert len(await backplane.bus.losses(STORE)) == 2


async def test_one_question_tells_how_a_group_stands(backplane: Backplane) -> None:
    """Promise: what is told of a group and a ticker at once is what three questions tell, before, with and after a
    loss; of a ticker that nobody knows, and of a group that nobody joined.
    """

    async def agrees() -> None:
        bus = backplane.bus
        for group, ticker in ((STORE, "btc_usd"), (STORE, "sol_usd"), (STORE, "usd"), ("nobody's", "btc_usd")):
            told = await bus.standing(group, ticker)
            head, pictures = await bus.pictures([ticker])
            lost = {loss.ticker for loss in await bus.losses(group)}
            assert told == Standing(await bus.acknowledged(group), ticker in lost, head, pictures.get(ticker))

    await agrees()
    fence, _ = await joined(backplane)
    assert (await backplane.bus.standing(STORE, "btc_usd")).acknowledged == 1
    await agrees()
    await backplane.bus.publish([tick("btc_usd", 100)], fence)
    await backplane.bus.publish([tick("sol_usd", 200)] * LOG_HARD_CAPACITY, fence)
    assert (await backplane.bus.standing(STORE, "btc_usd")).has_losses
    await agrees()
    await backplane.bus.forget(STORE, await backplane.bus.losses(STORE))
    assert not (await backplane.bus.standing(STORE, "btc_usd")).has_losses
    await agrees()


async def test_a_loss_is_told_until_it_is_written_down(backplane: Backplane) -> None:
    """Promise: a writer that dies before it has written a loss down finds it again; one that has grown is kept."""
    fence, _ = await joined(backplane)
    await backplane.bus.publish([tick("btc_usd", 100), tick("eth_usd", 101)], fence)
    await backplane.bus.publish([tick("sol_usd", 200)] * LOG_HARD_CAPACITY, fence)
    losses = await backplane.bus.losses(STORE)
    assert {loss.ticker for loss in losses} == {"btc_usd", "eth_usd"}
    assert sorted(await backplane.bus.losses(STORE), key=str) == sorted(losses, key=str)
    await backplane.bus.publish([tick("btc_usd", 300)], fence)
    await backplane.bus.publish([tick("sol_usd", 301)] * LOG_HARD_CAPACITY, fence)
    await backplane.bus.forget(STORE, losses)
    left = {loss.ticker: loss for loss in await backplane.bus.losses(STORE)}
    assert set(left) == {"btc_usd", "sol_usd"}
    assert (left["btc_usd"].count, left["btc_usd"].first_ms, left["btc_usd"].last_ms) == (2, 100, 300)
    await backplane.bus.forget(STORE, list(left.values()))
    assert await backplane.bus.losses(STORE) == []


async def test_what_a_dead_consumer_held_is_told_once_it_is_lost(backplane: Backplane) -> None:
    """Promise: what is in a consumer's hands is no loss while he lives, and has a name when he dies."""
    fence, epoch = await joined(backplane)
    told = await backplane.bus.publish([tick("btc_usd", 100 + at) for at in range(4)], fence)
    assert await take(backplane) == told
    await backplane.bus.acknowledge(STORE, told[:2])
    await backplane.bus.publish([tick("sol_usd", 200)] * LOG_HARD_CAPACITY, fence)
    assert await backplane.bus.losses(STORE) == []
    await backplane.leave(STORE)
    await take(backplane)
    assert await backplane.bus.losses(STORE) == [Loss("btc_usd", Position(epoch, 4), 5, 2, 102, 103)]


async def test_what_tells_no_time_is_lost_by_place(backplane: Backplane) -> None:
    """Promise: statuses tell since when, gaps until when; what tells nothing still has its place."""
    fence, epoch = await joined(backplane)
    words = {
        PublicationKind.STATUS: b'{"ticker":"a","state":"stale","since_ms":500}',
        PublicationKind.GAP: b'{"ticker":"b","from_ms":1,"to_ms":900}',
        PublicationKind.TICK: b"{}",
    }
    batch = [Outgoing(kind, ticker, words[kind]) for kind, ticker in zip(words, "abc", strict=True)]
    await backplane.bus.publish(batch, fence)
    await backplane.bus.publish([tick("sol_usd", 200)] * LOG_HARD_CAPACITY, fence)
    losses = {loss.ticker: (loss.first, loss.first_ms, loss.last_ms) for loss in await backplane.bus.losses(STORE)}
    assert losses == {
        "a": (Position(epoch, 2), 500, 500),
        "b": (Position(epoch, 3), 900, 900),
        "c": (Position(epoch, 4), None, None),
    }


async def test_nothing_is_lost_to_a_group_that_keeps_up_or_never_came(backplane: Backplane) -> None:
    """Promise: trimming what is stored, or what nobody was to store, is no loss."""
    fence, _ = await joined(backplane)
    for _ in range(3):
        told = await backplane.bus.publish([tick("btc_usd", 1)] * LOG_CAPACITY, fence)
        assert await take(backplane) == told
        await backplane.bus.acknowledge(STORE, told)
    assert await backplane.bus.losses(STORE) == []
    assert await backplane.bus.losses("nobody") == []


async def test_a_batch_of_another_epoch_is_refused_and_its_acknowledgement_passed_over(backplane: Backplane) -> None:
    """Promise: what follows from another epoch is never said in this one, and no place names two publications."""
    fence, epoch = await joined(backplane)
    await backplane.bus.publish([tick("btc_usd", 2)], Fence(fence.name, fence.token, epoch))
    with pytest.raises(Fenced):
        await backplane.bus.publish([tick("btc_usd", 3)], Fence(fence.name, fence.token, "another"))
    told = await take(backplane)
    assert [publication.seq for publication in told] == [2]
    foreign = Publication(Position("another", 2), PublicationKind.TICK, "btc_usd", None, b"{}")
    await backplane.bus.acknowledge(STORE, [foreign])
    assert await backplane.bus.acknowledged(STORE) == 1
    await backplane.bus.acknowledge(STORE, told)
    assert await backplane.bus.acknowledged(STORE) == 2

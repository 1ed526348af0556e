"""What is understood of a range, and what of it is settled. What `complete` means is shown in test_questions."""

from dataclasses import replace
from functools import partial

import pytest

from __tests__.history.world import NOW_MS, StoppedClock, heard, index_tick, live, new_bus, publish, writing
from cryptomarket.errors import Impossible
from cryptomarket.history.reach import Heard, Reach, range_of
from cryptomarket.history.repository import Repository

T = NOW_MS - 100_000


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "first_ms", "understood"),
    [
        (None, None, None, (NOW_MS, NOW_MS)),
        (None, None, 5, (5, NOW_MS)),
        (None, 3, 5, (3, 3)),
        (NOW_MS, None, 5, None),
        (NOW_MS, NOW_MS + 1, 5, (NOW_MS, NOW_MS + 1)),
        (NOW_MS + 1, NOW_MS + 2, 5, None),
        (7, 8, None, (7, 8)),
        (8, 8, None, None),
    ],
)
def test_a_range_is_half_open(
    start_ms: int | None, end_ms: int | None, first_ms: int | None, understood: tuple[int, int] | None
) -> None:
    """Promise: [start, end); what is not said is the first row, and now; what can't be is refused."""
    if understood is None:
        with pytest.raises(Impossible):
            range_of(start_ms, end_ms, first_ms=first_ms, now_ms=NOW_MS)
    else:
        assert range_of(start_ms, end_ms, first_ms=first_ms, now_ms=NOW_MS) == understood


async def test_the_bus_vouches_for_nothing_later(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: what was heard after the bus was asked is not called complete by what it knew before."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(T), live(T))
    reach = Reach(bus, clock=stopped.clock)
    known = await reach.heard("btc_usd")
    stopped.now_ms += 1000
    for end_ms, complete in ((NOW_MS, True), (NOW_MS + 1, False)):
        ask = partial(reach.span, ticker="btc_usd", start_ms=T, end_ms=end_ms, heard=known)
        assert (await repository.look(ask)).complete is complete
    unsaid = partial(reach.span, ticker="btc_usd", start_ms=T, end_ms=None, heard=known)
    assert (await repository.look(unsaid)).end_ms == NOW_MS


async def test_what_is_acknowledged_is_settled(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: a range is settled up to the last tick that the writers have acknowledged, and no further."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), index_tick(T), index_tick(T + 1000))
    await repository.keep(heard([index_tick(T + 2000)], first_seq=9))
    reach = Reach(bus, clock=stopped.clock)
    known = await reach.heard("btc_usd")
    span = await repository.look(lambda look: reach.span(look, "btc_usd", T, T + 1000, known))
    assert (span.complete, span.settled_ms) == (True, T + 1000)
    assert not (await repository.look(lambda look: reach.span(look, "btc_usd", T - 1, T + 1000, known))).complete


async def test_a_feed_that_nobody_hears_is_complete_up_to_what_is_settled(
    repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: while no process hears the exchange, nobody is left to say so on the bus, and no range beyond the last
    settled tick is complete; of other tickers, and of what is settled, that says nothing.
    """
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        for ticker in ("btc_usd", "eth_usd"):
            await publish(
                bus, live(T, ticker=ticker), index_tick(T, ticker=ticker), index_tick(T + 1000, ticker=ticker)
            )
    silent: set[str] = set()
    reach = Reach(bus, clock=stopped.clock, is_silent=silent.__contains__)

    async def is_complete(ticker: str, start_ms: int, end_ms: int) -> bool:
        known = await reach.heard(ticker)
        return (await repository.look(lambda look: reach.span(look, ticker, start_ms, end_ms, known))).complete

    assert await is_complete("btc_usd", T, NOW_MS)
    silent.add("btc_usd")
    assert not await is_complete("btc_usd", T, NOW_MS)
    assert not await is_complete("btc_usd", T + 2000, T + 3000)
    assert await is_complete("btc_usd", T, T + 1000)
    assert await is_complete("eth_usd", T, NOW_MS)


async def test_what_was_given_up_settles_nothing(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: nothing is final up to where the log has lost something that is not written down yet."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), index_tick(T), index_tick(T + 1000))
    reach = Reach(bus, clock=stopped.clock)
    known = await reach.heard("btc_usd")

    async def is_settled(end_ms: int, heard: Heard) -> bool:
        return await repository.look(lambda look: reach.is_settled(look, "btc_usd", end_ms, heard))

    assert await is_settled(T + 1000, known)
    assert not await is_settled(T + 1001, known)
    assert not await is_settled(T + 1000, replace(known, lost=True))

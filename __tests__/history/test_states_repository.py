"""When a feed was live: the edges lie at the ticks, whatever the two clocks say."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from __tests__.history.world import heard, index_tick, live, perpetual_tick, state
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Repository
from cryptomarket.ingest.gaps import Known, Patience, Watch
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, PerpetualSummary, Status, Tick

Word = Tick | Status | Gap


async def was_live(repository: Repository, start_ms: int, end_ms: int, *, ticker: str = "btc_usd") -> bool:
    return await repository.look(partial(Look.was_live, ticker=ticker, start_ms=start_ms, end_ms=end_ms))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "expected"),
    [
        (1000, 1900, True),  # live from the tick that made it so, though the state was said 50 ms later
        (999, 1900, False),  # before the first tick nothing was heard
        (1000, 1001, True),  # the first tick alone
        (1000, 2000, True),  # up to the last tick before the feed broke off
        (1000, 2001, False),  # beyond it nothing is known, though the break was noticed at 5000
        (5500, 5600, False),  # in the dark
        (6000, 6500, True),  # from the tick that came back
        (6000, 6040, True),  # before the state that it made was said
        (5999, 6500, False),
        (1500, 6500, False),  # across
        (6000, 6800, True),
        (7000, 9000, False),  # halted: said by the exchange, for a time of its own
        (6000, 7000, True),
        (9050, 9500, True),
    ],
)
async def test_when_the_feed_was_live(repository: Repository, start_ms: int, end_ms: int, expected: bool) -> None:
    """Promise: a range is complete only where the feed was live; a tick is published before the state that it makes."""
    await repository.keep(
        heard(
            [
                *(index_tick(1000), live(1050), index_tick(2000), state(FeedState.DOWN, 5000)),
                *(Gap("btc_usd", 2000, 6000, GapCause.DISCONNECT), index_tick(6000), live(6050), index_tick(6900)),
                *(state(FeedState.HALTED, 7000), live(9050), index_tick(9100), index_tick(9900)),
            ]
        )
    )
    assert await was_live(repository, start_ms, end_ms) is expected


@pytest.mark.parametrize(
    ("words", "start_ms", "expected"),
    [
        # A successor says that the feed is down, then hears a tick that the exchange had made before that.
        ([state(FeedState.DOWN, 5000), Gap("btc_usd", 2000, 4900, GapCause.DISCONNECT), index_tick(4900)], 4900, True),
        ([state(FeedState.DOWN, 5000), Gap("btc_usd", 2000, 4900, GapCause.DISCONNECT), index_tick(4900)], 4899, False),
        # Two troubles, one after the other.
        ([state(FeedState.STALE, 4950), state(FeedState.DOWN, 5000), index_tick(4900)], 4900, True),
        # Live again without a tick: what proves it is the next one.
        ([state(FeedState.STALE, 5000)], 2000, False),
        ([state(FeedState.STALE, 5000)], 5100, False),
        ([state(FeedState.STALE, 5000)], 5200, True),
        # What the exchange has said of it stays said, whatever time its ticks have.
        ([state(FeedState.HALTED, 5000), index_tick(4900)], 4900, False),
        ([state(FeedState.EXPIRED, 5000), index_tick(4900)], 4900, False),
    ],
)
async def test_what_was_said_before_the_tick_that_came_back_is_past(
    repository: Repository, words: Sequence[Word], start_ms: int, expected: bool
) -> None:
    """Promise: where a gap ends history is whole again, though the gateway's clock said "down" after that time."""
    before: list[Word] = [index_tick(1000), live(1050), index_tick(2000)]
    await repository.keep(heard([*before, *words, live(6000), index_tick(5200), index_tick(7000)]))
    assert await was_live(repository, start_ms, 7000) is expected


async def test_a_feed_that_was_never_live_proves_nothing(repository: Repository) -> None:
    """Promise: without a state, or with none that is live, no range is whole."""
    assert not await was_live(repository, 1000, 2000)
    await repository.keep(heard([index_tick(1000), state(FeedState.STALE, 1050)]))
    assert not await was_live(repository, 1000, 1040)
    assert not await was_live(repository, 1000, 2000)


async def test_an_order_that_begins_anew_has_ticks_of_its_own(repository: Repository) -> None:
    """Promise: a state is held against the ticks of its own epoch, where another one has the same numbers."""
    await repository.keep(heard([index_tick(1000), live(1050), index_tick(2000), state(FeedState.DOWN, 3000)]))
    await repository.keep(heard([index_tick(6000), live(6050), index_tick(7000)], epoch="e2"))
    assert await was_live(repository, 6000, 6900)
    assert not await was_live(repository, 5999, 6900)
    assert not await was_live(repository, 1000, 6900)


def perpetual(timestamp_ms: int, state_: str, price: str) -> Tick:
    tick = perpetual_tick(timestamp_ms)
    assert isinstance(tick.summary, PerpetualSummary)
    return tick._replace(price=Decimal(price), summary=replace(tick.summary, state=state_))


def watching() -> Watch:
    return Watch(Instrument("BTC-PERPETUAL", Kind.PERPETUAL), Patience(), now_s=0, now_ms=500)


def hear(watch: Watch, *ticks: Tick) -> list[Word]:
    return [word for tick in ticks for word in watch.heard(tick, now_s=0, now_ms=tick.timestamp_ms + 50)[1]]


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "expected"),
    [(8000, 8500, False), (8500, 9500, False), (8000, 9060, False), (9060, 9500, True), (1000, 7000, True)],
)
async def test_what_is_heard_of_a_halt_makes_nothing_live(
    repository: Repository, start_ms: int, end_ms: int, *, expected: bool
) -> None:
    """Promise: a tick of a halted instrument stands right before the word that it is open again, and proves nothing."""
    watch = watching()
    words = hear(watch, perpetual(1000, "open", "1"), perpetual(6900, "open", "2"))
    words += hear(watch, perpetual(7000, "halted", "3"), perpetual(8000, "halted", "4"))
    words += watch.told_state("open", now_ms=9050)
    words += hear(watch, perpetual(9100, "open", "5"), perpetual(9900, "open", "6"))
    assert [word.state for word in words if isinstance(word, Status)] == [
        *(FeedState.LIVE, FeedState.HALTED, FeedState.LIVE),
    ]
    await repository.keep(heard(words))
    assert await was_live(repository, start_ms, end_ms, ticker="BTC-PERPETUAL") is expected


@pytest.mark.parametrize(("end_ms", "expected"), [(7000, True), (7001, False), (7040, False), (7051, False)])
async def test_what_a_tick_says_is_for_the_time_of_that_tick(
    repository: Repository, end_ms: int, *, expected: bool
) -> None:
    """Promise: a halt that a tick told begins with that tick, however late the tick was heard."""
    words = hear(watching(), perpetual(1000, "open", "1"), perpetual(6900, "open", "2"), perpetual(7000, "halted", "3"))
    assert isinstance(words[-1], Status)
    assert (words[-1].state, words[-1].since_ms) == (FeedState.HALTED, 7050)
    await repository.keep(heard(words))
    assert await was_live(repository, 1000, end_ms, ticker="BTC-PERPETUAL") is expected


async def test_who_takes_over_from_a_clock_that_is_ahead_hides_no_maintenance(repository: Repository) -> None:
    """Promise: the live state that a fast clock has told stands before what the next process tells."""
    before = watching()
    words = before.heard(perpetual(1000, "open", "1"), now_s=0, now_ms=20_000)[1]
    told = words[-1]
    assert isinstance(told, Status)
    after = watching()
    after.remember(Known(before.last, told, GapCause.DISCONNECT, said_ms=told.since_ms))
    words += after.take_over(told, now_ms=1500)
    words += hear(after, perpetual(2000, "open", "2"))
    words += after.maintenance(now_ms=3000)
    words += hear(after, perpetual(4000, "open", "3"), perpetual(9000, "open", "4"))
    await repository.keep(heard(words))
    assert not await was_live(repository, 4000, 9000, ticker="BTC-PERPETUAL")
    assert not await was_live(repository, 2000, 4000, ticker="BTC-PERPETUAL")


async def test_what_is_heard_in_maintenance_makes_nothing_live(repository: Repository) -> None:
    """Promise: nor does one of a maintenance whose end was told only when the bus was back."""
    watch = watching()
    words = hear(watch, perpetual(1000, "open", "1"), perpetual(4900, "open", "2"))
    words += watch.maintenance(now_ms=5000)
    told = words[-1]
    assert isinstance(told, Status)
    words += hear(watch, perpetual(6000, "open", "3"))
    last = watch.last
    watch.maintained(now_ms=8500)
    watch.heard(perpetual(6000, "open", "3"), now_s=0, now_ms=9000)
    words += watch.make_up(Known(last, told, GapCause.DISCONNECT), now_ms=9500)
    words += hear(watch, perpetual(9600, "open", "4"), perpetual(9900, "open", "5"))
    await repository.keep(heard(words))
    assert not await was_live(repository, 6500, 8500, ticker="BTC-PERPETUAL")
    assert await was_live(repository, 9600, 9900, ticker="BTC-PERPETUAL")


async def test_a_clock_that_is_ahead_hides_no_maintenance(repository: Repository) -> None:
    """Promise: a live state that was said after the end by a fast clock does not stand before a dark one."""
    words: list[Word] = [index_tick(1000), live(11_000), state(FeedState.DOWN, 15_000), index_tick(6000), live(16_000)]
    words += [index_tick(6900), state(FeedState.MAINTENANCE, 17_000), index_tick(7500), index_tick(9900)]
    await repository.keep(heard(words))
    assert not await was_live(repository, 7500, 9000)

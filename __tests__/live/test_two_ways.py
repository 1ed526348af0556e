"""Two ways to a reader, past ASGI and through it: one behaviour, byte for byte."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from __tests__.live.world import QUIET, START_MS, House, Json, Reader, Way, gap, house, status, tick, turns
from cryptomarket.live.stream import Mode
from cryptomarket.market.ticks import FeedState

TICKERS = ("btc_usd", "eth_usd", "sol_usdc")
step = st.one_of(
    st.tuples(st.just("say"), st.lists(st.tuples(st.sampled_from(("tick", "status", "gap")), st.sampled_from(TICKERS)),
                                       min_size=1, max_size=6)),
    st.tuples(st.just("subscribe"), st.sampled_from(TICKERS)),
    st.tuples(st.just("cancel"), st.sampled_from(TICKERS)),
    st.tuples(st.just("keep alive"), st.none()),
    st.tuples(st.just("cut"), st.none()),
)  # fmt: skip


class Pair:
    """The same reader twice, once on each way. Both come, are cut, and come back at the same moments."""

    def __init__(self, built: House, fixed: tuple[str, ...] | None, wishes: dict[str, Json]) -> None:
        self._built = built
        self._fixed = fixed
        self._wishes = wishes
        self._last_id: str | None = None
        self.readers: list[tuple[Reader, Reader]] = []

    async def come(self) -> None:
        """Two streams that begin at one position."""
        both = []
        for by_line in (True, False):
            Way.by_line = by_line
            both.append(await self._built.opened(self._fixed, self._last_id, **self._wishes))
        Way.by_line = False
        self.readers.append((both[0], both[1]))
        for reader in both:
            await reader.until_named("connected")

    async def same(self) -> list[str]:
        """Waits until both have read what waits, and asserts that it is the same, byte for byte."""
        one, other = self.readers[-1]
        async with asyncio.timeout(10):
            while [event.text for event in one.events] != [event.text for event in other.events]:  # noqa: ASYNC110
                # sleep: a turn for each of them; the deadline above is where they differ for good
                await asyncio.sleep(0)
        return [event.text for event in one.events]

    async def cut(self) -> None:
        """Both are gone, and come back with what they have."""
        await self.same()
        self._last_id = str(self.readers[-1][0].last_id)
        for reader in self.readers[-1]:
            await reader.goes()
        await self.come()


async def play(steps: list[tuple[str, Json]], fixed: tuple[str, ...] | None, wishes: dict[str, Json]) -> None:
    """Publishes, changes the set, lets time pass, and cuts."""
    async with house(limits=replace(QUIET, keep_alive_s=5.0)) as built:
        await built.subscribe(TICKERS[0])
        pair = Pair(built, fixed, wishes)
        await pair.come()
        at_ms = START_MS
        for name, value in steps:
            if name == "say":
                batch = []
                for kind, ticker in value:
                    at_ms += 10
                    batch.append(
                        tick(ticker, at_ms)
                        if kind == "tick"
                        else status(ticker, FeedState.LIVE, at_ms)
                        if kind == "status"
                        else gap(ticker, at_ms, at_ms + 5)
                    )
                await built.publish(*batch)
            elif name == "subscribe":
                await built.subscribe(value)
            elif name == "cancel":
                await built.cancel(value)
            elif name == "keep alive":
                built.hands.forward(1.0)
            else:
                await pair.cut()
            await pair.same()
        await built.subscribe(TICKERS[0])
        [last] = await built.publish(tick(TICKERS[0], at_ms + 10))
        for reader in pair.readers[-1]:
            # Who is asked to leave in the midst of a replay leaves there.
            await reader.until_seq(last.seq)
            await built.flushed(reader)
        texts = await pair.same()
        assert texts[-1].startswith("event: disconnected")
    assert not built.hub.seats


@pytest.mark.parametrize("fixed", [None, TICKERS[:2]])
@given(st.lists(step, max_size=25))
@settings(max_examples=80)
def test_both_ways_tell_the_same_bytes(fixed: tuple[str, ...] | None, steps: list[tuple[str, Json]]) -> None:
    """Promise: random subscribes, cancels, publications and breaks give byte-identical events on both ways."""
    asyncio.run(play(steps, fixed, {}))


@given(st.lists(step, max_size=20))
@settings(max_examples=40)
def test_also_for_readers_who_conflate(steps: list[tuple[str, Json]]) -> None:
    """Promise: `mode=latest` for a reader who keeps up is the same on both ways."""
    asyncio.run(play(steps, TICKERS, {"mode": Mode.LATEST}))


@pytest.fixture
def by_line() -> Iterator[None]:
    """Readers are written to directly."""
    Way.by_line = True
    yield
    Way.by_line = False


@pytest.mark.usefixtures("by_line")
async def test_who_reads_nothing_is_slow_however_few_bytes_wait() -> None:
    """Promise: a reader is judged by how far the order has gone on without him, too, and told `slow` when he reads."""
    async with house(limits=replace(QUIET, keep_alive_s=0.02, lag_events=10)) as built:
        stalled = await built.opened(["btc_usd"])
        reads = await built.opened(["btc_usd"])
        for reader in (stalled, reads):
            await reader.until_named("connected")
            await turns(5)
        stalled.reading.clear()
        await built.publish(tick("btc_usd", START_MS))
        async with asyncio.timeout(10):
            while stalled.seat.reason is None:
                # Of others; he and who reads are told the time, and that is all.
                await built.publish(tick("eth_usd", START_MS), tick("eth_usd", START_MS + 1))
                built.hands.forward(0.1)
                await asyncio.sleep(0.01)  # sleep: the stream looks at its time now and then
        assert built.hub.slow_count == 1
        assert reads.seat.reason is None
        stalled.reads_on()
        await stalled.until_ended()
        assert stalled.seqs == [1]
        assert stalled.events[-1].data["reason"] == "slow"

"""A gateway whose bus goes away and comes back, once whole and once empty: it says so, goes on, and lies to nobody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from __tests__.backplane.outage import LeavingBus, LeavingCache, LeavingDemand, LeavingLeases, Outage
from __tests__.live.world import eventually
from cryptomarket import foundation
from cryptomarket.backplane.memory import MemoryBus, MemoryLeases, MemoryLimiter, MemoryMailroom
from cryptomarket.clock import Clock
from cryptomarket.foundation import Backplane
from cryptomarket.history.parts import HistoryParts
from cryptomarket.history.questions import TicksQuestion
from cryptomarket.live.events import feed_of
from cryptomarket.live.hub import Hub
from cryptomarket.market.ticks import FeedState
from cryptomarket.operation import OperationParts
from cryptomarket.runtime import Runtime, running
from cryptomarket.settings import Settings
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator
from cryptomarket.simulator.server import running as simulating

TICKER = "btc_usd"
LEASE_S = 0.6


@asynccontextmanager
async def stage(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Runtime, LeavingBus, RunningSimulator]]:
    """A gateway at work on a backplane that can be taken away."""
    outage, made = Outage(), list[LeavingBus]()

    def leaving(clock: Clock, **_capacities: int) -> Backplane:
        leases = MemoryLeases(clock.monotonic_s)
        made.append(LeavingBus(outage, leases))
        return Backplane(
            cast("MemoryBus", made[0]),
            LeavingCache(outage, clock.monotonic_s),
            LeavingDemand(outage, clock.monotonic_s),
            cast("MemoryLeases", LeavingLeases(outage, leases)),
            MemoryLimiter(),
            MemoryMailroom(),
        )

    patch.setattr(foundation, "memory_backplane", leaving)
    settings = Settings(
        data_dir=folder, project_mode="testing", pool_size=4, login_slots=1, demand_check_s=0.05,
        session_backoff_base_s=0.02, session_backoff_cap_s=0.1, slot_lease_s=LEASE_S,
    )  # fmt: skip
    async with (
        simulating(SimulatorOptions(port=0, index_period_s=0.02, recording=True)) as simulator,
        running(settings, ws_url=simulator.ws_url) as runtime,
    ):
        await eventually(lambda: state_of(runtime.hub) is FeedState.LIVE)
        yield runtime, made[0], simulator


def state_of(hub: Hub) -> FeedState:
    return feed_of(hub.picture(TICKER), now_ms=0)[0]


def seq_of(hub: Hub) -> int:
    tick = hub.picture(TICKER).tick
    return tick.seq if tick is not None else 0


@dataclass(frozen=True)
class Kept:
    """What the history has of the ticker: the exchange times of its rows, its gaps, and their causes."""

    rows: list[int]
    gaps: list[tuple[int, int]]
    causes: set[str]

    def knows_of(self, at_ms: int) -> bool:
        return at_ms in self.rows or any(from_ms <= at_ms < to_ms for from_ms, to_ms in self.gaps)


async def kept(runtime: Runtime, *, until_ms: int) -> Kept:
    """What is kept, once something at or after a time is, and a gap was recorded."""
    parts = runtime.state["history"]
    assert isinstance(parts, HistoryParts)
    async with asyncio.timeout(10):
        while True:
            page = await parts.history.ticks(TicksQuestion(TICKER, start_ms=0, end_ms=2**53 - 1, limit=10_000))
            rows = [row["timestamp"] for row in json.loads(page.body)["data"]]
            told = cast("list[dict[str, Any]]", (await parts.history.gaps(TICKER, None, None, limit=100))["data"])
            if told and rows and rows[-1] >= until_ms:
                gaps = [(gap["from_ms"], gap["to_ms"]) for gap in told]
                return Kept(rows, gaps, {gap["cause"] for gap in told})
            await asyncio.sleep(0.02)  # sleep: between two looks into the database


async def is_ready(runtime: Runtime) -> bool:
    parts = runtime.state["operation"]
    assert isinstance(parts, OperationParts)
    return (await parts.readiness())["bus"].ready


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("longer_than_a_lease", [False, True])
async def test_an_outage_is_told_and_recorded_and_over_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool, longer_than_a_lease: bool
) -> None:
    """Promise: a lost bus is a state: feeds are down, `/ready` names it, nothing crashes; when it is back the feed is
    live again, what could not be said is a recorded gap, and an emptied bus is a new order.
    """
    async with stage(tmp_path, monkeypatch) as (runtime, bus, simulator):
        bus.outage.begin()
        await eventually(lambda: state_of(runtime.hub) is FeedState.DOWN)
        before = seq_of(runtime.hub)
        assert not await is_ready(runtime)
        # sleep: an outage has a length; the exchange goes on meanwhile
        await asyncio.sleep(3 * LEASE_S if longer_than_a_lease else LEASE_S / 3)
        assert state_of(runtime.hub) is FeedState.DOWN
        epoch = runtime.hub.position.epoch
        if empty:
            bus.begin_epoch()
        bus.outage.end()
        await eventually(lambda: state_of(runtime.hub) is FeedState.LIVE)
        assert await is_ready(runtime)
        assert (runtime.hub.position.epoch != epoch) is empty
        await eventually(lambda: seq_of(runtime.hub) > (0 if empty else before))
        sent = json.loads(simulator.exchange.journal.sent(f"deribit_price_index.{TICKER}", None, 0))["sent"]
        times = [json.loads(entry["frame"])["params"]["data"]["timestamp"] for entry in sent]
        known = await kept(runtime, until_ms=times[-1])
        assert known.causes <= {"bus", "disconnect"}
        assert [at_ms for at_ms in times if at_ms >= known.rows[0] and not known.knows_of(at_ms)] == []
        assert sorted(set(known.rows)) == known.rows

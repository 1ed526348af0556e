"""The pool: ten sessions, data apart from logins, shared credits, and nothing left behind."""

import asyncio
import gc
from pathlib import Path

import pytest

from __tests__.deribit.ears import BTC, ETH, Ears, eventually, options_for, running_pool
from cryptomarket.clock import Clock
from cryptomarket.deribit.events import Heard, Held, Lost, Purpose, Ready, SessionState
from cryptomarket.deribit.pool import Pool, PoolOptions
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.simulator.faults import Fault
from cryptomarket.simulator.server import RunningSimulator


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_ten_sessions_come_up_eight_for_data_and_two_for_logins(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(PoolOptions(ws_url=simulator.ws_url), ears) as pool:
        await ears.until(lambda: len(ears.told(Ready)) == 10)
        states = pool.states()
        assert [state.purpose for state in states] == [Purpose.DATA] * 8 + [Purpose.LOGIN] * 2
        assert {state.state for state in states} == {SessionState.READY}
        assert pool.data_slots == tuple(range(8))
        assert pool.reachable
        assert len(simulator.exchange.connections) == 10
        assert all(state.since_ms > 1_700_000_000_000 for state in states)


async def test_each_slot_holds_its_own_channels_and_says_how_many(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        pool.hold(1, [ETH, "platform_state"])
        await ears.until(lambda: len(ears.told(Held)) == 2)
        assert {event.slot: set(event.channels) for event in ears.told(Held)} == {0: {BTC}, 1: {ETH, "platform_state"}}
        assert [state.channels for state in pool.states()] == [1, 2, 0]
        await ears.hear(Heard, which=lambda event: event.channel == "platform_state" and event.slot == 1)


async def test_closing_leaves_no_task_no_file_and_no_connection(simulator: RunningSimulator, ears: Ears) -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    async with running_pool(options_for(simulator, size=10, login_slots=2), ears) as pool:
        pool.hold(0, [BTC])
        await ears.hear(Held)
        await pool.request("public/get_time", {}, timeout_s=5)
    assert asyncio.all_tasks() == tasks
    gc.collect()
    await eventually(lambda: open_files() == files)
    await eventually(lambda: not simulator.exchange.connections)
    assert not pool.reachable
    assert {state.state for state in pool.states()} == {SessionState.CLOSED}


async def test_a_process_runs_the_slots_that_it_owns_and_no_others(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.hold(0, [BTC])
        pool.hold(1, [ETH])
        await ears.until(lambda: len(ears.told(Held)) == 2)
        pool.own([1])
        lost = await ears.hear(Lost, which=lambda event: event.slot == 0)
        assert (lost.channels, lost.reason) == ((BTC,), "released")
        await eventually(lambda: len(simulator.exchange.connections) == 1)
        assert simulator.exchange.subscriptions.followers().keys() == {ETH}
        assert pool.states()[0].credits <= 50_000 / 3 + 1
        mark = len(ears.events)
        pool.own([0, 1])
        await ears.hear(Ready, which=lambda event: event.slot == 0, after=mark)
        assert pool.states()[0].channels == 0
        pool.hold(0, [BTC])
        await ears.hear(Held, which=lambda event: event.slot == 0, after=mark)


async def test_a_process_without_login_slots_still_asks_on_its_data_slots(
    simulator: RunningSimulator, ears: Ears
) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        pool.own([0])
        assert int(await pool.request("public/get_time", {}, timeout_s=5)) > 0


async def test_a_process_that_owns_nothing_opens_nothing(simulator: RunningSimulator, ears: Ears) -> None:
    pool = Pool(options_for(simulator), ears, clock=Clock.system(), random=lambda: 0.5)
    pool.own([])
    run = asyncio.create_task(pool.run())
    with pytest.raises(ExchangeUnavailable):
        await pool.request("public/get_time", {}, timeout_s=0.1)
    assert simulator.exchange.journal.connections_opened == 0
    run.cancel()
    await asyncio.wait([run])


async def test_only_data_slots_carry_channels(ears: Ears) -> None:
    pool = Pool(PoolOptions(ws_url="ws://127.0.0.1:9"), ears, clock=Clock.system(), random=lambda: 0.5)
    with pytest.raises(ValueError, match="slot 8"):
        pool.hold(8, [BTC])
    with pytest.raises(ValueError, match="no slots"):
        pool.own([10])


async def test_an_exchange_that_is_not_there_is_waited_for(ears: Ears, unused_tcp_port: int) -> None:
    options = PoolOptions(ws_url=f"ws://127.0.0.1:{unused_tcp_port}", backoff_base_s=0.01, backoff_cap_s=0.02)
    async with running_pool(options, ears) as pool:
        with pytest.raises(ExchangeUnavailable):
            await pool.request("public/get_time", {}, timeout_s=0.2)
        assert not pool.reachable
        assert {state.state for state in pool.states()} <= {SessionState.CONNECTING, SessionState.WAITING}
        assert not ears.events


async def test_closing_in_the_moment_of_a_loss_closes(simulator: RunningSimulator, ears: Ears) -> None:
    for _ in range(5):
        mark = len(ears.events)
        async with running_pool(options_for(simulator), ears) as pool:
            pool.hold(0, [BTC])
            await ears.hear(Held, after=mark)
            # The sessions see it in the turn of the loop in which the pool is closed, or one or two later.
            simulator.add_faults(Fault(kind="drop"))
            await asyncio.gather(pool.request("public/get_time", {}, timeout_s=5), return_exceptions=True)
        assert not pool.reachable

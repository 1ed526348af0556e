"""What the parts say of themselves is what they are: ready or not, wanted or held, open or closed."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from __tests__.backplane.outage import AWAY, LeavingBus, Outage
from cryptomarket.observation import Observer
from cryptomarket.operation import OperationParts, OperationView
from cryptomarket.runtime import Runtime, running
from cryptomarket.settings import Settings
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import running as simulating

NOBODY = "ws://127.0.0.1:9/ws/api/v2"
LOOK_S = 0.02


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A small gateway in a folder of its own."""
    return Settings(
        data_dir=tmp_path, project_mode="testing", pool_size=4, login_slots=1, demand_check_s=0.1,
        session_backoff_base_s=0.05, session_backoff_cap_s=0.2,
    )  # fmt: skip


def told_by(runtime: Runtime) -> OperationParts:
    """What the running parts say of themselves."""
    told = runtime.state["operation"]
    assert isinstance(told, OperationParts)
    return told


async def when(told: OperationParts, condition: Callable[[OperationView], bool]) -> OperationView:
    """The view, once it is so."""
    async with asyncio.timeout(10):
        while True:
            view = await told.operation()
            if condition(view):
                return view
            await asyncio.sleep(LOOK_S)  # sleep: between two looks


async def test_a_gateway_at_work(settings: Settings) -> None:
    """Promise: each slot has an owner, a purpose and a session; what is wanted is held; the store follows the log."""
    async with (
        simulating(SimulatorOptions(port=0, index_period_s=0.1)) as simulator,
        running(settings, ws_url=simulator.ws_url) as runtime,
    ):
        told = told_by(runtime)
        view = await when(told, lambda view: view.held == ["btc_usd", "eth_usd"] and view.log.stored_up_to > 0)
        assert view.exchange == "simulator"
        assert view.wanted == ["btc_usd", "eth_usd"]
        assert [slot.slot for slot in view.slots] == [0, 1, 2, 3]
        assert sorted(slot.purpose for slot in view.slots) == ["data", "data", "data", "login"]
        view = await when(told, lambda view: {slot.session_state for slot in view.slots} == {"ready"})
        assert len({slot.owner for slot in view.slots}) == 1
        assert None not in {slot.owner for slot in view.slots}
        # Besides the tickers: the platform's state, and that of the instruments.
        assert sum(slot.channels for slot in view.slots) == 4
        assert view.credits > 0
        assert int(view.log.head.rpartition("-")[2]) >= view.log.stored_up_to > 0
        assert (view.streams.open, view.streams.behind, view.streams.slow, view.gaps_open) == (0, 0, 0, 0)
        readiness = await told.readiness()
        assert {name: part.ready for name, part in readiness.items()} == dict.fromkeys(
            ("exchange", "bus", "database", "writer", "jobs"), True
        )
        assert readiness["exchange"].detail == "4 of 4 sessions"
        assert told.reachable()


async def test_an_exchange_that_is_away_is_named_alone(settings: Settings) -> None:
    """Promise: the part that is missing is named, and no other is blamed."""
    async with running(settings, ws_url=NOBODY) as runtime:
        told = told_by(runtime)
        view = await when(told, lambda view: view.wanted == [] or view.held == [])
        assert view.held == []
        assert "ready" not in {slot.session_state for slot in view.slots}
        readiness = await told.readiness()
        assert [name for name, part in readiness.items() if not part.ready] == ["exchange"]
        assert readiness["exchange"].detail == "0 of 4 sessions"
        assert not told.reachable()


async def test_a_bus_that_is_away_is_named(settings: Settings) -> None:
    """Promise: `/ready` names the bus while it can't be reached, in a sentence, and no longer than that."""
    outage = Outage()
    async with running(settings, ws_url=NOBODY) as runtime:
        observer = getattr(told_by(runtime).readiness, "__self__", None)
        assert isinstance(observer, Observer)
        observer = replace(observer, bus=LeavingBus(outage))
        assert (await observer.readiness())["bus"].ready
        outage.begin()
        bus = (await observer.readiness())["bus"]
        assert (bus.ready, bus.detail) == (False, AWAY)
        outage.end()
        assert (await observer.readiness())["bus"].ready


async def test_what_is_not_heard_counts_as_an_open_gap(settings: Settings) -> None:
    """Promise: while a ticker that was heard is not, a gap is open; it is closed when it is heard again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        market = SimulatorOptions(port=listener.getsockname()[1], index_period_s=0.1)
    async with running(settings, ws_url=f"ws://127.0.0.1:{market.port}/ws/api/v2") as runtime:
        told = told_by(runtime)
        async with simulating(market):
            await when(told, lambda view: len(view.held) == 2 and int(view.log.head.rpartition("-")[2]) > 10)
            assert (await told.operation()).gaps_open == 0
        await when(told, lambda view: view.gaps_open == 2)
        async with simulating(market):
            await when(told, lambda view: view.gaps_open == 0)
